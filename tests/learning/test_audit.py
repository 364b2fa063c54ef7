"""Every version can be made again from the ledger, to the byte; whoever rewrites either is found, and where."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from learning import ledger, services
from learning.audit import audit
from learning.by_hand import freeze, pin, release, rollback
from learning.models import ActiveLearningState, LearningEvent, LearningState
from learning.procedure import Procedure
from learning.versions import create_version, ensure_birth, made_with, version_hash
from signals.models import RejectedSignal, ScanClose, ScanHistory, Signal
from signals.services import track
from tests.learning.outcomes import store_history

GUARDED = {"learning_events": "append_only", "learning_state": "immutable"}


@pytest.fixture
def learned(db: None) -> None:
    """Two nights and a Sunday, learned as live does."""
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    assert services.run_due_jobs() == 3


@contextmanager
def unguarded() -> Iterator[None]:
    """The triggers off, as only the tables' owner can have them."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table, trigger in GUARDED.items():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        yield
        for table, trigger in GUARDED.items():
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")


def rewrite(rows: Any, **columns: Any) -> None:
    with unguarded():
        rows.update(**columns)


def chain_again(first: int) -> None:
    """The hash chain of the ledger made anew from an event on, as a careful forger would."""
    before = LearningEvent.objects.filter(sequence__lt=first).order_by("-sequence").first()
    previous = before.hash if before else ledger.GENESIS
    for event in LearningEvent.objects.filter(sequence__gte=first).order_by("sequence"):
        event.hash = previous = ledger.chain_hash(previous, event)
        rewrite(LearningEvent.objects.filter(pk=event.pk), hash=event.hash)


def hash_again(row: LearningState) -> None:
    """The hashes of a version and of all after it made anew."""
    parent = LearningState.objects.filter(state_type=row.state_type, version=row.version - 1).first()
    previous = parent.hash if parent else ""
    for each in LearningState.objects.filter(state_type=row.state_type, version__gte=row.version).order_by("version"):
        previous = version_hash(each, previous)
        rewrite(LearningState.objects.filter(pk=each.pk), hash=previous)


def head_weights(version: int) -> LearningState:
    return LearningState.objects.get(state_type="head_weights", version=version)


def an_outcome() -> LearningEvent:
    """The first of those that the second night learned from; the first night knew none."""
    assert (head_weights(2).event_count, head_weights(3).event_count > 0) == (0, True)
    return LearningEvent.objects.get(scan_id=head_weights(3).first_event)


def told(lines: list[str]) -> list[str]:
    """What the lines are about."""
    return [line.split(":")[0] for line in lines]


SECOND_NIGHT = "head_weights version 3 (2021-06-12)"


def test_what_was_learned_is_made_again(learned: None) -> None:
    found = audit()

    assert (found.differences, found.versions, found.replayed) == ([], 7, 7)


def test_acts_by_hand_are_made_again_too(learned: None) -> None:
    rollback(state_type="head_weights", version=1, by="ada")
    pin(version=2, by="ada")
    release(by="ada")
    freeze(by="ada")
    rollback(state_type="thresholds", version=1, by="ada")

    found = audit()

    assert (found.differences, found.versions, found.replayed) == ([], 12, 12)


def test_a_rewritten_outcome_breaks_the_chain_and_the_night_that_knew_it(learned: None) -> None:
    event = an_outcome()
    rewrite(LearningEvent.objects.filter(pk=event.pk), net_r=-9.5)

    broken, night = audit().differences

    assert broken.startswith(f"ledger event {event.sequence} does not have the hash of its content")
    assert told([night]) == [SECOND_NIGHT]


def test_a_rewritten_outcome_is_found_though_the_chain_was_made_anew(learned: None) -> None:
    event = an_outcome()
    rewrite(LearningEvent.objects.filter(pk=event.pk), net_r=-9.5)
    chain_again(event.sequence)

    [night] = audit().differences

    assert told([night]) == [SECOND_NIGHT]
    assert "events_digest" in night
    assert "procedure" in night


def test_an_outcome_that_cannot_be_learned_from_is_told_and_not_stumbled_over(learned: None) -> None:
    event = an_outcome()
    rewrite(LearningEvent.objects.filter(pk=event.pk), uniqueness=2.0)
    chain_again(event.sequence)

    [night] = [line for line in audit().differences if line.startswith(SECOND_NIGHT)]

    assert night.startswith(f"{SECOND_NIGHT} cannot be made again: learning event")
    assert "uniqueness must lie in (0, 1]" in night


def test_a_deleted_event_is_missed(learned: None) -> None:
    number = an_outcome().sequence
    with unguarded():
        LearningEvent.objects.filter(pk=number).delete()

    found = audit().differences

    assert found[0].startswith(f"the ledger has no event {number}")
    assert told(found[1:]) == [SECOND_NIGHT, "calibration version 2 (2021-W23)"]


