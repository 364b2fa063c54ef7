"""The admin of signals and learning: every page opens, shows what it should, and changes nothing."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ingestion.partitions import ensure_partitions
from learning.models import LearningEvent, LearningState, RejectionLearningMetrics
from signals.models import Position, RejectedSignal, ScanHistory, Signal
from tests.analytics import rows

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MODELS = (
    *("signals/signal", "signals/rejectedsignal", "signals/decidedscan", "signals/position"),
    *("learning/learningstate", "learning/activelearningstate", "learning/learningevent"),
    "learning/rejectionlearningmetrics",
)


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def one_of_each(superuser: Client) -> dict[str, object]:
    """A row of every model, and its key."""
    rows.market_clock()
    rows.symbol()
    ensure_partitions("scan_history", rows.NOW - 20 * DAY, rows.NOW)
    signal, shadow = rows.signal(1.0), rows.shadow(-1.0, rows.NOW - HOUR)
    scan = rows.scan(rows.NOW - HOUR, shadow.scan_id)
    position = Position.objects.create(signal=signal, quantity=2, equity_before=10_000, opened_at=signal.opened_at)
    state = rows.version(notes="equal weights")
    event = rows.event(-1.0, rows.evidence(technical=0.5), scan_id=shadow.scan_id)
    counts = {"shadows": 1, "good": 1, "missed": 0, "neutral": 0, "void": 0, "regime": 0, "symbol": "BTCUSDT"}
    metrics = RejectionLearningMetrics.objects.create(
        day=rows.NOW.date(), timeframe="15m", reason="low_quality", sum_net_r=-1.0, sum_squared_net_r=1.0, **counts
    )
    keys = (signal.pk, shadow.pk, scan.scan_id, position.pk, state.pk, "head_weights", event.pk, metrics.pk)
    return dict(zip(MODELS, keys, strict=True))


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_pages_open(superuser: Client, one_of_each: dict[str, object], model: str) -> None:
    listed = superuser.get(f"/admin/{model}/")
    page = superuser.get(f"/admin/{model}/{one_of_each[model]}/change/")

    assert (listed.status_code, page.status_code) == (200, 200)
    assert b"1 " in listed.content


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_changed(superuser: Client, one_of_each: dict[str, object], model: str) -> None:
    key = one_of_each[model]

    assert superuser.get(f"/admin/{model}/add/").status_code == 403
    assert superuser.post(f"/admin/{model}/{key}/change/", {"symbol": "X"}).status_code == 403
    assert superuser.post(f"/admin/{model}/{key}/delete/", {"post": "yes"}).status_code == 403
    superuser.post(f"/admin/{model}/", {"action": "delete_selected", "_selected_action": [key], "post": "yes"})
    assert Signal.objects.get().symbol == "BTCUSDT"
    assert LearningEvent.objects.count() == LearningState.objects.count() == RejectedSignal.objects.count() == 1


def test_a_scan_page_shows_votes_gates_and_what_became_of_it(superuser: Client, one_of_each: dict[str, object]) -> None:
    page = superuser.get(f"/admin/signals/decidedscan/{one_of_each['signals/decidedscan']}/change/").content.decode()

    assert "No trade: the quality gate refused a long lean" in page
    assert "<td>technical</td><td>long</td><td>0.6000</td>" in page
    assert "<td>quality</td><td>no</td><td>-0.0400</td>" in page
    assert f"/admin/signals/rejectedsignal/{one_of_each['signals/rejectedsignal']}/change/" in page


def test_an_event_leads_to_its_decision_and_scan(superuser: Client, one_of_each: dict[str, object]) -> None:
    page = superuser.get("/admin/learning/learningevent/1/change/").content.decode()

    assert f"/admin/signals/decidedscan/{one_of_each['signals/decidedscan']}/change/" in page
    assert f"/admin/signals/rejectedsignal/{one_of_each['signals/rejectedsignal']}/change/" in page
    assert "<td>technical</td><td>0.5000</td>" in page


def test_an_undecided_scan_is_not_listed(superuser: Client, one_of_each: dict[str, object]) -> None:
    rows.scan(rows.NOW, rejection=None, passed=[])
    ScanHistory.objects.filter(close_time=rows.NOW).update(scan_id=None)

    assert superuser.get("/admin/signals/decidedscan/").context["cl"].result_count == 1


def test_lists_begin_with_the_newest_week_and_go_further_back_on_request(
    superuser: Client, one_of_each: dict[str, object]
) -> None:
    old = rows.signal(1.0, rows.NOW - 15 * DAY)

    assert f"/signal/{old.pk}/" not in superuser.get("/admin/signals/signal/").content.decode()
    assert f"/signal/{old.pk}/" in superuser.get("/admin/signals/signal/?last=30").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("rejection=low_quality", 1),
        ("rejection=cooldown", 0),
        ("outcome=stop", 1),
        ("symbol=BTCUSDT", 1),
        ("q=BTCUSDT", 1),
    ],
)
def test_filters_and_search_choose(superuser: Client, one_of_each: dict[str, object], query: str, found: int) -> None:
    assert superuser.get(f"/admin/signals/rejectedsignal/?{query}").context["cl"].result_count == found


@pytest.mark.parametrize("model", MODELS)
def test_no_list_counts_or_reads_a_whole_table(superuser: Client, one_of_each: dict[str, object], model: str) -> None:
    with CaptureQueriesContext(connection) as captured:
        superuser.get(f"/admin/{model}/?last=all", follow=True)

    statements = [
        query["sql"] for query in captured if f'"{model.split("/")[0]}' in query["sql"] or "COUNT" in query["sql"]
    ]
    assert statements
    assert not [sql for sql in statements if "COUNT(*)" in sql and "LIMIT" not in sql]
    assert not [sql for sql in statements if "DISTINCT" in sql]


VERSIONS = "/admin/learning/learningstate/"


def test_rolling_back_asks_first_and_makes_a_new_version(superuser: Client, one_of_each: dict[str, object]) -> None:
    first = LearningState.objects.get()
    rows.version(effective_from=rows.NOW - DAY, weights=rows.weights(0.3))
    asked = {"action": "roll_back", "_selected_action": [first.pk]}

    page = superuser.post(VERSIONS, asked).content.decode()
    before = LearningState.objects.count()
    superuser.post(VERSIONS, asked | {"confirmed": "yes"})

    assert "Put what version 1 of head_weights says in force again, from the next market minute on?" in page
    assert 'name="confirmed" value="yes"' in page
    assert before == 2
    newest = LearningState.objects.order_by("-version").first()
    assert newest is not None
    assert (newest.version, newest.content, newest.created_by) == (3, first.content, "rollback by root")


def test_pin_freeze_and_release_are_actions_too(superuser: Client, one_of_each: dict[str, object]) -> None:
    def act(action: str, version: int) -> str:
        chosen = LearningState.objects.get(version=version)
        asked = {"action": action, "_selected_action": [chosen.pk], "confirmed": "yes"}
        answer = superuser.post(VERSIONS, asked, follow=True)
        return " ".join(str(message) for message in answer.context["messages"])

    rows.version(effective_from=rows.NOW - DAY, weights=rows.weights(0.3))

    assert act("freeze", 1) == "Version 2 of the head weights is in force; choose that one."
    assert "held until released" in act("freeze", 2)
    assert "held already" in act("freeze", 3)
    assert "may move it again" in act("release", 3)
    assert "nothing is held" in act("release", 4)
    assert "Pinned to version 1" in act("pin", 1)
    made = LearningState.objects.filter(version__gt=2).order_by("version").values_list("created_by", flat=True)
    assert list(made) == ["freeze by root", "release by root", "pin by root"]


def test_a_version_page_tells_its_story(superuser: Client, one_of_each: dict[str, object]) -> None:
    page = superuser.get(f"{VERSIONS}{one_of_each['learning/learningstate']}/change/").content.decode()

    assert "<p>It is in force since the beginning.</p>" in page


def test_staff_without_the_right_cannot_roll_back(one_of_each: dict[str, object], operator: User) -> None:
    client = Client()
    client.force_login(operator)

    for action in ("roll_back", "pin", "freeze", "release"):
        key = LearningState.objects.get().pk
        client.post(VERSIONS, {"action": action, "_selected_action": [key], "confirmed": "yes"})

    assert LearningState.objects.count() == 1


@pytest.mark.parametrize(
    ("query", "found"),
    [({"reason": "cooldown"}, 1), ({"reason": "published"}, 1), ({"regime__exact": "2"}, 2), ({}, 3)],
)
def test_refusals_are_found_by_reason_regime_and_symbol(superuser: Client, query: dict[str, str], found: int) -> None:
    rows.symbol()
    counts = {"good": 1, "missed": 0, "neutral": 0, "void": 0, "sum_net_r": -1.0, "sum_squared_net_r": 1.0}
    for reason, regime in (("cooldown", 2), ("", 2), ("low_quality", 1)):
        RejectionLearningMetrics.objects.create(
            day=rows.NOW.date(), timeframe="15m", reason=reason, regime=regime, symbol="BTCUSDT", shadows=1, **counts
        )

    listed = superuser.get("/admin/learning/rejectionlearningmetrics/", {"symbol": "BTCUSDT", **query})

    assert listed.context["cl"].result_count == found
