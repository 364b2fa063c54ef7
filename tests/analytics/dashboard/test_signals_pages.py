"""The pages of signals and shadows: what they list, what one decision's page says, and what it costs."""

from collections.abc import Iterator
from datetime import timedelta
from json import loads
from re import search
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings
from rest_framework.test import APIClient

from analytics.selectors.decisions import Wanted, neighbours
from analytics.selectors.kept import SHELF
from analytics.selectors.listed import summary
from analytics.templatetags.shown import DASH, MINUS, number, percent, signed
from ingestion.partitions import ensure_partitions
from tests.analytics import rows
from tests.analytics.dashboard.pages import said
from tests.analytics.test_invariants import candles

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LISTS = ("/signals/", "/shadows/")


@pytest.fixture(autouse=True)
def market(db: None) -> Iterator[None]:
    rows.market_clock()
    rows.symbol()
    rows.symbol("ETHUSDT")
    rows.version()
    rows.scan_close(rows.NOW)
    ensure_partitions("scan_history", rows.NOW - 40 * DAY, rows.NOW)
    SHELF.forget()
    yield
    SHELF.forget()


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def listed(client: Client, path: str = "/signals/", **query: Any) -> list[int]:
    return [row.pk for row in client.get(path, query).context["page_of"].rows]


def test_signals_are_listed_newest_first_with_links_to_their_pages(client: Client) -> None:
    older, newer = rows.signal(1.9, rows.NOW - 2 * DAY), rows.signal(None, rows.NOW - HOUR, entry=None)
    rows.shadow(-1.0)

    page = client.get("/signals/").content.decode()

    assert listed(client) == [newer.pk, older.pk]
    assert f'data-row href="/signals/{older.pk}/"' in page
    assert "+1.90" in page
    assert "102.00" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"symbol": "ETHUSDT"}, ["eth"]),
        ({"direction": "short"}, ["eth"]),
        ({"outcome": "open"}, ["open"]),
        ({"outcome": "target"}, ["won"]),
        ({"regime": "ranging"}, ["won"]),
        ({"timeframe": "1h"}, []),
        ({"since": "2021-07-09T12:00"}, ["open", "eth"]),
        ({"until": "2021-07-09 12:00"}, ["won"]),
        ({"since": "2021-07-09 12:00", "until": "2021-07-09 12:01"}, ["eth"]),
        ({"symbol": "", "outcome": ""}, ["open", "eth", "won"]),
    ],
)
def test_a_list_is_narrowed_by_its_form(client: Client, query: dict[str, str], found: list[str]) -> None:
    made = {
        "won": rows.signal(1.9, rows.NOW - 2 * DAY, regime=1),
        "eth": rows.signal(-1.1, rows.NOW - DAY, symbol="ETHUSDT", direction=-1),
        "open": rows.signal(None, rows.NOW - HOUR),
    }
    assert listed(client, **query) == [made[name].pk for name in found]


def test_shadows_are_narrowed_by_the_gate_that_refused(client: Client) -> None:
    rows.shadow(1.0)
    cooled = rows.shadow(1.0, rejection="cooldown")
    assert listed(client, "/shadows/", rejection="cooldown") == [cooled.pk]


