"""Reading candle files: every good row, every bad row by line and reason, whatever the packing."""

import gzip
import zipfile
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.csv_format import CandleFileError, load_recording, read_candle_file, symbol_of
from ingestion.csv_rows import BINANCE_HEADER, OUR_HEADER
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.market import DATA, MARCH_24, SHARED, csv_rows, made_candles, write_csv

OUTAGE = DATA / "outage_2023-03-24"
NO_WHOLE_MINUTE = "close_time_ms is not 59999 ms after open_time_ms: not a 1m candle, or not a closed one"
JANUARY_2025 = 1_735_689_600_000


def assert_same(left: Candles, right: Candles) -> None:
    for field in fields(Candles):
        assert getattr(left, field.name).tobytes() == getattr(right, field.name).tobytes(), field.name


def with_cell(row: str, place: int, text: str) -> str:
    cells = row.split(",")
    cells[place] = text
    return ",".join(cells)


@pytest.mark.parametrize("full", [True, False])
def test_candles_come_back_bit_for_bit(tmp_path: Path, full: bool) -> None:
    candles = made_candles(count=50, without=[20, 21], full=full)

    file = read_candle_file(write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(candles)))

    assert_same(file.candles, candles)
    assert (file.symbol, file.bad_rows, file.duplicates, file.unordered) == ("BTCUSDT", (), 0, 0)


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        (0, "yesterday", "open_time_ms is not a whole number"),
        (0, "1679616000.5", "open_time_ms is not a whole number"),
        (0, "0", "open_time_ms is not a time in milliseconds between 2009 and 2100"),
        (0, "1679616000", "open_time_ms is not a time in milliseconds between 2009 and 2100"),
        (0, "99999999999999999999999", "open_time_ms is not a whole number"),
        (0, str(MARCH_24 + 120_001), "open_time_ms is not on the minute grid"),
        (1, "NaN", "open is not a finite number"),
        (1, "nan", "open is not a finite number"),
        (2, "inf", "high is not a finite number"),
        (2, "-Infinity", "high is not a finite number"),
        (2, "1e400", "a price or the volume is not a finite number"),
        (3, "", "low is empty"),
        (3, "-1", "a price is zero or negative"),
        (3, "0", "a price is zero or negative"),
        (4, "1_000", "close is not a finite number"),
        (4, "\u0661\u0660\u0660", "close is not a finite number"),
        (4, "=1+1", "close is not a finite number"),
        (5, "-0.1", "the volume is negative"),
        (5, "NaN", "volume is not a finite number"),
        (2, "1", "high is below open, close or low"),
        (3, "500", "high is below open, close or low"),
        (6, str(MARCH_24 + 3_719_999), NO_WHOLE_MINUTE),
        (7, "-1", "quote_volume, trades or a taker volume is negative or not finite"),
        (7, "1e999", "quote_volume, trades or a taker volume is negative or not finite"),
        (8, "1.5", "trades is not a whole number"),
        (10, "much", "taker_buy_quote is not a finite number"),
        (10, "1,2", "the row has 12 columns instead of 11"),
    ],
)  # fmt: skip
def test_a_bad_cell_costs_its_row_only_and_says_where(tmp_path: Path, place: int, text: str, reason: str) -> None:
    candles = made_candles(count=5)
    rows = csv_rows(candles)
    bad = with_cell(rows[2], place, text)
    path = write_csv(tmp_path / "BTCUSDT-1m.csv", [*rows[:2], bad, *rows[3:]])

    file = read_candle_file(path)

    assert [(row.line, row.text, row.reason) for row in file.bad_rows] == [(4, bad, reason)]
    assert_same(file.candles, made_candles(count=5, without=[2]))


def test_low_above_the_close_is_refused(tmp_path: Path) -> None:
    row = f"{MARCH_24},100,110,99,98,1,{MARCH_24 + 59_999},,,,"

    file = read_candle_file(write_csv(tmp_path / "BTCUSDT-1m.csv", [row]))

    assert [bad.reason for bad in file.bad_rows] == ["low is above open, close or high"]


