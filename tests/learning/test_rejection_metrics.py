"""The daily table of refusals: counted once, when all of a day has matured, and the same whoever counts it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from learning.calendar import WEEK_MS, WEEKLY, DueJob
from learning.config import Config
from learning.lessons import Lesson, Memory
from learning.metrics import COLUMNS, store_rejection_metrics
from learning.models import RejectionLearningMetrics
from learning.refusals import FIGURES, Held, figures_until
from learning.services import report_of
from signals.models import RejectedSignal, Signal
from signals.rows import to_ms
from tests.analytics import refusals, rows

pytestmark = pytest.mark.django_db

MIDNIGHT = datetime(2021, 7, 10, tzinfo=UTC)
DAY = timedelta(days=1)


def table() -> list[tuple[Any, ...]]:
    """All rows with every bit, in the order of their keys."""
    return sorted(RejectionLearningMetrics.objects.values_list(*COLUMNS), key=repr)


@pytest.fixture
def decided() -> None:
    refusals.random_decisions(seed=5, days=8, count=500, until=MIDNIGHT + DAY / 2)


def test_the_table_is_what_plain_loops_count(decided: None) -> None:
    added = store_rejection_metrics(until=MIDNIGHT)

    stored = {(row.day, row.reason, row.regime, row.symbol): row for row in RejectionLearningMetrics.objects.all()}
    last_day = (MIDNIGHT - 2 * DAY).date()
    known = refusals.by_day(
        row for row in refusals.matured(MIDNIGHT - 20 * DAY, MIDNIGHT + DAY) if row.opened_at.date() <= last_day
    )
    assert set(stored) == set(known)
    assert added == len(known) > 100
    for key, decisions in known.items():
        counted = refusals.figures(decisions)
        # To the bit: sums run in the order of time, and so do these.
        assert {name: getattr(stored[key], name) for name in FIGURES} == {name: counted[name] for name in FIGURES}
        assert stored[key].matured_at == max(row.expires_at for row in decisions)


def test_what_refusing_cost_less_what_it_saved_is_the_sum(decided: None) -> None:
    store_rejection_metrics(until=MIDNIGHT)

    for row in RejectionLearningMetrics.objects.all():
        assert row.opportunity_cost_r is not None
        assert row.avoided_loss_r is not None
        assert row.opportunity_cost_r - row.avoided_loss_r == pytest.approx(row.sum_net_r)
        assert row.good + row.missed + row.neutral + row.void == row.shadows


def test_a_second_count_adds_nothing(decided: None) -> None:
    store_rejection_metrics(until=MIDNIGHT)
    first = table()

    assert store_rejection_metrics(until=MIDNIGHT) == 0
    assert table() == first


def test_night_by_night_is_the_same_as_all_at_once_wherever_the_rows_lie(decided: None) -> None:
    for nights in range(8, -1, -1):
        store_rejection_metrics(until=MIDNIGHT - nights * DAY)
    one_by_one = table()
    RejectionLearningMetrics.objects.all().delete()
    # Every update moves a row to another place in the table.
    RejectedSignal.objects.filter(symbol="ETHUSDT").update(ambiguous=True)
    Signal.objects.filter(regime=2).update(ambiguous=True)

    store_rejection_metrics(until=MIDNIGHT)

    assert table() == one_by_one


def test_a_day_waits_until_its_last_lean_has_matured() -> None:
    rows.shadow(-1.0, MIDNIGHT - 2 * DAY)
    rows.signal(2.0, MIDNIGHT - DAY - timedelta(minutes=15))

    assert store_rejection_metrics(until=MIDNIGHT - timedelta(minutes=16)) == 0
    assert store_rejection_metrics(until=MIDNIGHT) == 2


def test_a_day_waits_for_a_lean_that_no_candle_has_resolved_and_the_next_day_does_not() -> None:
    stuck = rows.shadow(None, MIDNIGHT - 3 * DAY)
    rows.shadow(-1.0, MIDNIGHT - 3 * DAY, "cooldown")
    rows.shadow(-1.0, MIDNIGHT - 2 * DAY)

    assert store_rejection_metrics(until=MIDNIGHT) == 1
    RejectedSignal.objects.filter(pk=stuck.pk).update(outcome="stop", net_r=-1.1, net_pct=-1.0)
    assert store_rejection_metrics(until=MIDNIGHT) == 2
    assert set(RejectionLearningMetrics.objects.values_list("day", flat=True)) == {date(2021, 7, 7), date(2021, 7, 8)}


def test_the_day_of_the_cut_off_is_never_counted() -> None:
    opened = MIDNIGHT + timedelta(hours=1)
    rows.shadow(-1.0, opened, expires_at=opened + timedelta(hours=2))

    assert store_rejection_metrics(until=MIDNIGHT + DAY / 2) == 0


def test_rows_of_before_stay_and_their_day_is_not_counted_again() -> None:
    rows.shadow(-1.0, MIDNIGHT - 3 * DAY)
    counts = {"shadows": 1, "good": 1, "missed": 0, "neutral": 0, "void": 0, "sum_net_r": -1.0, "sum_squared_net_r": 1}
    former = RejectionLearningMetrics.objects.create(
        day=(MIDNIGHT - 3 * DAY).date(), timeframe="15m", reason="low_quality", **counts
    )

    assert store_rejection_metrics(until=MIDNIGHT) == 0
    assert str(former) == "2021-07-07 15m low_quality, all together"
    assert Held.around(MIDNIGHT - 9 * DAY, MIDNIGHT).inside == []


def test_the_database_refuses_a_second_row_of_the_same_keys() -> None:
    keys = {"day": MIDNIGHT.date(), "timeframe": "15m", "reason": "cooldown", "regime": None, "symbol": ""}
    counts = dict.fromkeys(("shadows", "good", "missed", "neutral", "void", "sum_net_r", "sum_squared_net_r"), 0)
    RejectionLearningMetrics.objects.create(**keys, **counts)

    with pytest.raises(IntegrityError), transaction.atomic():
        RejectionLearningMetrics.objects.create(**keys, **counts)


# --- the weekly report ------------------------------------------------------------------------------------------------


def weekly_report(cut_off: datetime) -> dict[str, Any]:
    job = DueJob(to_ms(cut_off), WEEKLY)
    return report_of(Lesson(job, Memory.at_birth(Config()), (), {"outcomes_analyzed": 0}))


@pytest.fixture
def costly_gate() -> datetime:
    """Twenty days in which what the cooldown refused would have paid; returns the Sunday after them at two."""
    sunday = datetime(2021, 7, 11, 2, tzinfo=UTC)
    for step in range(3 * 20):
        at = MIDNIGHT - DAY - step * timedelta(hours=8, minutes=15)
        rows.shadow(1.9 if step % 4 else -1.1, at, "cooldown", symbol=refusals.SYMBOLS[step % 3])
        rows.shadow(-1.1 if step % 4 else 1.9, at, "low_quality")
    store_rejection_metrics(until=sunday.replace(hour=0))
    return sunday


def test_the_weekly_report_holds_what_the_table_proposes(costly_gate: datetime) -> None:
    proposals = weekly_report(costly_gate)["proposals"]

    assert (proposals[0]["kind"], proposals[0]["reason"]) == ("gate", "cooldown")
    assert all(row["ci_low"] > 0 and row["reason"] == "cooldown" for row in proposals)


def test_a_week_learned_late_proposes_what_it_would_have_proposed_then(costly_gate: datetime) -> None:
    then = weekly_report(costly_gate)
    for step in range(9):
        rows.shadow(-30.0, costly_gate + step * timedelta(hours=8), "cooldown")
    store_rejection_metrics(until=costly_gate + timedelta(days=9))

    assert weekly_report(costly_gate) == then
    assert weekly_report(costly_gate + timedelta(milliseconds=WEEK_MS)) != then


def test_figures_reach_ninety_days_back(costly_gate: datetime) -> None:
    rows.shadow(1.0, MIDNIGHT - 120 * DAY)
    store_rejection_metrics(until=MIDNIGHT)

    assert RejectionLearningMetrics.objects.filter(day__lt=MIDNIGHT - 100 * DAY).exists()
    assert figures_until(MIDNIGHT).total("shadows") == 120
