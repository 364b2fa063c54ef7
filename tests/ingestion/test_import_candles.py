"""`manage.py import_candles`: what is good goes in, what is bad is kept apart and named, and twice is once."""

import gzip
import json
import tempfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ingestion.candles import load_candles, to_datetime
from ingestion.models import Candle, CandleGap, QuarantinedMessage, Symbol
from ingestion.refused import LONGEST_PAYLOAD
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.market import DATA, HEADER, MARCH_24, csv_rows, made_candles, write_csv

OUTAGE = DATA / "outage_2023-03-24"
FOREVER = 4 * 10**12


def run_import(*paths: Path, **options: Any) -> tuple[int, dict[str, Any]]:
    """Exit code and figures of `import_candles --json`."""
    out, code = StringIO(), 0
    try:
        call_command("import_candles", *paths, json=True, stdout=out, **options)
    except SystemExit as leaving:
        code = int(str(leaving.code))
    return code, json.loads(out.getvalue())


@pytest.fixture
def bad_input(tmp_path: Path) -> Path:
    """One sound file and every kind of bad one the exchange, a script or a broken download has ever given us."""
    candles = made_candles(count=20)
    rows = csv_rows(candles)
    opened = MARCH_24 + 20 * MINUTE_MS
    bad = [
        f"{opened},NaN,101,99,100,1,{opened + 59_999},,,,",
        f"{opened + MINUTE_MS},-100,101,99,100,1,{opened + MINUTE_MS + 59_999},,,,",
        f"{opened + 2 * MINUTE_MS},100,99,101,100,1,{opened + 2 * MINUTE_MS + 59_999},,,,",
    ]
    unordered = [*rows[10:20], *rows[:10]]
    write_csv(tmp_path / "BTCUSDT-1m.csv", [*unordered, *bad, rows[3], csv_rows(made_candles(count=24))[23]])
    packed = gzip.compress("\n".join([HEADER, *csv_rows(made_candles(count=3000, seed=1))]).encode())
    (tmp_path / "ETHUSDT-1m.csv.gz").write_bytes(packed[: len(packed) // 2])
    write_csv(tmp_path / "ADAUSDT-1m.csv", rows, header="date,o,h,l,c,v")
    write_csv(tmp_path / "NOTASYMBOL-1m.csv", rows)
    write_csv(tmp_path / "DOGEUSDT-1m.csv", csv_rows(made_candles(count=20, seed=2)))
    return tmp_path


def test_bad_input_is_told_by_file_and_line_and_the_good_rows_are_stored(
    db: None, bad_input: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        call_command("import_candles", bad_input)

    said = capsys.readouterr().err
    assert leaving.value.code == 1
    assert f"{bad_input}/BTCUSDT-1m.csv:22: quarantined: open is not a finite number" in said
    assert f"{bad_input}/BTCUSDT-1m.csv:23: quarantined: a price is zero or negative" in said
    assert f"{bad_input}/BTCUSDT-1m.csv:24: quarantined: high is below open, close or low" in said
    assert f"{bad_input}/ADAUSDT-1m.csv:1: wrong header 'date,o,h,l,c,v'; expected 'open_time_ms," in said
    assert f"{bad_input}/NOTASYMBOL-1m.csv: 'NOTASYMBOL' is not a symbol" in said
    cut = QuarantinedMessage.objects.get(file__contains="ETHUSDT")
    assert f"{bad_input}/ETHUSDT-1m.csv.gz:{cut.line}: quarantined: truncated" in said

    assert load_candles("BTCUSDT", 0, FOREVER).close[:20].tobytes() == made_candles(count=20).close.tobytes()
    assert Candle.objects.filter(symbol="DOGEUSDT").count() == 20
    assert Candle.objects.filter(symbol="ETHUSDT").count() == cut.line - 2 > 100
    assert not Candle.objects.filter(symbol__in=["ADAUSDT", "NOTASYMBOL"]).exists()
    assert not Symbol.objects.filter(name__in=["ADAUSDT", "NOTASYMBOL"]).exists()


def test_the_figures_count_what_was_odd(db: None, bad_input: Path) -> None:
    code, figures = run_import(bad_input)

    assert code == 1
    assert (figures["files"], len(figures["errors"])) == (3, 2)
    assert (figures["bad_rows"], figures["newly_quarantined"]) == (4, 4)
    assert (figures["duplicates"], figures["unordered"]) == (1, 11)
    assert figures["inserted"] == Candle.objects.count()


def test_a_second_import_adds_nothing(db: None, bad_input: Path) -> None:
    _, first = run_import(bad_input)
    before = list(Candle.objects.order_by("pk").values()), list(QuarantinedMessage.objects.values())
    gaps = list(CandleGap.objects.order_by("symbol", "start").values())

    _, second = run_import(bad_input)

    assert (second["inserted"], second["unchanged"]) == (0, first["inserted"])
    assert (second["bad_rows"], second["newly_quarantined"], second["explained_minutes"]) == (4, 0, 0)
    assert before == (list(Candle.objects.order_by("pk").values()), list(QuarantinedMessage.objects.values()))
    assert gaps == list(CandleGap.objects.order_by("symbol", "start").values())


def test_the_exit_code_tells_sound_from_quarantined(db: None, tmp_path: Path) -> None:
    sound = write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=3)))
    odd = write_csv(tmp_path / "ETHUSDT-1m.csv", [*csv_rows(made_candles(count=3)), "what is this"])

    assert run_import(sound)[0] == 0
    assert run_import(odd)[0] == 3


