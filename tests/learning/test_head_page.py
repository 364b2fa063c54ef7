"""The head report told: as JSON, as a table, as a page, and by the command."""

import json
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from ingestion.timeframes import MINUTE_MS
from learning.head_measures import LEAST_BLOCKS
from learning.head_page import page
from learning.head_report import HeadReport, as_json, plain
from learning.head_study import recordings
from learning.head_table import table
from signals.heads import HEADS
from tests.learning.made_up_heads import Named, coin_market, made_bars, report_of, right_with
from tests.signals.market import START_MS

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"


def two_headed(name: str = "made up", head: str = "good") -> HeadReport:
    long_r, draw = coin_market(1000, seed=12)
    votes = np.column_stack([right_with(0.6, long_r, draw), np.zeros(1000)])
    return report_of(made_bars(votes, long_r, days=30), [Named(head, "G"), Named("shy", "S")], name)


def test_what_is_not_known_is_null() -> None:
    assert plain({"a": float("nan"), "b": (np.array([1.0, np.inf]), "x")}) == {"a": None, "b": [[1.0, None], "x"]}
    found = as_json(two_headed())["timeframes"]["15m"]
    assert found["heads"][1]["figures"]["net_r"] == {
        **{"value": None, "n": 0, "ci_low": None, "ci_high": None, "joint_low": None, "joint_high": None}
    }
    assert found["correlation"][0][1] is None


def test_the_table_says_the_verdicts_the_base_and_how_much_was_looked_at() -> None:
    said = "\n".join(table(two_headed()))

    assert "good: an edge on this data" in said
    assert "shy: never voted here" in said
    assert "2 heads on 1 timeframe, three figures each that could become a verdict, 6 in all" in said
    assert "target 2 R, limit 96 bars" in said
    assert "30 blocks of one day" in said or "31 blocks of one day" in said


class Reader(HTMLParser):
    """The tags, links and words of a page; fails where tags do not close in order."""

    EMPTY = frozenset({"meta", "line", "circle", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_the_page_shows_every_head_with_its_verdict_and_needs_nothing_from_outside() -> None:
    report = two_headed()
    html = page(report)
    reader = read(html)
    words = " ".join(reader.words)

    for head in report.frames[0].heads:
        assert head.verdict.words in words
        assert words.count(head.name) >= 8
    assert report.caution() in words
    assert f"seed {report.frames[0].seed}" in words
    assert {"script", "link", "img", "iframe", "a"}.isdisjoint(reader.tags)
    assert {"src", "href", "xlink:href"}.isdisjoint(name for name, _ in reader.attributes)
    assert "http" not in html.replace("http-equiv", "")
    assert "url(" not in html
    assert reader.tags.count("svg") == 7 + 2
    assert "prefers-color-scheme: dark" in html
    assert "nan" not in " ".join(value or "" for _, value in reader.attributes)


def test_the_page_escapes_every_name() -> None:
    html = page(two_headed(name="<b>data</b>", head='<script>alert("x")</script>'))

    assert "<script" not in html
    assert "<b>data" not in html
    assert '<script>alert("x")</script>' in " ".join(read(html).words)


# --- the command ------------------------------------------------------------------------------------------------------


def called(*arguments: str) -> str:
    out = StringIO()
    call_command("heads", *arguments, stdout=out)
    return out.getvalue()


def files_of(*symbols: str) -> list[str]:
    return [str(RECORDING / f"{symbol}-1m.csv.gz") for symbol in symbols]


def test_the_command_prints_json_alone_and_writes_the_same_beside_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"

    printed = json.loads(called("--candles", *files_of("BTCUSDT", "ETHUSDT"), "--json", "--report", str(folder)))

    assert printed == json.loads((folder / "heads.json").read_text(encoding="utf-8"))
    assert list(printed) == ["data", "bracket", "costs", "method", "timeframes"]
    assert printed["data"][0]["symbols"] == ["BTCUSDT", "ETHUSDT"]
    frame = printed["timeframes"]["15m"]
    assert [head["name"] for head in frame["heads"]] == [head.name for head in HEADS]
    assert frame["bars"] > frame["labelled"] > 4000
    assert frame["blocks"] >= LEAST_BLOCKS
    by_name = {head["name"]: head for head in frame["heads"]}
    assert by_name["technical"]["figures"]["votes"] > 500
    assert by_name["technical"]["ms_per_1000_bars"] > 0
    assert "mood.fear_greed" in by_name["sentiment"]["verdict"]["words"]
    words = " ".join(read((folder / "heads.html").read_text(encoding="utf-8")).words)
    assert all(head["verdict"]["words"] in words for head in frame["heads"])


def test_the_command_tells_a_reader_the_verdicts() -> None:
    said = called("--candles", str(RECORDING), "--symbols", "BTCUSDT")

    assert "candles of BTCUSDT, 2021-06-10 13:36 to 2021-07-10" in said.splitlines()[0]
    assert all(f"\n{head.name}: " in said for head in HEADS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--candles", "nowhere/at/all"], "no such file or directory"),
        (
            ["--candles", *files_of("BTCUSDT"), "--symbols", "NOPEUSDT"],
            "no candle file for NOPEUSDT; there is: BTCUSDT",
        ),
        (["--candles", *files_of("BTCUSDT"), "--timeframes", "7m,15m"], "unknown timeframe 7m; name some of 1m, 5m"),
        (["--candles", *files_of("BTCUSDT"), "--timeframes", ","], "no timeframe named; name some of 1m, 5m"),
        (["--candles", *files_of("BTCUSDT"), "--timeframes", "1d"], "1d: no bar is ready: heads wait for 64 bars"),
        (["--candles", *files_of("BTCUSDT"), "--timeframes", "4h"], "4h: no bracket was followed to its end"),
        ([], "the following arguments are required: --candles"),
    ],
)
def test_nonsense_is_told_with_what_to_do(arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        called(*arguments)


def test_a_report_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")

    with pytest.raises(CommandError, match="cannot be written to"):
        called("--candles", *files_of("BTCUSDT"), "--report", str(tmp_path / "taken"))


def test_directories_are_recordings_of_their_own_and_must_not_hold_the_same_time_twice(tmp_path: Path) -> None:
    lines = "\n".join(
        f"{START_MS + row * MINUTE_MS},1,1,1,1,1,{START_MS + row * MINUTE_MS + 59_999},,,," for row in range(3)
    )
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "BTCUSDT-1m.csv").write_text(lines + "\n", encoding="utf-8")
    one, two = tmp_path / "one", tmp_path / "two"

    together = recordings([str(one), str(one / "BTCUSDT-1m.csv")], None)

    assert list(together) == [str(one)]
    assert len(together[str(one)]["BTCUSDT"]) == 3
    with pytest.raises(CommandError, match=r"one and .*two hold the same time of BTCUSDT; name one of them"):
        called("--candles", str(one), str(two))
    with pytest.raises(CommandError, match="one: no candle file for ETHUSDT"):
        called("--candles", str(one), str(two), "--symbols", "ETHUSDT")
