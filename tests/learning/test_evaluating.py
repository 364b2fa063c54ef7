"""The evaluation of real candles: no forecaster looks ahead, both paths are live's, and the command tells it all."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from ingestion.csv_format import load_recording
from ingestion.timeframes import TIMEFRAMES
from learning.calendar import DAY_MS
from learning.evaluating.page import page
from learning.evaluating.period import Period, distinct, joined, looked_at, walked
from learning.evaluating.report import as_json
from learning.evaluating.study import evaluate
from learning.evaluating.table import table
from learning.head_study import read_apart
from signals.configuration import rules
from tests.learning.test_head_page import read

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"
QUARTER = TIMEFRAMES["15m"]
SYMBOLS = ("BTCUSDT", "ETHUSDT")
FILES = [str(RECORDING / f"{symbol}-1m.csv.gz") for symbol in SYMBOLS]
DAY_18 = 18_796 * DAY_MS  # 2021-06-18


@pytest.fixture(scope="module")
def candles():
    return load_recording(FILES)


def period_until(candles, until_ms: int) -> Period:
    cut = {symbol: each.between(0, until_ms) for symbol, each in candles.items()}
    first_ms = min(int(each.open_ms[0]) for each in cut.values())
    found = walked(looked_at(cut, QUARTER, rules(), first_ms, until_ms))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def period(candles) -> Period:
    return period_until(candles, DAY_18 + 4 * DAY_MS)


@pytest.mark.slow
def test_candles_that_come_later_change_no_score_of_any_forecaster(candles, period) -> None:
    shorter = period_until(candles, DAY_18 + 2 * DAY_MS)

    for early, late in zip(shorter.paths.values(), period.paths.values(), strict=True):
        count = len(early.scans)
        assert 200 < count < len(late.scans)
        for name in type(early.scans).__dataclass_fields__:
            ours, theirs = getattr(early.scans, name), getattr(late.scans, name)[:count]
            assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), name
        assert list(early.rivals) == list(late.rivals)
        for name, said in early.rivals.items():
            assert np.array_equal(said, late.rivals[name][:count], equal_nan=True), name


def test_the_live_path_holds_the_decisions_of_a_learning_replay(period) -> None:
    out = StringIO()
    call_command("replay", "--candles", *FILES, "--to", "2021-06-22", "--learn", "--json", stdout=out)
    replayed = json.loads(out.getvalue())
    scans = period.live.scans

    matured = (scans.close_ms <= DAY_18 + 3 * DAY_MS).sum()
    assert matured == len(scans) < replayed["scans"]
    # What the replay decided beyond are the closes of the last day, which have not matured in the shorter candles.
    assert replayed["scans"] - len(scans) == len(SYMBOLS) * 96
    assert 0 < scans.signals.sum() <= replayed["signals"]


def test_until_the_gate_opens_the_live_path_leans_as_equal_weights_do(period) -> None:
    scans = period.live.scans
    rows = scans.side != 0

    assert (period.opened, period.nights) == (0, 6)
    assert (scans.side[rows] == np.sign(scans.evidence[rows].sum(axis=1))).all()
    assert (period.learner.scans.side != scans.side).any()


def test_a_scan_that_two_periods_hold_counts_once(period) -> None:
    once, twice = distinct([period, period])

    assert len(once.live.scans) == len(period.live.scans)
    assert not twice.live.scans.scored.any()
    assert not twice.counted.any()
    assert not any(len(trades) for trades in twice.trials.values())
    together = joined([once, twice])
    assert together.live.scans.scored.sum() == period.live.scans.scored.sum()


@pytest.fixture(scope="module")
def evaluation():
    found = read_apart(FILES[:1], None)
    return evaluate(found, QUARTER, rules(), until_ms=DAY_18 + 4 * DAY_MS, shuffles=2)


def test_the_page_tells_every_verdict_and_needs_nothing_from_outside(evaluation) -> None:
    html = page(evaluation)
    reader = read(html)
    words = " ".join(reader.words)

    assert all(verdict.words in words for verdict in evaluation.verdicts.values())
    assert evaluation.method in words
    assert {"script", "link", "img", "iframe", "a"}.isdisjoint(reader.tags)
    assert {"src", "href", "xlink:href"}.isdisjoint(name for name, _ in reader.attributes)
    assert "http" not in html
    assert reader.tags.count("svg") == 9
    assert "nan" not in " ".join(value or "" for _, value in reader.attributes)


def test_the_table_shows_both_paths_every_rival_and_gate_value_beside_rejection_accuracy(evaluation) -> None:
    said = "\n".join(table(evaluation))

    for name in ("equal weights", "base rate", "static fit", "moving average", "best single head", "learner"):
        assert f"log-loss minus {name}" in said
    assert "gate value R" in said
    assert "rejection accuracy" in said
    assert "19 trials" in said


def test_every_figure_has_its_sample_size_and_what_is_unknown_is_null(evaluation) -> None:
    found = json.loads(json.dumps(as_json(evaluation), allow_nan=False))

    figures = found["together"]["paths"]["live"]["figures"]
    for name in ("log_loss", "brier", "slope", "accept_rate", "win_rate", "lean_win_rate", "expectancy_r", "total_r"):
        assert set(figures[name]) == {"value", "n", "ci_low", "ci_high"}
    assert len(found["method"]["trials"]) == 19
    assert len(found["permutation"]["shuffled"]) == found["permutation"]["shuffles"] == 2
    assert found["verdict"]["live"]["kind"] == "too_short"
    assert len(found["daily"]["day"]) == found["together"]["days"]


# --- the command ------------------------------------------------------------------------------------------------------


def called(*arguments: str) -> str:
    out = StringIO()
    call_command("evaluate", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_prints_json_alone_and_writes_the_same_beside_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    arguments = ("--candles", FILES[0], "--to", "2021-06-18", "--permutations", "0", "--json", "--report", str(folder))

    printed = json.loads(called(*arguments))

    assert printed == json.loads((folder / "evaluate.json").read_text(encoding="utf-8"))
    assert printed["data"][0]["symbols"] == ["BTCUSDT"]
    assert printed["permutation"]["p_value"] is None
    words = " ".join(read((folder / "evaluate.html").read_text(encoding="utf-8")).words)
    assert printed["verdict"]["live"]["words"] in words


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--candles", "nowhere/at/all"], "no such file or directory"),
        (["--candles", FILES[0], "--symbols", "NOPEUSDT"], "no candle file for NOPEUSDT; there is: BTCUSDT"),
        (["--candles", FILES[0], "--from", "2021-07-01", "--to", "2021-06-01"], "--to lies before --from"),
        (["--candles", FILES[0], "--to", "2021-06-12"], "15m: nothing to score: a scan needs 512 bars"),
        (["--candles", FILES[0], "--from", "2022-01-01"], "15m: nothing to score"),
        (["--candles", FILES[0], "--permutations", "-1"], "'-1' is not a number of shuffles; give one from 0 to 9999"),
        (["--candles", FILES[0], "--permutations", "many"], "'many' is not a number of shuffles"),
        (["--candles", FILES[0], "--timeframe", "7m"], "invalid choice: '7m'"),
        ([], "the following arguments are required: --candles"),
    ],
)
def test_nonsense_is_told_with_what_to_do(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        called(*arguments)


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    short = ("--candles", FILES[0], "--to", "2021-06-17", "--permutations", "0")

    with pytest.raises(CommandError, match="cannot be written to"):
        called(*short, "--report", str(tmp_path / "taken"))
