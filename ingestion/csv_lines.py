"""Lines of a candle file, however packed: csv, csv.gz, Binance archive zip. A cut-off gzip gives what it holds."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

PACKED_BLOCK = 1 << 14
PLAIN_BLOCK = 1 << 20
GZIP_WRAPPED = 31


class CandleFileError(ValueError):
    """A candle file that cannot be used; the message names the file and the line and says what is expected."""


@dataclass(frozen=True)
class CutShort:
    """The end of a damaged file: what stood on the unfinished line, and what the unpacker said."""

    text: str
    reason: str


def read_blocks(path: Path) -> Iterator[list[str] | CutShort]:
    """The file's lines in blocks; the last item is a CutShort if the packing ended early or broke."""
    rest = b""
    try:
        for data in _plain_bytes(path):
            whole, newline, tail = data.rpartition(b"\n")
            if not newline:
                rest += data
                continue
            yield _lines(rest + whole)
            rest = tail
    except (EOFError, zlib.error, zipfile.BadZipFile) as error:
        yield CutShort(text=_text(rest), reason=f"truncated: the file ends early or is damaged ({error})")
        return
    if rest:
        yield _lines(rest)


def _lines(data: bytes) -> list[str]:
    return [line.rstrip("\r") for line in _text(data).split("\n")]


def _text(data: bytes) -> str:
    # A byte that is not UTF-8, or zero, which PostgreSQL cannot keep in a text, stays readable as an escape.
    return data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


def _plain_bytes(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        if path.name.endswith(".gz"):
            yield from _gunzip(file)
        elif path.name.endswith(".zip"):
            yield from _unzip(path, file)
        else:
            yield from iter(lambda: file.read(PLAIN_BLOCK), b"")


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    """Unpack by hand: the gzip module throws away what it has read when it meets the early end."""
    unpacker, is_complete = zlib.decompressobj(GZIP_WRAPPED), False
    while packed := file.read(PACKED_BLOCK):
        while packed:
            yield unpacker.decompress(packed)
            packed, is_complete = unpacker.unused_data, unpacker.eof
            if unpacker.eof:
                # Another gzip may follow in the same file: that is how they are appended to.
                unpacker = zlib.decompressobj(GZIP_WRAPPED)
    if not is_complete:
        raise EOFError("no end-of-stream mark")


def _unzip(path: Path, file: BinaryIO) -> Iterator[bytes]:
    with zipfile.ZipFile(file) as archive:
        members = [name for name in archive.namelist() if name.endswith(".csv")]
        if len(members) != 1:
            raise CandleFileError(f"{path}: the zip holds {len(members)} csv files; a Binance archive holds one")
        with closing(archive.open(members[0])) as member:
            yield from iter(lambda: member.read(PLAIN_BLOCK), b"")