def test_a_path_that_is_not_there_ends_with_one_clear_line(db: None, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such file or directory"):
        call_command("import_candles", tmp_path / "nowhere")


def test_until_leaves_later_candles_out(db: None, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=30)))

    _, figures = run_import(path, until=to_datetime(MARCH_24 + 10 * MINUTE_MS))

    assert figures["inserted"] == 10
    assert load_candles("BTCUSDT", 0, FOREVER).open_ms[-1] == MARCH_24 + 9 * MINUTE_MS


def test_the_symbol_becomes_known_with_its_assets_and_its_first_minute(db: None, tmp_path: Path) -> None:
    run_import(write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=3))))
    earlier = made_candles(count=3, start_ms=MARCH_24 - 60 * MINUTE_MS)
    (tmp_path / "before").mkdir()

    run_import(write_csv(tmp_path / "before" / "BTCUSDT-1m.csv", csv_rows(earlier)))

    symbol = Symbol.objects.get(name="BTCUSDT")
    assert (symbol.base_asset, symbol.quote_asset, symbol.is_active) == ("BTC", "USDT", True)
    assert symbol.listed_at == to_datetime(MARCH_24 - 60 * MINUTE_MS)


def test_minutes_that_all_symbols_lack_are_an_outage_with_evidence(db: None) -> None:
    code, figures = run_import(OUTAGE)

    assert (code, figures["inserted"], figures["zero_volume"]) == (0, 320, 144)
    assert figures["explained_minutes_by_reason"] == {"exchange_outage": 160}
    gaps = list(CandleGap.objects.order_by("symbol"))
    assert [(gap.symbol, f"{gap.start:%H:%M}", f"{gap.end:%H:%M}", gap.reason) for gap in gaps] == [
        ("BTCUSDT", "12:40", "14:00", "exchange_outage"),
        ("ETHUSDT", "12:40", "14:00", "exchange_outage"),
    ]
    assert gaps[0].evidence == {
        "file": "BTCUSDT-1m.csv.gz",
        "before": {"open_time": "2023-03-24T12:39:00+00:00", "close": 28080.0, "volume": 0.0},
        "after": gaps[0].evidence["after"],
    }
    assert gaps[0].evidence["after"]["open_time"] == "2023-03-24T14:00:00+00:00"
    assert unexplained_gaps(["BTCUSDT", "ETHUSDT"], 0, MARCH_24 + 15 * 60 * MINUTE_MS) == []


