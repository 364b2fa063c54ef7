"""Long holes come from archive zips whose checksum holds; what the archive lacks comes over REST."""

import hashlib
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestion.archive import Archive, ArchiveDownError, ArchiveError, Period, days, months
from ingestion.candles import load_candles, to_datetime, to_ms
from ingestion.exchange.archive import write_archive
from ingestion.exchange.market import Market
from ingestion.gaps import check_gaps
from ingestion.models import BackfillRun, Candle, CandleRevision, QuarantinedMessage, Symbol
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.exchanges import RunningExchange
from tests.ingestion.market import MARCH_24, made_candles
from tests.ingestion.spot import BTC, ETH, KLINES, Spot, asked, at, gaps, listed, misbehave

DAY = 1440
# In minutes from the 24th of March.
MARCH_28, APRIL_2 = 4 * DAY, 9 * DAY
MARCH = Period(datetime(2023, 3, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))
JANUARY_2025_MS = to_ms(datetime(2025, 1, 1, tzinfo=UTC))


# An hour before noon is the last that is looked at.
NOW = APRIL_2 + 11 * 60


def season(*names: str, without: Iterable[int] = ()) -> dict[str, Candles]:
    """From the 28th of March 2023 to noon of the second of April. `without` counts from the start."""
    lacking, count = list(without), APRIL_2 - MARCH_28 + 12 * 60
    return {
        name: made_candles(count=count, start_ms=at(MARCH_28), without=lacking, seed=seed)
        for seed, name in enumerate(names)
    }


def sources() -> dict[str, int]:
    return {source: Candle.objects.filter(source=source).count() for source in ("archive", "rest")}


def archived(exchange: RunningExchange) -> list[str]:
    """The files that were asked for over the wire and were there, without their checksums."""
    lines = [line for line in exchange.exchange.log.lines() if line.path.startswith("/data/") and line.status == 200]
    return [Path(line.path).name for line in lines if not line.path.endswith(".CHECKSUM")]


# --- periods ----------------------------------------------------------------------------------------------------------


def test_months_and_days_are_those_that_a_hole_touches() -> None:
    start, end = to_ms(datetime(2023, 11, 30, 23, 59, tzinfo=UTC)), to_ms(datetime(2024, 1, 1, tzinfo=UTC))

    assert [f"{each.start:%Y-%m}" for each in months(start, end)] == ["2023-11", "2023-12"]
    assert [f"{each.start:%Y-%m}" for each in months(start, end + 1)] == ["2023-11", "2023-12", "2024-01"]
    assert len(days(start, end)) == 32
    assert days(end, end) == months(end, end) == []


def test_a_file_lies_where_the_archive_of_binance_has_it() -> None:
    assert MARCH.place(BTC) == "spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2023-03.zip"
    assert days(MARCH_24, MARCH_24 + 1)[0].place(BTC) == "spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2023-03-24.zip"


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """An archive of two days of BTCUSDT, the last two of 2024."""
    start_ms = JANUARY_2025_MS - DAY * MINUTE_MS
    market = Market({BTC: made_candles(count=2 * DAY, start_ms=start_ms)})
    write_archive(market, tmp_path, now_ms=JANUARY_2025_MS + DAY * MINUTE_MS)
    return tmp_path


LAST_DAY = Period(datetime(2024, 12, 31, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC))
FIRST_DAY = Period(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))


def read(place: Path | str, period: Period) -> Candles | None:
    with Archive(str(place)) as archive:
        file = archive.read(BTC, period)
        return None if file is None else file.candles


def test_stamps_in_milliseconds_and_in_microseconds_are_told_apart(directory: Path) -> None:
    for period in (LAST_DAY, FIRST_DAY):
        with zipfile.ZipFile(directory / period.place(BTC)) as file:
            first_line = file.read(file.namelist()[0]).split(b",", 1)[0]
        found = read(directory, period)

        assert len(first_line) == (13 if period == LAST_DAY else 16)
        assert found is not None
        assert (len(found), int(found.open_ms[0])) == (DAY, to_ms(period.start))


