"""Each outcome is learned from once, however often, in whatever order and by however many it is delivered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from alphapulse_site.models import JobRun
from learning import services
from learning.calendar import DAILY, DAY_MS, DueJob
from learning.chains import verify_chain
from learning.daily import teach_night
from learning.events import join
from learning.lessons import Memory
from learning.models import LearningEvent, LearningState
from learning.procedure import Procedure
from learning.versions import ensure_birth
from signals.models import RejectedSignal, Signal
from signals.services import track
from tests.at_once import run_at_once
from tests.learning.ledgers import HEADS, changed, ledger
from tests.learning.outcomes import SYMBOLS, store_history

DELIVER = f"""
import random
from learning import services
from signals.models import RejectedSignal, Signal
from signals.rows import to_time
from signals.services import track

until = to_time(UNTIL_MS)
deliveries = [(model, symbol) for model in (Signal, RejectedSignal) for symbol in {SYMBOLS!r}] * 3
random.Random(number).shuffle(deliveries)
for model, symbol in deliveries:
    track(model, until=until, symbols=[symbol])
    services.append_outcomes()
"""
LEARN = """
import time
from learning import services
answer = 0
for _ in range(3):
    services.append_outcomes()
    answer += services.run_due_jobs()
    time.sleep(0.01 * number)