def test_a_minute_that_one_symbol_lacks_is_not_an_outage(db: None, tmp_path: Path) -> None:
    write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=30, without=[10, 11, 12])))
    write_csv(tmp_path / "ETHUSDT-1m.csv", csv_rows(made_candles(count=30, without=[12, 13])))

    run_import(tmp_path)

    found = [
        (gap.symbol, gap.start.minute, gap.end.minute, gap.reason)
        for gap in CandleGap.objects.order_by("symbol", "start")
    ]
    assert found == [
        ("BTCUSDT", 10, 12, "source_has_no_candle"),
        ("BTCUSDT", 12, 13, "exchange_outage"),
        ("ETHUSDT", 12, 13, "exchange_outage"),
        ("ETHUSDT", 13, 14, "source_has_no_candle"),
    ]


def test_a_minute_lost_to_a_bad_row_is_explained_by_that_row(db: None, tmp_path: Path) -> None:
    rows = csv_rows(made_candles(count=10))
    rows[4] = rows[4].replace(",", ",NaN", 1)

    run_import(write_csv(tmp_path / "BTCUSDT-1m.csv", rows))

    (gap,) = CandleGap.objects.all()
    assert (gap.start.minute, gap.end.minute, gap.reason) == (4, 5, "row_quarantined")


def test_a_gap_whose_candles_come_in_later_is_forgotten(db: None, tmp_path: Path) -> None:
    run_import(write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=10, without=[4, 5]))))
    assert CandleGap.objects.count() == 1

    run_import(write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=10))))

    assert not CandleGap.objects.exists()
    assert Candle.objects.count() == 10


def test_an_endless_line_is_kept_as_its_beginning(db: None, tmp_path: Path) -> None:
    write_csv(tmp_path / "BTCUSDT-1m.csv", [*csv_rows(made_candles(count=2)), "9" * 1_000_000, "\x00\ud7ff"])

    run_import(tmp_path)

    assert Candle.objects.count() == 2
    assert sorted(len(row.payload) for row in QuarantinedMessage.objects.all()) == [5, LONGEST_PAYLOAD]


def test_an_interrupted_import_keeps_its_files_and_says_so(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ADAUSDT", "BTCUSDT", "ETHUSDT"):
        write_csv(tmp_path / f"{name}-1m.csv", csv_rows(made_candles(count=5)))
    # The operator's Ctrl-C, while the second file is being opened.
    opened: list[Path] = []
    really_open = Path.open

    def open_or_interrupt(path: Path, *args: Any, **options: Any) -> Any:
        opened.append(path)
        if path.name.startswith("BTCUSDT"):
            raise KeyboardInterrupt
        return really_open(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", open_or_interrupt)
        with pytest.raises(SystemExit) as leaving:
            call_command("import_candles", tmp_path)

    assert leaving.value.code == 130
    assert "interrupted after 1 files" in capsys.readouterr().err
    assert Candle.objects.values_list("symbol", flat=True).distinct().get() == "ADAUSDT"
    _, resumed = run_import(tmp_path)
    assert (resumed["inserted"], resumed["unchanged"]) == (10, 5)


class TestAnyOrder(TestCase):
    """A test case of its own, because each example needs its own transaction."""

    @settings(max_examples=20)
    @given(order=st.permutations(range(10)), repeated=st.lists(st.integers(0, 9), max_size=10))
    def test_any_order_and_repetition_of_rows_store_the_same(self, order: list[int], repeated: list[int]) -> None:
        candles = made_candles(count=10)
        rows = csv_rows(candles)
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "BTCUSDT-1m.csv"
            write_csv(path, [rows[i] for i in order] + [rows[i] for i in repeated])
            code, figures = run_import(path)

        assert (code, figures["inserted"], figures["duplicates"]) == (0, 10, len(repeated))
        assert load_candles("BTCUSDT", 0, FOREVER).close.tobytes() == candles.close.tobytes()