def test_a_file_that_is_not_there_is_none(directory: Path) -> None:
    assert read(directory, MARCH) is None


def test_a_file_without_its_checksum_or_with_another_is_refused(directory: Path) -> None:
    file = directory / LAST_DAY.place(BTC)
    checksum = file.with_name(f"{file.name}.CHECKSUM")
    told = checksum.read_text()

    checksum.write_text(("0" * 64) + told[64:])
    with pytest.raises(ArchiveError, match="sha256"):
        read(directory, LAST_DAY)
    checksum.write_text("<html>")
    with pytest.raises(ArchiveError, match="does not begin with a sha256"):
        read(directory, LAST_DAY)
    checksum.unlink()
    with pytest.raises(ArchiveError, match="no checksum"):
        read(directory, LAST_DAY)
    checksum.write_text(told.upper())
    assert read(directory, LAST_DAY) is not None


def test_a_zip_cut_off_before_its_checksum_was_made_gives_nothing_and_says_so(directory: Path) -> None:
    file = directory / LAST_DAY.place(BTC)
    file.write_bytes(file.read_bytes()[:500])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_name(f"{file.name}.CHECKSUM").write_text(f"{digest}  {file.name}\n")

    with Archive(str(directory)) as archive:
        found = archive.read(BTC, LAST_DAY)

    assert found is not None
    assert (len(found.candles), len(found.bad_rows)) == (0, 1)
    assert "truncated" in found.bad_rows[0].reason


def test_an_archive_nobody_is_at_is_down(settings: Any) -> None:
    settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 1.0

    with pytest.raises(ArchiveDownError, match="does not answer"):
        read("http://127.0.0.1:9/data", MARCH)


# --- holes ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def wired(market: Spot, settings: Any) -> RunningExchange:
    """An exchange with an archive at /data; we lack everything since the 28th of March."""
    exchange = market(season(BTC, ETH, without=range(5000, 5060)), now=NOW)
    settings.ALPHAPULSE_ARCHIVE = f"{exchange.rest_url}/data"
    listed(BTC, ETH, since=MARCH_28)
    return exchange


def assert_complete(exchange: RunningExchange) -> None:
    for name in (BTC, ETH):
        stored = load_candles(name, at(MARCH_28), at(NOW))
        expected = exchange.exchange.market.klines(
            name, start_ms=at(MARCH_28), end_ms=at(NOW) - 1, limit=10**6, now_ms=at(NOW) + 30_000
        )
        assert stored.open_ms.tolist() == expected.open_ms.tolist()
        np.testing.assert_allclose(stored.close, expected.figures[:, 3], atol=1e-8)


def test_a_long_hole_comes_from_months_then_days_then_rest(wired: RunningExchange) -> None:
    done = check_gaps()

    assert done.open == 0
    assert archived(wired) == [
        *(f"{name}-1m-2023-03.zip" for name in (BTC, ETH)),
        *(f"{name}-1m-2023-04-01.zip" for name in (BTC, ETH)),
    ]
    assert sources() == {"archive": 2 * (5 * DAY - 60), "rest": 2 * (NOW - APRIL_2)}
    assert_complete(wired)
    assert gaps() == [(name, MARCH_28 + 5000, MARCH_28 + 5060, "exchange_outage") for name in (BTC, ETH)]
    runs = BackfillRun.objects.filter(source="archive")
    assert (runs.count(), set(runs.values_list("status", flat=True))) == (4, {"done"})


def test_a_short_hole_comes_over_rest_alone(market: Spot, settings: Any) -> None:
    exchange = market(season(BTC), now=NOW)
    settings.ALPHAPULSE_ARCHIVE = f"{exchange.rest_url}/data"
    listed(BTC, since=NOW - 3 * DAY)

    check_gaps()

    assert archived(exchange) == []
    assert sources() == {"archive": 0, "rest": 3 * DAY}