def test_a_long_list_is_cut_by_a_cursor_and_every_row_comes_once(client: Client) -> None:
    # Several of one moment, on both sides of the cut.
    made = [rows.signal(1.0, rows.NOW - (step // 4) * HOUR).pk for step in range(60)]
    first = client.get("/signals/")
    older = client.get("/signals/" + first.context["page_of"].older)

    seen = [row.pk for answer in (first, older) for row in answer.context["page_of"].rows]

    assert sorted(seen) == sorted(made)
    assert (first.context["page_of"].newer, older.context["page_of"].older) == ("", "")
    assert listed(client, "/signals/" + older.context["page_of"].newer) == seen[:50]
    # An older page does not change by itself.
    assert (first.context["refresh"], older.context["refresh"]) == (5, 0)


def test_the_figures_of_signals_are_those_of_the_performance_endpoint(client: Client, anonymous: APIClient) -> None:
    for day, net_r in ((2, 1.9), (3, -1.1), (4, -1.0), (5, 1.8)):
        rows.signal(net_r, rows.NOW - day * DAY)
    rows.signal(9.0, rows.NOW - 60 * DAY)

    page = said(client, "/signals/")
    overall = anonymous.get("/api/learning/performance", {"period": "30d"}).json()["overall"]

    found = summary("signal", Wanted())
    assert found is not None
    assert found.figures["total_r"] == pytest.approx(1.6)
    assert (found.scope.since, found.scope.until) == (rows.NOW - 30 * DAY, rows.NOW)
    assert f"Win rate {percent(overall['win_rate'])} 95 %: {percent(overall['ci_low'])} to" in page
    assert f"Expectancy {signed(overall['expectancy_r'], 3)} R" in page
    assert "Total +1.6 R" in page
    assert "2 won, 2 lost" in page


def test_the_figures_of_shadows_are_those_of_the_rejection_endpoint(client: Client, anonymous: APIClient) -> None:
    for day, net_r in ((2, 1.9), (3, -1.1), (4, -1.0), (5, -1.2)):
        rows.shadow(net_r, rows.NOW - day * DAY)

    page = said(client, "/shadows/")
    analysis = anonymous.get("/api/learning/rejection-analysis", {"period": "30d"}).json()

    assert f"Refusing was right {percent(analysis['rejection_accuracy'])}" in page
    assert f"Avoided loss {number(analysis['avoided_loss_r'], 1)} R" in page
    assert f"Mean result {signed(analysis['rejection_statistics']['avg_r'], 3)} R" in page


def test_figures_follow_symbol_and_stretch(client: Client) -> None:
    rows.signal(1.9, rows.NOW - 2 * DAY)
    rows.signal(-1.1, rows.NOW - 2 * DAY, symbol="ETHUSDT")
    rows.signal(-1.1, rows.NOW - 9 * DAY)

    assert "Total +1.9 R" in said(client, "/signals/", symbol="BTCUSDT", since="2021-07-07 00:00")
    assert f"Total {MINUS}1.1 R" in said(client, "/signals/", symbol="ETHUSDT")


@pytest.mark.parametrize("path", LISTS)
def test_a_list_without_rows_says_so(client: Client, path: str) -> None:
    assert "yet: no" in said(client, path)
    assert "fits" in said(client, path, symbol="ETHUSDT")


def test_before_any_market_there_are_no_figures(client: Client) -> None:
    from alphapulse_site.models import MarketClock
    from signals.models import ScanClose

    ScanClose.objects.all().delete()
    MarketClock.objects.update(closed_until=None)
    assert client.get("/signals/").context["summary"] is None


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"symbol": "NOSUCH"}, "NOSUCH is not one of"),
        ({"direction": "up"}, "up is not one of"),
        ({"outcome": "lost"}, "lost is not one of"),
        ({"since": "soon"}, "Enter a valid date"),
        ({"since": "0001-01-01 00:00"}, "between 1970 and 2100"),
        ({"since": "2021-07-09 00:00", "until": "2021-07-08 00:00"}, "ends before it begins"),
        ({"cursor": "garbage"}, "not there"),
        ({"page_size": "many"}, "no page size"),
        ({"symbol": "BTC\x00"}, "is not one of"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(
    client: Client, path: str, query: dict[str, str], word: str
) -> None:
    answer = client.get(path, query)
    assert answer.status_code == 400
    assert word in answer.content.decode()


@pytest.mark.parametrize("kind", ["signal", "shadow"])
def test_a_decision_says_what_was_expected_and_what_happened(client: Client, kind: str) -> None:
    scan = rows.scan(rows.NOW - 3 * DAY)
    decision = getattr(rows, kind)(-1.15, scan_id=scan.scan_id, ambiguous=True, missing_minutes=2)

    page = said(client, f"/{kind}s/{decision.pk}/")

    assert f"Met its stop at 2021-07-07 13:00, 60 min after the decision: {MINUS}1.15 R net of costs" in page
    assert f"at best at +1.00 R and at worst at {MINUS}1.00 R" in page
    assert "touched in the same minute" in page
    assert "2 minutes of its life have no candle" in page
    assert "on the other side ended at its stop: +1.15 R" in page
    assert "Expected +0.10 R with a win chance of 40.0 %" in page


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"net_r": None, "entry": None}, "Not entered yet"),
        ({"net_r": None}, "Open: neither stop nor target was touched up to"),
        ({"net_r": 0.2, "outcome": "time"}, "Ran out of time and was closed at"),
        ({"net_r": None, "outcome": "void", "exit_at": rows.NOW}, "Void: it could not be entered or not be left"),
    ],
)
def test_every_end_has_its_sentence(client: Client, columns: dict[str, Any], words: str) -> None:
    assert words in said(client, f"/signals/{rows.signal(**columns).pk}/")


def test_the_votes_add_up_to_the_pool_as_the_api_says(client: Client, anonymous: APIClient) -> None:
    scan = rows.scan(rows.NOW - 3 * DAY)
    decision = rows.shadow(-1.0, scan_id=scan.scan_id)
    body = anonymous.get(f"/api/scans/{scan.scan_id}/").json()

    answer = client.get(f"/shadows/{decision.pk}/")
    page = said(client, f"/shadows/{decision.pk}/")

    assert [vote["contribution"] for vote in answer.context["scan"]["votes"]] == [
        vote["contribution"] for vote in body["votes"]
    ]
    for vote in body["votes"]:
        assert f"{signed(vote['contribution'], 4)} {signed(vote['evidence'], 4)} {number(vote['weight'], 4)}" in page
    assert f"the pool's log-odds {signed(body['pool']['log_odds'], 4)}" in page
    assert 'href="/learning/versions/head_weights/1/">version 1<' in answer.content.decode()
    assert f"({signed(body['pool']['intercept'], 4)}) {signed(body['pool']['win_log_odds'], 4)}" in page
    assert body["answer"] in page


