"""What the ledger keeps of the decisions that a delisting left without a result."""

from datetime import timedelta

import pytest

from ingestion.models import Symbol
from learning import services
from learning.chains import verify_chain
from learning.models import LearningEvent
from signals.models import RejectedSignal, Signal, TrackedDecision
from signals.services import track
from tests.learning.outcomes import BEGAN, store_history

# When one of its brackets has ended on one side only, a second on the other, and a third on none.
DELISTED = BEGAN + timedelta(minutes=95)


def followed() -> list[TrackedDecision]:
    """The decisions on the symbol that was delisted in the middle of the history."""
    until = store_history()
    Symbol.objects.filter(name="ETHUSDT").update(delisted_at=DELISTED)
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    return [row for model in (Signal, RejectedSignal) for row in model._default_manager.filter(symbol="ETHUSDT")]


@pytest.mark.django_db
def test_an_event_with_a_side_that_was_left_void_is_void_and_keeps_the_other_sides_result() -> None:
    rows = followed()
    half_void = {row.scan_id: row for row in rows if "void" in (row.outcome, row.mirror_outcome)}
    services.append_outcomes()

    events = {event.scan_id: event for event in LearningEvent.objects.filter(symbol="ETHUSDT", kind="outcome")}

    assert {(row.outcome == "void", row.mirror_outcome == "void") for row in half_void.values()} == {
        (True, True), (True, False), (False, True),
    }  # fmt: skip
    assert all(events[scan_id].is_void for scan_id in half_void)
    results = {row.scan_id: (row.net_r, row.mirror_net_r) for row in rows}
    assert {scan_id: (event.net_r, event.mirror_net_r) for scan_id, event in events.items()} == results
    assert verify_chain() == []


@pytest.mark.django_db(transaction=True)
def test_the_nights_are_learned_without_them() -> None:
    followed()

    assert services.run_due_jobs() == 3