def test_days_stand_in_for_a_month_that_is_not_there(wired: RunningExchange) -> None:
    misbehave(wired, "archive_missing", paths=[f"/data/{MARCH.place(name)}" for name in (BTC, ETH)])

    assert check_gaps().open == 0

    assert len(archived(wired)) == 2 * 5
    assert sources()["archive"] == 2 * (5 * DAY - 60)
    assert_complete(wired)


def test_rest_stands_in_for_an_archive_that_has_nothing(wired: RunningExchange) -> None:
    misbehave(wired, "archive_missing", paths=())

    assert check_gaps(seconds=None).open == 0

    # The month and three of its days in a row, then the day of April.
    missing = [line for line in wired.exchange.log.lines() if line.path.startswith("/data/")]
    assert len(missing) == 2 * (1 + 3 + 1)
    assert sources()["archive"] == 0
    assert_complete(wired)


def test_a_wrong_checksum_is_put_on_record_and_the_candles_come_from_elsewhere(wired: RunningExchange) -> None:
    misbehave(wired, "archive_checksum", paths=(), symbols=[ETH])

    assert check_gaps(seconds=None).open == 0

    assert set(Candle.objects.filter(source="archive").values_list("symbol", flat=True)) == {BTC}
    refused = BackfillRun.objects.filter(status="failed")
    assert set(refused.values_list("symbol", "source")) == {(ETH, "archive")}
    assert "as its checksum file says" in refused[0].error
    assert_complete(wired)


def test_a_file_that_was_replaced_fills_what_is_missing_and_changes_nothing_that_it_gave_before(
    wired: RunningExchange,
) -> None:
    """Half of a file's minutes are lost again, as by a restored backup; by then the archive says something else."""
    check_gaps()
    first, cut = load_candles(BTC, at(MARCH_28), at(NOW)), at(MARCH_28 + 3 * DAY + 720)
    Candle.objects.filter(symbol=BTC, open_time__lt=to_datetime(cut)).delete()
    Symbol.objects.update(complete_until=None)
    misbehave(wired, "archive_replaced", paths=(), symbols=[BTC])

    assert check_gaps().open == 0

    now = load_candles(BTC, at(MARCH_28), at(NOW))
    assert now.open_ms.tolist() == first.open_ms.tolist()
    is_new = now.open_ms < cut
    np.testing.assert_allclose(now.close[is_new], first.close[is_new] * 1.001)
    assert now.close[~is_new].tolist() == first.close[~is_new].tolist()
    assert not CandleRevision.objects.exists()


def test_an_archive_out_of_reach_is_asked_once_a_run(market: Spot, settings: Any) -> None:
    exchange = market(season(BTC, ETH), now=NOW)
    settings.ALPHAPULSE_ARCHIVE = "http://127.0.0.1:9/data"
    listed(BTC, ETH, since=MARCH_28)

    assert check_gaps(seconds=None).open == 0

    assert BackfillRun.objects.filter(source="archive", error__contains="does not answer").count() == 1
    assert_complete(exchange)


def test_rows_of_a_file_that_are_no_candles_are_quarantined_with_their_line_and_asked_for_over_rest(
    market: Spot, settings: Any, tmp_path: Path
) -> None:
    candles = season(BTC)
    exchange = market(candles, now=NOW)
    spoilt = season(BTC)
    spoilt[BTC].high[100] = 1e-3
    write_archive(Market(spoilt), tmp_path, now_ms=at(NOW))
    settings.ALPHAPULSE_ARCHIVE = str(tmp_path)
    listed(BTC, since=MARCH_28)

    assert check_gaps().open == 0

    kept = QuarantinedMessage.objects.get()
    assert (kept.source, kept.file, kept.line) == ("archive", MARCH.place(BTC), 101)
    assert Candle.objects.get(open_time=to_datetime(at(MARCH_28 + 100))).source == "rest"
    assert asked(exchange, KLINES) == 2
