"""Every signal has a shadow twin: equal however polls cut its life, and red when a stored result was touched."""

from datetime import timedelta

import pytest
from django.db.models import F

from alphapulse_site.models import JobRun
from learning import selectors, services
from learning.calendar import DAILY
from learning.config import Config
from learning.models import LearningState
from learning.promotion import Twins, judge_twins
from learning.signal_twins import twins_at
from signals.models import RejectedSignal, Signal
from signals.services import track
from tests.learning.outcomes import BEGAN, store_history

pytestmark = pytest.mark.django_db
CONFIG = Config(minimum_events=1.0)


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals and shadows polled every 157 minutes; a night needs little evidence."""
    monkeypatch.setattr(services, "CONFIG", CONFIG)
    until, at = store_history(), BEGAN
    while at < until:
        at = min(at + timedelta(minutes=157), until)
        for model in (Signal, RejectedSignal):
            track(model, until=at)


def nights() -> list[JobRun]:
    runs = [services.run_job(job) for job in selectors.due_jobs() if job.job == DAILY]
    return [run for run in runs if run is not None]


def test_twins_of_untouched_signals_agree_to_the_bit(followed: None) -> None:
    last = Signal.objects.latest("expires_at").expires_at
    matured = Signal.objects.exclude(outcome__in=("", "void")).filter(missing_minutes=0)

    assert twins_at(last, CONFIG) == Twins(matured.count(), 0.0, 1.0)
    assert matured.count() > 10


def test_a_signal_is_asked_once_its_time_limit_is_over_and_for_fourteen_days(followed: None) -> None:
    first = Signal.objects.earliest("expires_at")

    assert twins_at(first.expires_at - timedelta(minutes=1), CONFIG) is None
    assert twins_at(first.opened_at + timedelta(days=15), CONFIG) != twins_at(
        first.opened_at + timedelta(days=14), CONFIG
    )
    assert twins_at(first.opened_at + timedelta(days=40), CONFIG) is None


def test_what_is_void_or_has_a_gap_is_not_asked(followed: None) -> None:
    last = Signal.objects.latest("expires_at").expires_at
    before = twins_at(last, CONFIG)
    asked = Signal.objects.exclude(outcome__in=("", "void")).filter(missing_minutes=0).order_by("pk")
    Signal.objects.filter(pk=asked[0].pk).update(outcome="void", net_r=None)
    Signal.objects.filter(pk=asked[1].pk).update(missing_minutes=2)

    found = twins_at(last, CONFIG)

    assert before is not None
    assert found == Twins(before.count - 2, 0.0, 1.0)


def test_tampered_results_turn_it_red(followed: None) -> None:
    last = Signal.objects.latest("expires_at").expires_at
    Signal.objects.update(net_r=F("net_r") + 0.06)

    found = twins_at(last, CONFIG)

    assert found is not None
    assert found.mean_difference_r == pytest.approx(0.06)
    assert not judge_twins(found, CONFIG).passed


def test_a_flipped_result_in_ten_is_too_many(followed: None) -> None:
    last = Signal.objects.latest("expires_at").expires_at
    rows = list(Signal.objects.exclude(net_r=None).order_by("pk"))
    for row in rows[:: len(rows) // 3]:
        Signal.objects.filter(pk=row.pk).update(net_r=-F("net_r"))

    found = twins_at(last, CONFIG)

    assert found is not None
    assert found.agreement < 0.95
    assert not judge_twins(found, CONFIG).passed


def test_a_night_with_green_twins_says_so_and_learns(followed: None) -> None:
    run = nights()[-1]

    assert run.report["verdicts"]["twins"]["passed"]
    assert "twins differ by +0.000 R, agree in 100.0 %" in run.report["verdicts"]["twins"]["reason"]
    assert LearningState.objects.filter(state_type="head_weights", status="active").latest("version").version > 1


def test_a_night_with_red_twins_changes_nothing(followed: None) -> None:
    Signal.objects.update(net_r=F("net_r") + 1.0)

    run = nights()[-1]

    assert not run.report["verdicts"]["twins"]["passed"]
    drafted = LearningState.objects.filter(state_type="head_weights", version__gt=1, event_count__gt=0)
    assert [row.status for row in drafted] == ["rejected"] * len(drafted)
    assert all("twins differ by +1.000 R" in row.notes for row in drafted)
    assert len(drafted) > 0
    in_force = selectors.in_force("head_weights", Signal.objects.latest("expires_at").expires_at)
    assert in_force is not None
    assert in_force.version == 1