def test_an_exponent_is_a_number(tmp_path: Path) -> None:
    row = f"{MARCH_24},1.5e-05,2E-5,1e-05,.00002,1e+3,{MARCH_24 + 59_999},,,,"

    file = read_candle_file(write_csv(tmp_path / "PEPEUSDT-1m.csv", [row]))

    assert (file.candles.open[0], file.candles.close[0], file.candles.volume[0]) == (1.5e-05, 2e-05, 1000.0)


def test_a_repeated_row_is_ignored_and_counted(tmp_path: Path) -> None:
    candles = made_candles(count=5, full=False)
    rows = csv_rows(candles)

    file = read_candle_file(write_csv(tmp_path / "BTCUSDT-1m.csv", [*rows, rows[1], rows[1]]))

    assert_same(file.candles, candles)
    assert (file.duplicates, file.bad_rows) == (2, ())


def test_of_two_candles_of_one_minute_the_first_stays_and_the_other_is_a_bad_row(tmp_path: Path) -> None:
    candles = made_candles(count=5)
    rows = csv_rows(candles)
    other = with_cell(rows[1], 5, "123456")

    file = read_candle_file(write_csv(tmp_path / "BTCUSDT-1m.csv", [*rows, other]))

    assert_same(file.candles, candles)
    assert [(bad.line, bad.text) for bad in file.bad_rows] == [(7, other)]
    assert "earlier row" in file.bad_rows[0].reason


def test_unordered_rows_are_sorted_and_counted(tmp_path: Path) -> None:
    candles = made_candles(count=5)
    rows = csv_rows(candles)

    file = read_candle_file(write_csv(tmp_path / "BTCUSDT-1m.csv", [rows[0], rows[3], rows[1], rows[4], rows[2]]))

    assert_same(file.candles, candles)
    assert file.unordered == 2


def test_a_candle_that_is_still_open_is_refused(tmp_path: Path) -> None:
    candles = made_candles(count=5)
    path = write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(candles))

    file = read_candle_file(path, closed_by_ms=MARCH_24 + 5 * MINUTE_MS - 1)

    assert [(bad.line, bad.reason) for bad in file.bad_rows] == [(6, "the candle has not closed yet")]
    assert len(file.candles) == 4


