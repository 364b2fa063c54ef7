"""After a decision was voided by hand, what was decided, learned and stored still certifies, audits and examines."""

from datetime import timedelta

import pytest
from django.core.management import call_command

from alphapulse_site.clock import market_now
from analytics.invariants import Moment, outcomes_are_once_and_in_time, outcomes_have_one_event
from ingestion.timeframes import TIMEFRAMES
from learning import ledger
from learning.audit import audit
from learning.certify import certify
from learning.models import LearningEvent
from learning.versions import create_version
from signals import services
from signals.configuration import rules
from signals.models import RejectedSignal, Signal, TrackedDecision
from tests.learning import aftermath
from tests.learning.conftest import LIVED_UNTIL, Lived

pytestmark = pytest.mark.django_db


def let_everything_pass() -> None:
    """From the next close on no lean is of too low a quality, so that there are open signals."""
    at = LIVED_UNTIL + timedelta(minutes=1)
    create_version("thresholds", content={"quality_r": -10.0}, status="active", effective_from=at, created_by="test")
    aftermath.live_on(1)


def voided(model: type[TrackedDecision]) -> TrackedDecision:
    """The newest decision that has no outcome yet, voided."""
    held = model._default_manager.filter(outcome="").order_by("-opened_at", "symbol")[0]
    services.void_decision(scan_id=held.scan_id, by="root", reason="entered on a price that nobody could trade at")
    held.refresh_from_db()
    return held


@pytest.mark.parametrize("model", [Signal, RejectedSignal])
def test_a_void_by_hand_is_certified_with_all_that_was_decided_after_it(
    lived: Lived, model: type[TrackedDecision], capsys: pytest.CaptureFixture[str]
) -> None:
    let_everything_pass()
    held = voided(model)
    aftermath.live_on(2, first=2)

    found = certify()

    assert (held.outcome, held.mirror_outcome, held.net_r, held.entry) == ("void", "void", None, None)
    assert (found.differences, found.unclear, found.voided_by_hand) == ([], [], 1)
    call_command("certify")
    assert "1 brackets were voided by hand" in capsys.readouterr().out


def test_a_void_that_nobody_recorded_is_a_difference(lived: Lived) -> None:
    held = RejectedSignal.objects.filter(outcome="").order_by("-opened_at", "symbol")[0]
    RejectedSignal.objects.filter(pk=held.pk).update(outcome="void", exit_at=market_now(), entry=None)

    assert any(str(held) in line and "outcome" in line for line in certify().differences)


def test_the_ledger_takes_it_as_void_and_audit_and_doctor_are_content(lived: Lived) -> None:
    held = voided(RejectedSignal)
    aftermath.live_on(2)
    now = market_now()
    assert now is not None

    ledger.append_outcomes(timeframe=TIMEFRAMES["15m"], until=now, rules=rules())

    event = LearningEvent.objects.get(scan_id=held.scan_id)
    assert (event.is_void, event.net_r, event.uniqueness) == (True, None, 1.0)
    assert audit().differences == []
    moment = Moment.read()
    assert (outcomes_are_once_and_in_time(moment).seen, outcomes_have_one_event(moment).seen) == ("", "")


def test_the_doctor_misses_a_void_that_was_taken_back(lived: Lived) -> None:
    held = voided(RejectedSignal)
    RejectedSignal.objects.filter(pk=held.pk).update(outcome="", exit_at=None, mirror_outcome="", mirror_exit_at=None)

    assert "1 leans voided by hand that are not void since then" in outcomes_are_once_and_in_time(Moment.read()).seen