def test_a_deleted_event_of_a_version_leaves_the_version_untold(learned: None) -> None:
    event = LearningEvent.objects.get(kind="rejection", detail__contains={"state_type": "head_weights", "version": 3})
    with unguarded():
        event.delete()

    assert "head_weights version 3: no event of the ledger tells of it" in audit().differences


def test_a_version_with_other_content_is_found_though_its_hash_was_made_anew(learned: None) -> None:
    row = head_weights(3)
    row.content["beta"][0] += 1e-15
    rewrite(LearningState.objects.filter(pk=row.pk), content=row.content)
    with_old_hash = audit().differences
    hash_again(row)

    assert with_old_hash[0].startswith("head_weights version 3 (rejected) does not have the hash of its content")
    assert audit().differences == [f"{SECOND_NIGHT}: content, hash"]


def test_a_memory_with_other_bytes_is_found(learned: None) -> None:
    row = head_weights(3)
    memory = Procedure.from_bytes(bytes(row.procedure or b"")).freeze()
    rewrite(LearningState.objects.filter(pk=row.pk), procedure=memory.to_bytes())
    hash_again(head_weights(3))

    assert audit().differences == [f"{SECOND_NIGHT}: procedure, hash"]


def test_a_birth_with_other_weights_is_found(learned: None) -> None:
    born = head_weights(1)
    born.content["beta"][3] = 0.9
    rewrite(LearningState.objects.filter(pk=born.pk), content=born.content)
    hash_again(born)

    assert "head_weights version 1: content differs from that of a birth" in audit().differences


def test_a_forged_rollback_is_found(learned: None) -> None:
    made = rollback(state_type="head_weights", version=1, by="ada")
    rewrite(LearningState.objects.filter(pk=made.pk), content=head_weights(3).content)
    hash_again(head_weights(made.version))

    assert audit().differences == [f"head_weights version {made.version}: content, hash"]


def test_a_version_that_nobody_told_of_is_found(learned: None) -> None:
    create_version("thresholds", content={"quality_r": -1.0}, status="challenger", created_by="somebody")

    assert audit().differences == ["thresholds version 3: no event of the ledger tells of it"]


def test_an_alarm_that_no_night_raised_is_found(learned: None) -> None:
    alone = LearningEvent(kind="drift", market_at=timezone.now(), detail={"words": "everything is different"})
    with transaction.atomic():
        ledger.take_ledger()
        ledger.append([alone])

    assert audit().differences == [f"ledger event {alone.sequence} is an alarm that no job of its time told"]


def test_a_mark_and_a_pointer_that_are_not_what_became_are_found(learned: None) -> None:
    LearningState.objects.filter(pk=head_weights(2).pk).update(status="archived")
    ActiveLearningState.objects.filter(state_type="head_weights").update(state=head_weights(3))

    assert audit().differences == [
        "head_weights version 2 (2021-06-11) never took effect and is marked archived",
        "head_weights: version 3 is pointed at, and version 1 was put in force last",
    ]


def test_what_another_release_made_is_taken_as_it_is(learned: None) -> None:
    row = head_weights(3)
    row.certificate["evidence"]["code_version"] = "night-0"
    row.content["beta"][0] = 0.5
    rewrite(LearningState.objects.filter(pk=row.pk), certificate=row.certificate, content=row.content)
    hash_again(row)
    pin(version=3, by="ada")

    found = audit()

    assert (found.differences, found.replayed) == ([], 7)
    assert found.not_replayed == {"made by other code": 1}
    assert made_with()["code_version"] != "night-0"


def test_a_week_whose_scans_are_gone_is_taken_as_it_is(learned: None) -> None:
    ScanClose.objects.update(scans=2)
    ScanHistory.objects.all().delete()

    found = audit()

    assert (found.differences, found.replayed) == ([], 5)
    assert found.not_replayed == {"its scans are no longer kept": 2}


def test_a_late_night_takes_effect_after_what_was_done_by_hand_meanwhile(db: None) -> None:
    until = store_history()
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(until)
    ensure_birth()
    made = rollback(state_type="thresholds", version=1, by="ada")
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    services.run_due_jobs()

    assert made.effective_from == until + timedelta(minutes=1)
    assert audit().differences == []


def test_the_command_tells_and_fails_where_something_differs(learned: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit")
    passed = capsys.readouterr().out
    rewrite(LearningEvent.objects.filter(pk=an_outcome().pk), net_r=-9.5)
    with pytest.raises(SystemExit, match="1"):
        call_command("audit", "--json")
    failed = json.loads(capsys.readouterr().out)

    assert "7 versions, 7 made again: 0 differences" in passed
    assert failed["replayed"] == 7
    assert len(failed["differences"]) == 2
