"""Every page of the admin: it opens, keeps the content policy, costs the same for many rows, asks before it acts."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alphapulse_site.models import JobRun, ParkedTask
from analytics.access import OPERATORS, READERS
from ingestion.models import BackfillRun, CandleGap, CandleRevision, MarketFeed, QuarantinedMessage
from ingestion.partitions import ensure_partitions
from learning.models import LearningEvent, LearningState
from signals.models import Position, RejectedSignal, Signal, VoidedDecision
from tests.analytics import rows

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
OURS = ("alphapulse_site", "ingestion", "signals", "learning", "analytics")
MODELS = sorted((m for m in admin.site._registry if m._meta.app_label in OURS), key=lambda m: m._meta.label)
INLINE = re.compile(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)(?![^>]*application/json)", re.IGNORECASE)
# What grows with every close, every minute or every request.
LONG = ("signals", "rejected_signals", "scan_history", "learning_events", "candles", "market_feeds", "job_runs")


def address(model: type[Model], rest: str = "") -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rest}"


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def member(group: str) -> Client:
    """Of a group, and no staff."""
    user = User.objects.create(username=f"one of {group}")
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def fill(count: int, start: int = 0) -> None:
    """So many rows of everything that grows, of one symbol."""
    rows.symbol()
    ensure_partitions("scan_history", rows.NOW - 20 * DAY, rows.NOW + DAY)
    for number in range(start, start + count):
        at = rows.NOW - number * 15 * MINUTE
        signal, shadow = rows.signal(1.0, at), rows.shadow(-1.0, at)
        rows.scan(at, shadow.scan_id)
        rows.event(-1.0, rows.evidence(technical=0.5), at, scan_id=shadow.scan_id)
        rows.version()
        rows.job_run("learning.daily", str(number), finished_at=timezone.now())
        Position.objects.create(signal=signal, quantity=2, equity_before=10_000, opened_at=at)
        ParkedTask.objects.create(task_id=str(number), name="x", error="ValueError: x", parked_at=at)
        market(number, at)


def market(number: int, at: Any) -> None:
    span = {"symbol": "BTCUSDT", "start": at, "end": at + MINUTE}
    CandleGap.objects.create(**span, status="filling", first_seen=at, last_checked=at)
    BackfillRun.objects.create(**span, status="done", started_at=at)
    MarketFeed.objects.create(name=f"feed {number % 3}", symbol="", as_of=at, available_at=at, values=[1.0])
    QuarantinedMessage.objects.create(
        source="import", line=number, payload="x", payload_digest=str(number), reason="r", received_at=at
    )
    CandleRevision.objects.create(
        symbol="BTCUSDT", open_time=at, old_source="stream", new_source="rest", old_figures=[1.0] * 9,
        new_figures=[2.0] * 9,
    )  # fmt: skip


def queries(client: Client, path: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(path).status_code == 200
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_a_list_with_all_its_filters_and_a_page_of_it_keep_the_policy(superuser: Client, model: type[Model]) -> None:
    fill(2)
    listed = superuser.get(address(model))
    choices = listed.context["cl"].filter_specs
    pages = [listed]
    for spec in choices:
        for choice in list(spec.choices(listed.context["cl"]))[:4]:
            pages.append(superuser.get(address(model) + choice["query_string"]))
    if admin.site._registry[model].search_fields:
        pages.append(superuser.get(address(model, "?q=BTCUSDT"), follow=True))
    for row in model._default_manager.all()[:1]:
        pages.append(superuser.get(address(model, f"{row.pk}/change/")))
        pages.append(superuser.get(address(model, f"{row.pk}/history/")))

    assert [page.status_code for page in pages] == [200] * len(pages)
    assert [found.group() for page in pages if (found := INLINE.search(page.content.decode()))] == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_a_list_takes_as_many_queries_for_fifty_rows_as_for_five(superuser: Client, model: type[Model]) -> None:
    fill(5)
    few = queries(superuser, address(model))
    fill(45, start=5)

    many = queries(superuser, address(model))

    assert len(many) == len(few)
    assert len(few) <= 16


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.model_name)
def test_no_list_counts_or_sorts_out_a_whole_table(superuser: Client, model: type[Model]) -> None:
    fill(2)

    asked = [sql for sql in queries(superuser, address(model, "")) if any(f'"{table}"' in sql for table in LONG)]

    assert [sql for sql in asked if "COUNT(" in sql and "LIMIT" not in sql] == []
    assert [sql for sql in asked if "DISTINCT" in sql and "unnest" not in sql] == []


def test_the_length_of_a_table_is_told_as_the_planner_believes(superuser: Client) -> None:
    fill(3)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE signals")
        cursor.execute("ANALYZE scan_history")

    assert "About 3 in all" in superuser.get(address(Signal)).content.decode()
    assert "About 3 in all" in superuser.get("/admin/signals/decidedscan/").content.decode()


def test_a_day_is_chosen_with_the_days_beside_it(superuser: Client) -> None:
    inside, outside = rows.signal(1.0, rows.NOW - 3 * DAY), rows.signal(1.0, rows.NOW - 4 * DAY)

    page = superuser.get(address(Signal, f"?last={rows.NOW - 3 * DAY:%Y-%m-%d}")).content.decode()

    assert address(Signal, f"{inside.pk}/change/") in page
    assert address(Signal, f"{outside.pk}/change/") not in page
    assert all(f"?last={rows.NOW - days * DAY:%Y-%m-%d}" in page for days in (2, 4))
    assert superuser.get(address(Signal, "?last=9999-12-31")).status_code == 200


def test_the_front_page_lists_what_people_look_for_first_and_says_what_is_not_well(superuser: Client) -> None:
    page = superuser.get("/admin/").content.decode()

    names = ["Signals", "Shadows", "Scans", "Versions", "Learning events", "Symbols", "Gaps in candles", "Parked tasks"]
    places = [page.index(f">{name}</a>") for name in names]
    assert places == sorted(places)
    assert "metricss" not in page
    assert "not well: stream" in page


# --- who may do what --------------------------------------------------------------------------------------------------


def test_a_reader_sees_every_record_and_is_offered_nothing_to_do(db: None) -> None:
    fill(1)
    reader = member(READERS)
    seen = [model for model in MODELS if model._meta.app_label != "analytics"]

    pages = {model._meta.label: reader.get(address(model)) for model in seen}

    assert {page.status_code for page in pages.values()} == {200}
    assert not any('name="action"' in page.content.decode() for page in pages.values())
    assert reader.get("/admin/analytics/channel/").status_code == 403
    for model, act in ((LearningState, "roll_back"), (ParkedTask, "send_again"), (Signal, "void")):
        key = model._default_manager.first()
        assert key is not None
        reader.post(address(model), {"action": act, "_selected_action": [key.pk], "confirmed": "yes", "reason": "x"})
    assert (LearningState.objects.count(), VoidedDecision.objects.count()) == (1, 0)
    assert not ParkedTask.objects.exclude(retried_at=None).exists()


def test_somebody_of_no_group_does_not_enter(db: None, reader: User) -> None:
    client = Client()
    client.force_login(reader)

    assert client.get("/admin/").status_code == 302


def test_an_operator_is_asked_and_what_was_done_is_written_down_with_a_name(db: None) -> None:
    rows.market_clock()
    shadow = rows.shadow(None, rows.NOW - timedelta(hours=1), outcome="", mirror_outcome="")
    operator, asked = member(OPERATORS), {"action": "void", "_selected_action": [shadow.pk]}

    question = operator.post(address(RejectedSignal), asked).content.decode()
    without = operator.post(address(RejectedSignal), asked | {"confirmed": "yes", "reason": "  "}).content.decode()
    before = VoidedDecision.objects.count()
    operator.post(address(RejectedSignal), asked | {"confirmed": "yes", "reason": "a wrong price"})
    again = operator.post(address(RejectedSignal), asked, follow=True)

    assert "without a result, from now on in market time?" in question
    assert not INLINE.search(question)
    assert 'name="reason" required' in without
    assert before == 0
    told, log = VoidedDecision.objects.get(), LogEntry.objects.get()
    assert (told.by, told.reason) == (f"one of {OPERATORS}", "a wrong price")
    assert (log.user.get_username(), log.object_id) == (told.by, str(shadow.pk))
    assert "a wrong price" in log.get_change_message()
    assert f"was voided by {told.by} before" in again.content.decode()


def test_a_parked_task_is_sent_again_once(db: None, empty_broker: None) -> None:
    parked = ParkedTask.objects.create(
        task_id="1", name="signals.track_signals", error="ValueError: x", parked_at=timezone.now()
    )
    operator, asked = member(OPERATORS), {"action": "send_again", "_selected_action": [parked.pk]}

    question = operator.post(address(ParkedTask), asked).content.decode()
    done = operator.post(address(ParkedTask), asked | {"confirmed": "yes"}, follow=True).content.decode()
    again = operator.post(address(ParkedTask), asked | {"confirmed": "yes"}, follow=True).content.decode()

    assert "ValueError: x" in question
    assert "was sent again." in done
    assert f"was sent again by one of {OPERATORS} before" in again
    parked.refresh_from_db()
    assert parked.retried_by == f"one of {OPERATORS}"
    assert LogEntry.objects.count() == 1


def test_an_explained_gap_is_asked_for_again_once(db: None) -> None:
    at = rows.NOW
    gap = CandleGap.objects.create(
        symbol="BTCUSDT", start=at, end=at + MINUTE, status="explained", reason="halted", first_seen=at, last_checked=at
    )
    operator, asked = member(OPERATORS), {"action": "ask_again", "_selected_action": [gap.pk], "confirmed": "yes"}

    done = operator.post(address(CandleGap), asked, follow=True).content.decode()
    again = operator.post(address(CandleGap), asked, follow=True).content.decode()

    assert "the next gap check asks the exchange for it again" in done
    assert "wanted already" in again
    gap.refresh_from_db()
    assert gap.wanted_at is not None


def test_job_runs_are_found_by_job_without_reading_them_all(superuser: Client) -> None:
    rows.job_run("a", "1")
    rows.job_run("b", "1")

    assert superuser.get(address(JobRun, "?job=a")).context["cl"].result_count == 1
    assert "?job=b" in superuser.get(address(JobRun)).content.decode()


@pytest.mark.parametrize(
    ("model", "term", "asked"),
    [
        (RejectedSignal, "BTCUSDT", '"symbol" ='),
        (RejectedSignal, "7c9e6679-7425-40de-944b-e07fc1f90ae7", '"scan_id" ='),
        (LearningEvent, "12", '"sequence" ='),
        (LearningEvent, "7c9e6679-7425-40de-944b-e07fc1f90ae7", '"scan_id" ='),
    ],
)
def test_a_search_compares_one_column_with_its_own_kind(
    superuser: Client, model: type[Model], term: str, asked: str
) -> None:
    found = queries(superuser, address(model, f"?q={term}&last=all"))

    assert any(asked in sql for sql in found)
    assert not any("::varchar" in sql or "UPPER(" in sql for sql in found)


def test_an_id_is_found_whatever_the_filters_say(superuser: Client) -> None:
    early = rows.signal(1.0, rows.NOW - 15 * DAY)
    rows.signal(1.0)

    assert superuser.get(address(Signal, f"?q={early.scan_id}&outcome=stop")).context["cl"].result_count == 1


def test_a_long_list_is_sorted_only_by_what_an_index_gives_in_order(superuser: Client) -> None:
    fill(2)

    asked = queries(superuser, "/admin/signals/decidedscan/?o=-6")

    assert not any('ORDER BY "scan_history"."expected_r"' in sql for sql in asked)
    assert any('ORDER BY "scan_history"."close_time" DESC' in sql for sql in asked)
