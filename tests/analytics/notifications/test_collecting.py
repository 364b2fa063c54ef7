"""The outbox is filled from the tables: once a channel and event, by its wishes, and not with what is long past."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Count
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.models import Channel, Notification, UnwellSpell
from analytics.notifications import services
from analytics.notifications.collecting import collect
from analytics.notifications.delivering import link_of
from analytics.notifications.watching import note_unwell
from ingestion.partitions import ensure_partitions
from learning.models import LearningState
from tests.analytics import rows
from tests.analytics.notifications.conftest import MakeChannel

pytestmark = pytest.mark.django_db
JUST_NOW = rows.NOW - timedelta(minutes=15)


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    rows.market_clock()


def keys(**filters: Any) -> list[str]:
    return list(Notification.objects.filter(**filters).order_by("key").values_list("key", flat=True))


def look() -> int:
    return collect(now=timezone.now())


def test_a_signal_is_told_once_with_its_bracket_and_its_reasons(channel: MakeChannel) -> None:
    channel()
    rows.version()
    signal = rows.signal(None, JUST_NOW)
    ensure_partitions("scan_history", JUST_NOW, rows.NOW)
    rows.scan(JUST_NOW, signal.scan_id, rejection="")

    assert (look(), look()) == (1, 0)
    row = Notification.objects.get()
    assert (row.key, row.state, row.happened_at) == (f"signal:{signal.scan_id}", "pending", JUST_NOW)
    assert (row.payload["stop"], row.payload["target"]) == (99.0, 102.0)
    assert [head["direction"] for head in row.payload["reasons"]] == ["long"] * 3
    assert link_of(row) == f"https://pulse.example.org/signals/{signal.pk}/"


def test_history_that_was_learned_from_is_no_news(channel: MakeChannel) -> None:
    channel()
    rows.signal(None, JUST_NOW, source="bootstrap")
    rows.signal(1.0, JUST_NOW - timedelta(hours=1), source="bootstrap")

    assert look() == 0


def test_a_fresh_channel_hears_nothing_of_before(channel: MakeChannel) -> None:
    made = channel(market_since=None, seen_until=None)
    rows.signal(None, JUST_NOW)

    assert look() == 0
    made.refresh_from_db()
    assert (made.market_since, made.seen_until) == (rows.NOW, rows.NOW)


def test_an_outcome_found_late_is_told_after_a_newer_one(channel: MakeChannel) -> None:
    """Outcomes do not come in order of their exits: one waits for a gap to be filled."""
    channel(kinds=["outcome"])
    rows.signal(1.0, rows.NOW - timedelta(hours=2), exit_at=rows.NOW - timedelta(minutes=5))
    assert look() == 1
    late = rows.signal(-1.0, rows.NOW - timedelta(hours=9), exit_at=rows.NOW - timedelta(hours=8))

    assert (look(), look()) == (1, 0)
    assert f"outcome:{late.scan_id}" in keys()


@pytest.mark.parametrize(
    ("wish", "heard"),
    [
        ({}, True),
        ({"kinds": ["outcome"]}, False),
        ({"symbols": ["BTCUSDT"]}, True),
        ({"symbols": ["ETHUSDT"]}, False),
        ({"timeframes": ["1h"]}, False),
        ({"directions": [1]}, True),
        ({"directions": [-1]}, False),
        ({"minimum_expected_r": 0.1}, True),
        ({"minimum_expected_r": 0.11}, False),
    ],
)
def test_a_channel_hears_what_it_asked_for(channel: MakeChannel, wish: dict[str, Any], heard: bool) -> None:
    channel(**wish)
    rows.signal(None, JUST_NOW)

    assert look() == int(heard)


def test_a_late_start_tells_one_line_and_counts_each_event_once(channel: MakeChannel) -> None:
    channel(seen_until=rows.NOW - timedelta(days=5))
    # At sixty times the speed of life an hour on the wall is sixty of the market.
    old = [rows.signal(None, rows.NOW - timedelta(hours=61 + number), expires_at=rows.NOW) for number in range(3)]
    rows.signal(None, JUST_NOW)

    assert (look(), look()) == (5, 0)
    assert keys(state="suppressed") == sorted(f"signal:{signal.scan_id}" for signal in old)
    summary = Notification.objects.get(kind="summary")
    assert (summary.payload["counts"], summary.state) == ({"signal": 3}, "pending")
    assert Notification.objects.filter(kind="signal", state="pending").count() == 1


def test_versions_are_told_as_promoted_or_rolled_back(channel: MakeChannel) -> None:
    channel()
    rows.version(created_by="birth")
    rows.version(status="challenger", effective_from=None, created_by="nightly")
    rows.version(effective_from=JUST_NOW, created_by="nightly", period="2021-07-09", notes="The gate opened.")
    rows.version(effective_from=rows.NOW + timedelta(minutes=1), created_by="rollback by operator")

    assert look() == 2
    kinds = dict(Notification.objects.values_list("key", "kind"))
    assert kinds == {"version:head_weights:3": "version_promoted", "version:head_weights:4": "version_rolled_back"}
    promoted = Notification.objects.get(kind="version_promoted")
    assert any("The gate opened." in line for line in promoted.payload["story"])
    assert LearningState.objects.count() == 4
    assert link_of(promoted) == "https://pulse.example.org/learning/versions/head_weights/3/"


def test_a_check_that_fails_is_told_once_and_once_when_it_is_over(channel: MakeChannel) -> None:
    channel()
    now = timezone.now()
    for minute in range(4):
        note_unwell(unwell={"candles": f"{minute} min behind"}, now=now + timedelta(minutes=minute))
        collect(now=now + timedelta(minutes=minute))
    note_unwell(unwell={}, now=now + timedelta(minutes=4))
    for minute in range(4, 6):
        collect(now=now + timedelta(minutes=minute))

    spell = UnwellSpell.objects.get()
    assert keys() == [f"data_stale:{spell.pk}", f"data_stale:{spell.pk}:over"]
    begun = Notification.objects.get(key=f"data_stale:{spell.pk}")
    assert (begun.payload["seen"], begun.payload["until"]) == ("0 min behind", None)


def test_a_check_that_fails_for_a_moment_is_no_news(channel: MakeChannel) -> None:
    channel()
    now = timezone.now()
    note_unwell(unwell={"queue scan": "silent"}, now=now)
    note_unwell(unwell={}, now=now + timedelta(minutes=1))
    note_unwell(unwell={"queue scan": "silent"}, now=now + timedelta(minutes=2))

    assert collect(now=now + timedelta(minutes=3)) == 0
    assert UnwellSpell.objects.count() == 2


def test_a_real_run_notes_a_job_that_failed(channel: MakeChannel) -> None:
    rows.job_run("daily_learning", "2021-07-09", status="failed", error="ValueError: no")

    services.note_health(now=timezone.now())

    late = UnwellSpell.objects.get(name="daily_learning 2021-07-09")
    assert (late.is_data, late.seen) == (False, "its last run failed: ValueError: no")
    assert UnwellSpell.objects.filter(is_data=True, name="candles").exists()


def test_in_quiet_hours_all_but_the_urgent_waits_for_one_digest(channel: MakeChannel) -> None:
    quiet = {"quiet_since": "00:00", "quiet_until": "23:59"}
    channel("sleeper", urgent_at_night=True, **quiet)
    channel("deep-sleeper", urgent_at_night=False, **quiet)
    rows.signal(None, JUST_NOW)
    rows.signal(1.0, rows.NOW - timedelta(hours=3))
    now = timezone.now().replace(hour=12)
    note_unwell(unwell={"candles": "late"}, now=now - timedelta(minutes=10))

    collect(now=now)
    collect(now=now)

    held = {name: keys(channel__name=name, part_of__isnull=False) for name in ("sleeper", "deep-sleeper")}
    assert [len(held["sleeper"]), len(held["deep-sleeper"])] == [3, 4]
    digests = Notification.objects.filter(kind="digest")
    assert digests.count() == 2
    assert {digest.next_attempt_at for digest in digests} == {now.replace(hour=23, minute=59, second=0, microsecond=0)}


def test_two_lookers_at_once_write_one_row(channel: MakeChannel) -> None:
    """Whoever comes second finds the channel taken, or the key."""
    made = channel()
    rows.signal(None, JUST_NOW)
    look()
    Channel.objects.filter(pk=made.pk).update(seen_until=rows.NOW - timedelta(days=1))

    assert look() == 0
    assert Notification.objects.count() == 1


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.integers(1, 200), min_size=1, max_size=6),
    looks=st.lists(st.integers(0, 5), min_size=1, max_size=6),
    wish=st.sampled_from([["signal"], ["outcome"], ["signal", "outcome"]]),
)
def test_every_event_has_one_row_in_each_channel_that_wants_it(
    channel: MakeChannel, ages: list[int], looks: list[int], wish: list[str]
) -> None:
    """Whenever one looks, and whatever comes between."""
    Channel.objects.all().delete()
    rows.Signal.objects.all().delete()
    channels = [channel("some", kinds=wish), channel("all", kinds=["signal", "outcome"])]
    written = []
    for step in range(6):
        if step < len(ages):
            opened = rows.NOW - timedelta(minutes=ages[step])
            written.append(rows.signal(1.0 if ages[step] > 60 else None, opened))
        if step in looks:
            look()
    look()

    for made in channels:
        expected = {f"signal:{row.scan_id}" for row in written if "signal" in made.kinds}
        expected |= {f"outcome:{row.scan_id}" for row in written if "outcome" in made.kinds and row.outcome}
        assert set(keys(channel=made)) == expected
    again = Notification.objects.values("channel", "key").annotate(rows=Count("pk")).filter(rows__gt=1)
    assert list(again) == []
