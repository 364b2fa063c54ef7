"""Candles of months and days from archive zips in the layout of data.binance.vision: a directory or a web address.

No file is read whose sha256 is not the one in the .CHECKSUM file beside it.
"""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
from django.conf import settings

from ingestion.candles import to_datetime, to_ms
from ingestion.csv_format import CandleFile, CandleFileError, read_candle_file
from ingestion.partitions import month_start, next_month

DAY = timedelta(days=1)
BLOCK = 1 << 20
SHA256_DIGITS = 64


class ArchiveError(Exception):
    """A file of the archive that is not to be used; the message says why."""


class ArchiveDownError(ArchiveError):
    """The archive itself is out of reach."""


@dataclass(frozen=True)
class Period:
    """A month or a day that the archive keeps in one file."""

    start: datetime
    end: datetime

    @property
    def is_month(self) -> bool:
        return self.end - self.start > DAY

    def place(self, symbol: str) -> str:
        """Where its file lies, from the archive's root."""
        kind, day = ("monthly", f"{self.start:%Y-%m}") if self.is_month else ("daily", f"{self.start:%Y-%m-%d}")
        return f"spot/{kind}/klines/{symbol}/1m/{symbol}-1m-{day}.zip"


def months(start_ms: int, end_ms: int) -> list[Period]:
    """The months that [start, end) touches."""
    found, month = [], month_start(to_datetime(start_ms))
    while to_ms(month) < end_ms:
        found.append(Period(month, next_month(month)))
        month = next_month(month)
    return found


def days(start_ms: int, end_ms: int) -> list[Period]:
    """The days that [start, end) touches."""
    found, day = [], to_datetime(start_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    while to_ms(day) < end_ms:
        found.append(Period(day, day + DAY))
        day += DAY
    return found


class Archive:
    """The archive at the place of the settings; to be used in a `with` block, which keeps downloads so long."""

    def __init__(self, place: str) -> None:
        self._is_remote = place.startswith(("http://", "https://"))
        self._place = place.rstrip("/")

    def __enter__(self) -> Self:
        self._downloads = Path(tempfile.mkdtemp(prefix="alphapulse-archive-"))
        self._session = requests.Session()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        shutil.rmtree(self._downloads, ignore_errors=True)

    def read(self, symbol: str, period: Period) -> CandleFile | None:
        """The file of a symbol and period; None if there is none. Raises ArchiveError if it is not to be used."""
        place = period.place(symbol)
        file = self._fetch(place)
        if file is None:
            return None
        self._verify(place, file)
        try:
            return read_candle_file(file)
        except CandleFileError as error:
            raise ArchiveError(str(error)) from error
        finally:
            if self._is_remote:
                file.unlink()

    def _verify(self, place: str, file: Path) -> None:
        checksum = self._fetch(f"{place}.CHECKSUM")
        if checksum is None:
            raise ArchiveError(f"{place} has no checksum beside it")
        told = checksum.read_text(encoding="ascii", errors="replace").split(" ", 1)[0].strip().lower()
        if len(told) != SHA256_DIGITS:
            raise ArchiveError(f"{place}.CHECKSUM does not begin with a sha256")
        if told != (found := _sha256(file)):
            raise ArchiveError(f"{place} has the sha256 {found[:12]}..., not {told[:12]}... as its checksum file says")

    def _fetch(self, place: str) -> Path | None:
        if self._is_remote:
            return self._download(place)
        file = Path(self._place, place)
        return file if file.is_file() else None

    def _download(self, place: str) -> Path | None:
        url, file = f"{self._place}/{place}", self._downloads / Path(place).name
        try:
            with self._session.get(url, timeout=settings.ALPHAPULSE_EXCHANGE_TIMEOUT, stream=True) as response:
                if response.status_code == requests.codes.not_found:
                    return None
                if response.status_code != requests.codes.ok:
                    raise ArchiveDownError(f"{url} answers {response.status_code}")
                with file.open("wb") as target:
                    for block in response.iter_content(BLOCK):
                        target.write(block)
        except requests.RequestException as error:
            raise ArchiveDownError(f"{url} does not answer: {error}") from error
        return file


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def archive_of_settings() -> Archive | None:
    """None where no archive is set."""
    return Archive(settings.ALPHAPULSE_ARCHIVE) if settings.ALPHAPULSE_ARCHIVE else None
