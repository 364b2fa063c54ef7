"""The page of rejections says what the selectors say, and every missing trade has an explanation."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from alphapulse_site.models import MarketClock
from analytics.selectors.kept import SHELF
from analytics.selectors.refused import MOST_SYMBOLS, refused
from analytics.selectors.scope import Scope
from analytics.templatetags.shown import MINUS, number, percent, signed
from ingestion.models import CandleGap, Symbol
from ingestion.partitions import ensure_partitions
from tests.analytics import rows
from tests.analytics.dashboard.pages import said
from tests.analytics.test_invariants import candles

DAY, HOUR, QUARTER = timedelta(days=1), timedelta(hours=1), timedelta(minutes=15)
WEEK = 7 * DAY
NAN = float("nan")


@pytest.fixture(autouse=True)
def market(db: None) -> Iterator[None]:
    rows.market_clock()
    rows.symbol()
    rows.symbol("ETHUSDT")
    rows.version()
    ensure_partitions("scan_history", rows.NOW - 40 * DAY, rows.NOW)
    SHELF.forget()
    yield
    SHELF.forget()


@pytest.fixture
def decided() -> None:
    """A close of five scans: one without a lean, three refused by three gates, one signal."""
    rows.scan_close(rows.NOW, scans=5, signals=1)
    scans: dict[str, dict[str, Any]] = {
        "AUSDT": {"lean": 0, "rejection": "no_consensus", "win_probability": None, "expected_r": None},
        "BUSDT": {"rejection": "no_consensus"},
        "CUSDT": {"rejection": "low_quality"},
        "DUSDT": {"rejection": "cooldown"},
        "EUSDT": {"rejection": ""},
    }
    for name, columns in scans.items():
        rows.scan(rows.NOW, symbol=name, **columns)


@pytest.fixture
def shadows() -> dict[str, Any]:
    """Two good rejections and two missed opportunities of two gates, symbols and regimes; signals beside them."""
    rows.scan_close(rows.NOW)
    rows.signal(1.9, rows.NOW - 2 * DAY)
    rows.signal(-1.1, rows.NOW - 3 * DAY)
    return {
        "lost": rows.shadow(-1.2, rows.NOW - 2 * DAY),
        "lost more": rows.shadow(-1.4, rows.NOW - 3 * DAY, "cooldown", symbol="ETHUSDT", regime=1),
        "won": rows.shadow(1.8, rows.NOW - 4 * DAY),
        "won more": rows.shadow(2.1, rows.NOW - 5 * DAY, "cooldown"),
    }


def test_the_funnel_narrows_from_scans_to_signals(client: Client, decided: None) -> None:
    steps = client.get("/rejections/", {"span": "1d"}).context["refused"].steps

    assert [(step.name, step.came, step.held) for step in steps] == [
        ("lean", 5, 1),
        ("data", 4, 0),
        ("consensus", 4, 1),
        ("quality", 3, 1),
        ("regime", 2, 0),
        ("cooldown", 2, 1),
        ("risk", 1, 0),
    ]
    assert steps[-1].left == 1
    page = said(client, "/rejections/", span="1d")
    assert "quality gate low quality 3 1 2" in page
    assert "5 scans at 1 closes" in page


def test_figures_are_those_of_the_rejection_endpoint(
    client: Client, anonymous: APIClient, shadows: dict[str, Any]
) -> None:
    body = anonymous.get("/api/learning/rejection-analysis", {"period": "7d"}).json()
    page = said(client, "/rejections/")

    assert f"Refusing was right {percent(body['rejection_accuracy'])}" in page
    assert f"Published above refused {signed(body['gate_value_r'], 3)} R" in page
    assert f"Avoided loss {number(body['avoided_loss_r'], 1)} R" in page
    assert f"Opportunity cost {number(body['opportunity_cost_r'], 1)} R" in page
    for reason, gate in body["by_reason"].items():
        if gate["count"]:
            value = f"{signed(gate['gate_value_r'], 3)} [{signed(gate['ci_low'], 3)}, {signed(gate['ci_high'], 3)}]"
            against = signed(gate["against_published_r"], 3)
            assert f"{reason.replace('_', ' ')} {value} n {gate['n']} {against}" in page


@pytest.mark.parametrize(("by", "keys"), [("regime", {"trending", "ranging"}), ("symbol", {"BTCUSDT", "ETHUSDT"})])
def test_gates_are_split_by_regime_and_symbol(client: Client, shadows: dict[str, Any], by: str, keys: set[str]) -> None:
    lines = client.get("/rejections/", {"by": by}).context["worths"].lines
    assert {line.key for line in lines} == keys
    assert sum(line.figures["count"] for line in lines) == 4


def test_best_and_worst_shadows_of_the_span_lead_to_their_pages(client: Client, shadows: dict[str, Any]) -> None:
    answer = client.get("/rejections/")
    found, page = answer.context["refused"], answer.content.decode()

    assert [row.pk for row in found.missed] == [shadows["won more"].pk, shadows["won"].pk]
    assert [row.pk for row in found.good] == [shadows["lost more"].pk, shadows["lost"].pk]
    assert f'data-row href="/shadows/{shadows["won more"].pk}/"' in page


def test_a_span_holds_what_matured_in_it(client: Client, shadows: dict[str, Any]) -> None:
    """The time limit of a lean is a day after its decision."""
    for span, count in (("1d", 1), ("7d", 4), ("30d", 4)):
        statistics = client.get("/rejections/", {"span": span}).context["refused"].analysis["rejection_statistics"]
        assert (span, statistics["matured"]) == (span, count - (span == "1d"))


def test_a_gate_that_costs_money_is_proposed_with_its_interval(client: Client, anonymous: APIClient) -> None:
    rows.scan_close(rows.NOW)
    for day in range(2, 22):
        for place in range(3):
            rows.shadow(1.5 + place / 10 + day / 100, rows.NOW - day * DAY - place * HOUR, "cooldown")
    advice = client.get("/rejections/", {"span": "30d"}).context["refused"].advice
    told = anonymous.get("/api/learning/recommendations", {"period": "30d"}).json()["recommendations"]

    assert advice
    assert [row["reason"] for row in advice] == [row["reason"] for row in told if row["type"] == "system_adjustment"]
    assert advice[0]["reason"].capitalize() in said(client, "/rejections/", span="30d")


def test_nothing_to_show_is_said_in_words(client: Client) -> None:
    rows.scan_close(rows.NOW, scans=0, signals=0)
    page = said(client, "/rejections/")
    assert "Nothing was scanned in this time" in page
    assert "No refused lean has matured" in page
    assert "No refused lean would have won" in page


def test_before_any_market_the_page_is_there(client: Client) -> None:
    MarketClock.objects.update(closed_until=None)
    assert "No market is followed yet" in said(client, "/rejections/")
    assert "No market is followed yet" in said(client, "/why/", symbol="BTCUSDT")


@pytest.mark.parametrize(
    ("path", "query", "word"),
    [
        ("/rejections/", {"span": "2y"}, "2y is not one of"),
        ("/rejections/", {"by": "mood"}, "mood is not one of"),
        ("/why/", {"symbol": "NOSUCH"}, "NOSUCH is not one of"),
        ("/why/", {"at": "2021-07-10 12:00"}, "required"),
        ("/why/", {"symbol": "BTCUSDT", "at": "noon"}, "Enter a valid date"),
        ("/why/", {"symbol": "BTCUSDT", "at": "9999-12-31 23:59"}, "between 1970 and 2100"),
        ("/why/", {"symbol": "BTCUSDT", "timeframe": "2m"}, "2m is not one of"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(
    client: Client, path: str, query: dict[str, str], word: str
) -> None:
    answer = client.get(path, query)
    assert answer.status_code == 400
    assert word in answer.content.decode()


def why(client: Client, at: datetime = rows.NOW, symbol: str = "BTCUSDT", **query: str) -> str:
    return said(client, "/why/", symbol=symbol, at=f"{at:%Y-%m-%dT%H:%M}", **query)


def test_why_not_is_asked_by_a_form_on_the_page_of_rejections(client: Client) -> None:
    page = client.get("/rejections/").content.decode()
    assert 'action="/why/"' in page
    assert '<option value="ETHUSDT">' in page


def test_a_refused_lean_is_explained_as_the_api_does(client: Client, anonymous: APIClient) -> None:
    scan = rows.scan(rows.NOW - HOUR)
    shadow = rows.shadow(-1.0, rows.NOW - HOUR, scan_id=scan.scan_id)
    body = anonymous.get("/api/scans/", {"symbol": "BTCUSDT", "at": f"{rows.NOW - HOUR:%Y-%m-%dT%H:%M:%SZ}"}).json()

    page = why(client, rows.NOW - HOUR + 14 * timedelta(minutes=1))

    assert body["answer"] in page
    assert f"the pool's log-odds {signed(body['pool']['log_odds'], 4)}" in page
    assert f"quality refused {MINUS}0.0400" in page
    assert f'href="/shadows/{shadow.pk}/"' in client.get("/why/", {"symbol": "BTCUSDT"}).content.decode()


def test_a_scan_without_a_lean_is_explained(client: Client) -> None:
    silent: dict[str, Any] = {
        "directions": [0] * 9,
        "probabilities": [NAN] * 9,
        "confidences": [NAN] * 9,
        "log_odds": 0.0,
    }
    ruled: dict[str, Any] = {"margins": [0.0] + [NAN] * 5, "passed": [True] + [False] * 5, "rejection": "no_consensus"}
    rows.scan(rows.NOW, lean=0, win_probability=None, expected_r=None, **silent, **ruled)
    page = why(client)
    assert "the votes leaned to neither side" in page
    assert "technical abstains" in page


def test_without_a_time_the_last_decided_close_is_explained(client: Client) -> None:
    rows.scan(rows.NOW - HOUR)
    newest = rows.scan(rows.NOW - QUARTER)
    rows.scan_close(rows.NOW - QUARTER)
    rows.scan_close(rows.NOW, decided=False)
    answer = client.get("/why/", {"symbol": "BTCUSDT"})
    assert answer.context["looked"].last.scan_id == newest.scan_id
    assert answer.context["looked"].obstacles == ()


def gap(start: datetime, end: datetime, status: str = "explained", reason: str = "halted") -> CandleGap:
    return CandleGap.objects.create(
        symbol="BTCUSDT", start=start, end=end, status=status, reason=reason, first_seen=rows.NOW, last_checked=rows.NOW
    )


def test_a_stale_scan_names_the_gap_that_made_it_so(client: Client) -> None:
    gap(rows.NOW - HOUR, rows.NOW - HOUR + 7 * timedelta(minutes=1), "filling", "")
    stale = [False, True, True, True, True, True]
    rows.scan(rows.NOW, missing_minutes=7, rejection="stale_data", passed=stale, margins=[-7.0, 0, 0, 1, 0, 0.5])

    page = why(client)

    assert "stale_data (margin -7: minus the missing minutes)" in page
    assert "2021-07-10 11:00 2021-07-10 11:07 filling" in page


def scanned(close: datetime = rows.NOW, symbols: tuple[str, ...] = ("BTCUSDT",)) -> None:
    rows.scan_close(rows.NOW - 20 * DAY)
    rows.scan_close(close, chunks=[list(symbols)])


def missing() -> None:
    """A minute of history long before, none near the close."""
    candles(5, rows.NOW - 2 * HOUR)


def not_listed() -> None:
    Symbol.objects.filter(pk="BTCUSDT").update(listed_at=rows.NOW + DAY)
    scanned(symbols=("ETHUSDT",))


def delisted() -> None:
    Symbol.objects.filter(pk="BTCUSDT").update(delisted_at=rows.NOW - DAY, is_active=False, trading_status="BREAK")
    scanned(symbols=("ETHUSDT",))


def halted() -> None:
    scanned()
    missing()
    gap(rows.NOW - HOUR, rows.NOW)


def warming() -> None:
    scanned()
    candles(60)


def undecided() -> None:
    rows.scan_close(rows.NOW - DAY)
    rows.scan_close(rows.NOW, decided=False)


def begun_later() -> None:
    rows.scan_close(rows.NOW + DAY)


def untouched() -> None:
    """Nothing was ever scanned."""


def passed_over() -> None:
    rows.scan_close(rows.NOW - DAY)


def nearly_warm() -> None:
    scanned()
    candles(3 * 24 * 60)


def unexplained() -> None:
    scanned()
    candles(11 * 24 * 60)


@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        (not_listed, ["was not listed yet: its first minute is 2021-07-11 12:00 UTC", "was not among the symbols"]),
        (delisted, ["was delisted at 2021-07-09 12:00 UTC", "the exchange calls it BREAK"]),
        (halted, ["No candle of BTCUSDT is stored for the 15m before", "the exchange had halted trading"]),
        (warming, ["A scan needs 512 bars of history and had 4: its candles begin at 2021-07-10 11:00 UTC"]),
        (undecided, ["This close is not decided yet"]),
        (begun_later, ["Scanning at 15m began with the close of 2021-07-11 12:00 UTC"]),
        (untouched, ["Nothing was ever scanned at 15m"]),
        (passed_over, ["This close was not scanned, for any symbol"]),
        (nearly_warm, ["A scan needs 512 bars of history and had 288"]),
        (unexplained, ["Nothing on record explains it"]),
    ],
)
def test_a_close_without_a_scan_says_what_kept_it_away(client: Client, arrange: Any, words: list[str]) -> None:
    arrange()
    page = why(client)
    assert "BTCUSDT has no scan at the 15m close of 2021-07-10 12:00" in page
    for sentence in words:
        assert sentence in page


def test_a_time_ahead_of_the_market_is_not_explained_away(client: Client) -> None:
    rows.scan(rows.NOW)
    page = why(client, rows.NOW + HOUR)
    assert "has not come yet: the market clock stands at 2021-07-10 12:00 UTC" in page
    assert "The last scan before: 2021-07-10 12:00" in page


def test_another_timeframe_is_asked_for_by_name(client: Client) -> None:
    rows.scan(rows.NOW)
    assert "Nothing was ever scanned at 1h; this system scans at 15m" in why(client, timeframe="1h")


@pytest.mark.parametrize("path", ["/rejections/", "/why/"])
def test_in_production_nobody_reads_without_logging_in(
    client: Client, reader: User, settings: Settings, path: str
) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False

    answer = client.get(path)
    client.force_login(reader)

    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={path}")
    assert client.get(path).status_code == 200


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_pages_cost_the_same_queries_however_much_was_refused(client: Client, settings: Settings) -> None:
    settings.ALPHAPULSE_KEPT_ANSWERS = 0
    for step in range(5):
        rows.shadow(1.0 - step % 3, rows.NOW - 2 * DAY - step * HOUR)
    few = queries(client, "/rejections/?by=symbol")
    for step in range(45):
        rows.shadow(1.0 - step % 3, rows.NOW - 2 * DAY - step * HOUR, symbol=f"S{step}USDT")
    assert queries(client, "/rejections/?by=symbol") == few <= 30
    rows.scan(rows.NOW)
    assert queries(client, "/why/?symbol=BTCUSDT") <= 30


def test_of_many_symbols_the_costliest_are_shown(client: Client) -> None:
    rows.scan_close(rows.NOW)
    for place in range(MOST_SYMBOLS + 3):
        rows.shadow(1.0 + place / 10, rows.NOW - 2 * DAY, symbol=f"S{place:02}USDT")
    worths = client.get("/rejections/", {"by": "symbol"}).context["worths"]

    assert [line.key for line in worths.lines] == [f"S{place:02}USDT" for place in range(MOST_SYMBOLS + 2, 2, -1)]
    assert f"the {MOST_SYMBOLS} of {MOST_SYMBOLS + 3} symbols" in said(client, "/rejections/", by="symbol")


def test_a_stretch_ends_with_the_last_decided_close(client: Client) -> None:
    rows.scan_close(rows.NOW - QUARTER)
    rows.scan_close(rows.NOW, decided=False)
    rows.shadow(-1.0, rows.NOW - DAY)

    found = client.get("/rejections/").context["refused"]

    assert found.scope == Scope(rows.NOW - QUARTER - WEEK, rows.NOW - QUARTER)
    assert found.analysis["avoided_loss_r"] is None
    assert refused(Scope(rows.NOW - WEEK, rows.NOW)).analysis["avoided_loss_r"] == 1.0