def test_a_gzip_that_was_cut_off_gives_its_whole_rows(tmp_path: Path) -> None:
    candles = made_candles(count=4000)
    text = "\n".join([OUR_HEADER, *csv_rows(candles)]) + "\n"
    path = tmp_path / "BTCUSDT-1m.csv.gz"
    packed = gzip.compress(text.encode())
    path.write_bytes(packed[: len(packed) * 2 // 3])

    file = read_candle_file(path)

    kept = len(file.candles)
    assert 1000 < kept < 4000
    assert_same(file.candles, candles.rows(slice(0, kept)))
    (cut,) = file.bad_rows
    assert (cut.line, cut.reason.split(":")[0]) == (kept + 2, "truncated")
    assert text.splitlines()[cut.line - 1].startswith(cut.text)


def test_a_gzip_damaged_in_the_middle_gives_the_rows_before(tmp_path: Path) -> None:
    candles = made_candles(count=6000)
    packed = bytearray(gzip.compress("\n".join([OUR_HEADER, *csv_rows(candles)]).encode()))
    packed[len(packed) // 2] ^= 0xFF
    packed[len(packed) // 2 + 50] ^= 0xFF
    path = tmp_path / "BTCUSDT-1m.csv.gz"
    path.write_bytes(packed)

    file = read_candle_file(path)

    assert len(file.candles) > 500
    assert file.bad_rows[-1].reason.startswith("truncated")


def test_a_gzip_that_was_appended_to_is_read_to_its_end(tmp_path: Path) -> None:
    rows = csv_rows(made_candles(count=4))
    path = tmp_path / "BTCUSDT-1m.csv.gz"
    path.write_bytes(
        gzip.compress("\n".join([OUR_HEADER, *rows[:2], ""]).encode()) + gzip.compress("\n".join(rows[2:]).encode())
    )

    assert len(read_candle_file(path).candles) == 4


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_marks_of_other_systems_are_understood(tmp_path: Path, ending: str, mark: str) -> None:
    candles = made_candles(count=3, full=False)
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_bytes((mark + ending.join([OUR_HEADER, *csv_rows(candles), "", ""])).encode())

    assert_same(read_candle_file(path).candles, candles)


def archive_rows(candles: Candles, *, stamps_per_ms: int) -> list[str]:
    """Rows as in Binance's archives: twelve columns, from 2025 on in microseconds."""
    rows = []
    for row in csv_rows(candles):
        cells = row.split(",")
        cells[0] = str(int(cells[0]) * stamps_per_ms)
        cells[6] = str((int(cells[6]) + 1) * stamps_per_ms - 1)
        rows.append(",".join([*cells, "0"]))
    return rows


@pytest.mark.parametrize("with_header", [True, False])
@pytest.mark.parametrize(("start_ms", "stamps_per_ms"), [(MARCH_24, 1), (JANUARY_2025, 1000)])
def test_archives_are_read_with_and_without_header_in_milli_and_microseconds(
    tmp_path: Path, start_ms: int, stamps_per_ms: int, with_header: bool
) -> None:
    candles = made_candles(count=30, start_ms=start_ms)
    rows = archive_rows(candles, stamps_per_ms=stamps_per_ms)
    path = tmp_path / "BTCUSDT-1m-2025-01.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("BTCUSDT-1m-2025-01.csv", "\n".join([BINANCE_HEADER] * with_header + rows))

    file = read_candle_file(path)

    assert file.bad_rows == ()
    assert_same(file.candles, candles)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file is empty"),
        ("time,o,h,l,c,v\n1,2,3,4,5,6\n", ":1: wrong header 'time,o,h,l,c,v'; expected 'open_time_ms,open,"),
        ("<html>404</html>", ":1: wrong header"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text(content)

    with pytest.raises(CandleFileError) as error:
        read_candle_file(path)

    assert str(error.value).startswith(str(path))
    assert message in str(error.value)


def test_bytes_that_are_no_gzip_and_no_zip_are_reported_not_raised(tmp_path: Path) -> None:
    for name in ("BTCUSDT-1m.csv.gz", "BTCUSDT-1m-2023-01.zip"):
        path = tmp_path / name
        path.write_bytes(b"\x00\xff not packed at all")

        file = read_candle_file(path)

        assert (len(file.candles), file.bad_rows[0].line) == (0, 1)
        assert "damaged" in file.bad_rows[0].reason


@pytest.mark.parametrize(
    "name", ["BTCUSDT-1h.csv.gz", "notes.csv", "btcusdt-1m.csv", "FOO-1m.csv", "BTC-USDT-1m.csv", "BTCUSDT-1m.json"]
)
def test_a_name_that_is_no_symbols_1m_file_is_refused(name: str) -> None:
    with pytest.raises(CandleFileError, match=name):
        symbol_of(Path(name))


# --- recordings -------------------------------------------------------------------------------------------------------


def test_a_recording_is_read_by_symbol_and_cut_by_time() -> None:
    whole = load_recording(OUTAGE)
    part = load_recording([OUTAGE], symbols=["ETHUSDT"], start=MARCH_24 + 12 * 3_600_000, end=MARCH_24 + 13 * 3_600_000)

    assert {symbol: len(candles) for symbol, candles in whole.items()} == {"BTCUSDT": 160, "ETHUSDT": 160}
    assert list(part) == ["ETHUSDT"]
    assert len(part["ETHUSDT"]) == 40


def test_a_symbol_without_a_file_is_an_error_that_lists_what_there_is() -> None:
    with pytest.raises(CandleFileError, match="no candle file for DOGEUSDT; there is: BTCUSDT, ETHUSDT"):
        load_recording(OUTAGE, symbols=["DOGEUSDT"])


def test_a_bad_row_stops_a_replay_with_file_and_line(tmp_path: Path) -> None:
    rows = csv_rows(made_candles(count=3))
    path = write_csv(tmp_path / "BTCUSDT-1m.csv", [rows[0], with_cell(rows[1], 2, "NaN"), rows[2]])

    with pytest.raises(CandleFileError, match=r"BTCUSDT-1m\.csv:3: high is not a finite number"):
        load_recording(tmp_path)

    assert path.exists()


def test_of_two_files_that_disagree_the_first_one_counts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    early, late = made_candles(count=30), made_candles(count=40, seed=8)
    write_csv(tmp_path / "a" / "BTCUSDT-1m.csv", csv_rows(early))
    write_csv(tmp_path / "b" / "BTCUSDT-1m.csv", csv_rows(late))

    merged = load_recording([tmp_path / "a", tmp_path / "b"])["BTCUSDT"]

    assert_same(merged.rows(slice(0, 30)), early)
    assert_same(merged.rows(slice(30, 40)), late.rows(slice(30, 40)))


def test_a_directory_without_candles_names_those_below_it(tmp_path: Path) -> None:
    (tmp_path / "june").mkdir()
    write_csv(tmp_path / "june" / "BTCUSDT-1m.csv", [])

    with pytest.raises(CandleFileError, match=r"name one of .*june"):
        load_recording(tmp_path)


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CandleFileError, match=r"nowhere: no such file or directory"):
        load_recording(tmp_path / "nowhere")


def test_the_outage_of_march_2023_shows_as_it_was() -> None:
    bitcoin = load_recording(OUTAGE)["BTCUSDT"]

    (at,) = np.flatnonzero(np.diff(bitcoin.open_ms) > MINUTE_MS).tolist()
    silent = np.flatnonzero(bitcoin.volume == 0)
    stopped = datetime.fromtimestamp(bitcoin.open_ms[at + 1] / 1000, UTC)
    assert (len(silent), silent[-1], stopped.strftime("%H:%M")) == (72, at, "14:00")


@pytest.mark.skipif(not SHARED.exists(), reason="the shared candle files are not beside the project")
def test_every_shared_1m_file_is_sound() -> None:
    paths = sorted((SHARED / "data" / "candles" / "spot_1m").glob("full_*/*.csv.gz"))

    files = [read_candle_file(path) for path in paths]

    assert files
    assert all(not file.bad_rows and len(file.candles) for file in files)
    assert all(np.isfinite(file.candles.trades).all() for file in files)


@given(order=st.permutations(range(12)), repeated=st.lists(st.integers(0, 11), max_size=8))
def test_any_order_and_repetition_of_rows_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], repeated: list[int]
) -> None:
    candles = made_candles(count=12)
    rows = csv_rows(candles)
    path = write_csv(
        tmp_path_factory.mktemp("shuffled") / "BTCUSDT-1m.csv", [rows[i] for i in order] + [rows[i] for i in repeated]
    )

    file = read_candle_file(path)

    assert_same(file.candles, candles)
    assert file.duplicates == len(repeated)


@given(st.binary(max_size=400))
def test_no_bytes_whatever_crash_the_reader(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("noise") / "BTCUSDT-1m.csv"
    rows = csv_rows(made_candles(count=2))
    path.write_bytes("\n".join([OUR_HEADER, rows[0]]).encode() + b"\n" + content + b"\n" + rows[1].encode())

    file = read_candle_file(path)

    assert set(file.candles.open_ms.tolist()) >= {MARCH_24, MARCH_24 + MINUTE_MS}