"""


def learned() -> dict[str, list[dict[str, Any]]]:
    """Versions and outcomes without wall-clock times, hashes and numbers that follow the order of arrival."""
    versions = LearningState.objects.order_by("state_type", "version").values()
    unlike = {"id", "created_at", "state_id"}
    events = LearningEvent.objects.filter(kind="outcome").order_by("scan_id").values()
    arrival = {"sequence", "hash", "recorded_at", "market_at"}
    return {
        "versions": [_without(row, unlike) for row in versions],
        "events": [_without(row, arrival) for row in events],
    }


def _without(row: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    plain = {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
    return {name: value for name, value in plain.items() if name not in names}


def alone() -> dict[str, list[dict[str, Any]]]:
    """What one process makes of the history, which is wiped after it."""
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    assert services.run_due_jobs() == 3
    found = learned()
    call_command("flush", interactive=False, verbosity=0)
    return found


@pytest.mark.django_db(transaction=True)
def test_outcomes_delivered_three_times_by_four_processes_are_learned_once(
    process_environment: dict[str, str],
) -> None:
    expected = alone()
    until = store_history()

    run_at_once(DELIVER.replace("UNTIL_MS", str(int(until.timestamp() * 1000))), process_environment)
    ran = run_at_once(LEARN, process_environment)

    decisions = {row.scan_id for model in (Signal, RejectedSignal) for row in model.objects.all()}
    told = list(LearningEvent.objects.filter(kind="outcome").values_list("scan_id", flat=True))
    assert len(told) == len(set(told)) == len(decisions)
    assert set(told) == decisions
    assert learned() == expected
    assert LearningState.objects.filter(state_type="head_weights").count() == 3
    assert sum(ran) == JobRun.objects.filter(status="done").count() == 3
    sequence = list(LearningEvent.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequence == list(range(1, len(sequence) + 1))
    assert verify_chain() == []


@pytest.mark.django_db
def test_an_outcome_waits_for_those_it_overlaps_with() -> None:
    until = store_history()
    track(Signal, until=until)
    services.append_outcomes()
    early = list(LearningEvent.objects.all())

    track(RejectedSignal, until=until)
    services.append_outcomes()

    assert len(early) < Signal.objects.count()
    for event in early:
        span = {"opened_at__lt": event.ended_at, "expires_at__gt": event.decided_at}
        assert not RejectedSignal.objects.filter(symbol=event.symbol, **span).exists()
    assert LearningEvent.objects.count() == Signal.objects.count() + RejectedSignal.objects.count()


@pytest.mark.django_db(transaction=True)
def test_an_outcome_is_told_only_when_both_sides_have_ended() -> None:
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    told = services.append_outcomes()
    again = services.append_outcomes()

    assert told == Signal.objects.count() + RejectedSignal.objects.count()
    assert again == 0
    for event in LearningEvent.objects.all():
        model = Signal if event.is_signal else RejectedSignal
        ends = model.objects.filter(scan_id=str(event.scan_id)).values_list("exit_at", "mirror_exit_at").get()
        assert event.ended_at == max(filter(None, ends))


@pytest.mark.django_db(transaction=True)
def test_a_crash_between_the_outcome_and_the_ledger_loses_nothing() -> None:
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    with transaction.atomic():
        assert services.append_outcomes() > 0
        transaction.set_rollback(True)
    assert not LearningEvent.objects.exists()

    told = services.append_outcomes()

    assert told == Signal.objects.count() + RejectedSignal.objects.count()
    assert verify_chain() == []


@pytest.mark.django_db(transaction=True)
def test_a_night_run_again_makes_no_second_version() -> None:
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    services.run_due_jobs()
    before = learned()

    assert services.run_due_jobs() == 0
    assert learned() == before


@pytest.mark.django_db(transaction=True)
def test_nights_that_are_made_up_say_how_late_they_began(caplog: pytest.LogCaptureFixture) -> None:
    """The market went on for days before anybody learned."""
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)

    services.run_due_jobs()

    runs = list(JobRun.objects.order_by("due_at"))
    assert [run.lateness for run in runs] == [until - run.due_at for run in runs if run.due_at]
    late = [run for run in runs if (run.lateness or services.ON_TIME) > services.LATE]
    assert late
    assert caplog.text.count("was made up") == len(late)


def test_contradicting_rows_are_told_to_whoever_reads_the_log(caplog: pytest.LogCaptureFixture) -> None:
    told = ledger(40)
    lie = changed(told.rows(slice(7, 8)), won_long=~told.won_long[7:8])
    night = DueJob(8 * DAY_MS, DAILY)
    memory = replace(Memory.at_birth(services.CONFIG), procedure=Procedure.at_birth(HEADS, services.CONFIG))

    lessons = [teach_night(night, memory, events, services.CONFIG) for events in (told, join([told, lie]))]
    for lesson in lessons:
        services.report_conflicts(lesson)

    key = told.key[7].decode()
    assert [lesson.report["conflicts"] for lesson in lessons] == [[], [key, key]]
    assert [(record.levelname, key in record.getMessage()) for record in caplog.records] == [("ERROR", True)]


@pytest.mark.django_db
@pytest.mark.parametrize("rewrite", ["UPDATE learning_events SET net_r = 9", "DELETE FROM learning_events"])
def test_the_ledger_refuses_to_be_rewritten(rewrite: str) -> None:
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    services.append_outcomes()

    with pytest.raises(DatabaseError, match="learning_events is append-only"), transaction.atomic():
        _execute(rewrite)

    assert LearningEvent.objects.exists()
    assert verify_chain() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rewrite",
    [
        "UPDATE learning_state SET content = '{}'",
        "UPDATE learning_state SET effective_from = now()",
        "UPDATE learning_state SET notes = 'better'",
        "UPDATE learning_state SET hash = ''",
        "UPDATE learning_state SET procedure = 'x'",
        "UPDATE learning_state SET status = 'archived', version = 7",
        "DELETE FROM learning_state",
    ],
)
def test_a_version_refuses_every_change_but_that_of_its_status(rewrite: str) -> None:
    ensure_birth()

    with pytest.raises(DatabaseError, match="is immutable: only its status may change"), transaction.atomic():
        _execute(rewrite)

    _execute("UPDATE learning_state SET status = 'archived'")
    assert verify_chain() == []


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["learning_events", "learning_state"])
def test_ledger_and_versions_refuse_to_be_emptied(table: str) -> None:
    ensure_birth()
    _execute("SET CONSTRAINTS ALL IMMEDIATE")
    _execute(f"ALTER TABLE {table} ENABLE TRIGGER never_wiped")  # conftest switched it off, to wipe after tests

    with pytest.raises(DatabaseError, match=f"{table} is append-only: TRUNCATE is refused"), transaction.atomic():
        _execute(f"TRUNCATE {table} CASCADE")

    assert LearningState.objects.exists()


def _execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