def test_every_gate_stands_with_its_margin_and_unit(client: Client) -> None:
    scan = rows.scan(rows.NOW - 3 * DAY)
    page = said(client, f"/shadows/{rows.shadow(-1.0, scan_id=scan.scan_id).pk}/")

    assert f"quality refused {MINUS}0.0400 expected R above the threshold low quality" in page
    assert "consensus passed +0.0200 probability above the least one" in page
    assert f"cooldown passed {DASH} minutes since the tightest cooldown ended" in page


def test_a_decision_whose_scan_is_gone_says_so(client: Client) -> None:
    assert "not stored any more" in said(client, f"/signals/{rows.signal(1.0).pk}/")


def chart_of(client: Client, path: str) -> dict[str, Any]:
    found = search(r'<script id="path-data" type="application/json">(.*?)</script>', client.get(path).content.decode())
    assert found is not None
    chart: dict[str, Any] = loads(found.group(1))
    return chart


def test_the_chart_holds_the_candles_the_levels_and_the_moments(client: Client) -> None:
    candles(26 * 60)
    opened = rows.NOW - 10 * HOUR
    decision = rows.signal(-1.15, opened, entry=100.02)

    chart = chart_of(client, f"/signals/{decision.pk}/")

    assert [(level["title"], level["price"]) for level in chart["levels"]] == [
        ("entry", 100.02),
        ("stop", 99.0),
        ("target", 102.0),
    ]
    moment = int(opened.timestamp())
    # Ten hours of ten bars fit in bars of 5 minutes: the last one seen, the first one lived, the one that ended it.
    assert [(mark["text"], mark["time"] - moment) for mark in chart["markers"]] == [
        ("decision", -300),
        ("entry", 0),
        ("stop", 3300),
    ]
    assert chart["candles"][0] == [moment - 8 * 3600, 100.0, 101.0, 99.0, 100.0]
    assert chart["candles"][-1][0] == moment + 2 * 3600 - 300


def test_an_open_signal_is_drawn_to_the_market_clock(client: Client) -> None:
    candles(26 * 60)
    decision = rows.signal(None, rows.NOW - HOUR)
    chart = chart_of(client, f"/signals/{decision.pk}/")

    assert chart["candles"][-1][0] == int(rows.NOW.timestamp()) - 300
    assert [mark["text"] for mark in chart["markers"]] == ["decision", "entry"]
    assert client.get(f"/signals/{decision.pk}/").context["refresh"] == 5


def test_neighbours_are_those_of_the_list(client: Client) -> None:
    """Two of one moment among them: by number, as in the list."""
    made = [rows.signal(1.0, rows.NOW - at * HOUR) for at in (5, 4, 4, 3)]
    for place, decision in enumerate(made):
        found = neighbours(decision)
        assert found.earlier == (made[place - 1] if place else None)
        assert found.later == (made[place + 1] if place + 1 < len(made) else None)
    assert f'href="/signals/{made[2].pk}/"' in client.get(f"/signals/{made[1].pk}/").content.decode()


@pytest.mark.parametrize("path", ["/signals/{}/", "/shadows/{}/"])
@pytest.mark.parametrize("key", [987654, 10**30])
def test_what_nobody_decided_is_not_found(client: Client, path: str, key: int) -> None:
    assert client.get(path.format(key)).status_code == 404


@pytest.mark.parametrize("path", [*LISTS, "/signals/{}/"])
def test_in_production_nobody_reads_without_logging_in(
    client: Client, reader: User, settings: Settings, path: str
) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False
    path = path.format(rows.signal(1.0).pk)

    answer = client.get(path)
    client.force_login(reader)

    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next={path}")
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("kind", ["signal", "shadow"])
def test_a_list_costs_the_same_queries_however_long(client: Client, kind: str, settings: Settings) -> None:
    settings.ALPHAPULSE_KEPT_ANSWERS = 0
    made = [getattr(rows, kind)(1.0, rows.NOW - step * HOUR) for step in range(5)]
    few = queries(client, f"/{kind}s/")
    for step in range(45):
        getattr(rows, kind)(1.0, rows.NOW - step * HOUR)
    assert queries(client, f"/{kind}s/") == few <= 24
    assert queries(client, f"/{kind}s/{made[0].pk}/") <= 24
