"""Versions: born once, chained, in force by market time, and an exact way back."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from learning import selectors
from learning.by_hand import rollback
from learning.chains import verify_chain
from learning.config import Config
from learning.models import ActiveLearningState, LearningEvent, LearningState
from learning.procedure import Procedure
from learning.state import weights_to_bytes
from learning.versions import BEGINNING, VersionError, create_version, ensure_birth, weights_content
from signals.consensus import Weights
from signals.models import ScanClose
from tests.at_once import run_at_once
from tests.signals.decided import HEAD_NAMES

MORNING = datetime(2021, 6, 12, 0, 15, tzinfo=UTC)
DAY = timedelta(days=1)


def weights(seed: int) -> Weights:
    draw = np.random.default_rng(seed)
    return Weights(HEAD_NAMES, draw.normal(0.2, 0.3, len(HEAD_NAMES)), draw.normal(-0.7, 0.1, 2))


def night(number: int, *, status: str = "active") -> LearningState:
    """A version like that of a night, with the learner's memory beside it."""
    procedure = Procedure.at_birth(HEAD_NAMES, Config()).pin(weights(number)).release()
    return create_version(
        "head_weights",
        content=weights_content(weights(number)),
        status=status,
        created_by="nightly",
        period=f"2021-06-{10 + number}",
        effective_from=MORNING + number * DAY if status == "active" else None,
        procedure=procedure.to_bytes(),
    )


def statuses() -> list[str]:
    rows = LearningState.objects.filter(state_type="head_weights").order_by("version")
    return list(rows.values_list("status", flat=True))


@pytest.mark.django_db
def test_a_system_is_born_once_with_equal_weights() -> None:
    ensure_birth()
    ensure_birth()

    assert LearningState.objects.count() == ActiveLearningState.objects.count() == 3
    born = selectors.in_force("head_weights", BEGINNING)
    assert born is not None
    assert born.version == 1
    assert weights_to_bytes(selectors.weights_from(born.content)) == weights_to_bytes(Weights.at_birth(HEAD_NAMES))
    assert verify_chain() == []


OTHERS = ("technical", "volume", "tea_leaves")


def born_with_other_heads() -> LearningState:
    first = create_version(
        "head_weights",
        content=weights_content(Weights.at_birth(OTHERS)),
        status="active",
        created_by="birth",
        effective_from=BEGINNING,
        procedure=Procedure.at_birth(OTHERS, Config()).to_bytes(),
    )
    return first


@pytest.mark.django_db
def test_a_release_with_other_heads_begins_anew_from_the_first_close_that_is_not_decided() -> None:
    born_with_other_heads()
    ScanClose.objects.create(timeframe="15m", close_time=MORNING, chunks=[["A"]], looked=[0], decided_at=MORNING)

    ensure_birth()
    ensure_birth()

    old, new = LearningState.objects.filter(state_type="head_weights").order_by("version")
    assert new.content == weights_content(Weights.at_birth(HEAD_NAMES))
    assert (old.status, new.status) == ("archived", "active")
    assert "gone: tea_leaves" in new.notes
    assert selectors.in_force("head_weights", MORNING) == old
    assert selectors.in_force("head_weights", MORNING + timedelta(minutes=15)) == new
    assert selectors.latest_procedure() is None
    assert verify_chain() == []


@pytest.mark.django_db
def test_what_other_heads_looked_at_and_did_not_decide_is_looked_at_again() -> None:
    born_with_other_heads()
    row = ScanClose.objects.create(
        timeframe="15m", close_time=MORNING, chunks=[["A"]], looked=[0], weight_version=1, threshold_version=1
    )

    ensure_birth()

    row.refresh_from_db()
    assert (row.chunks, row.looked, row.weight_version) == (None, [], None)


@pytest.mark.django_db
def test_a_version_of_other_heads_cannot_be_rolled_back_to() -> None:
    born_with_other_heads()
    ensure_birth()

    with pytest.raises(VersionError, match="weighs other heads"):
        rollback(state_type="head_weights", version=1, by="someone")


@pytest.mark.django_db(transaction=True)
def test_processes_that_start_together_give_birth_once(process_environment: dict[str, str]) -> None:
    run_at_once("from learning.versions import ensure_birth\nensure_birth()", process_environment)

    found = LearningState.objects.order_by("state_type").values_list("state_type", "version", "status")
    assert list(found) == [(name, 1, "active") for name in ("calibration", "head_weights", "thresholds")]
    assert verify_chain() == []


@pytest.mark.django_db(transaction=True)
def test_versions_made_at_once_get_numbers_one_after_the_other(process_environment: dict[str, str]) -> None:
    ensure_birth()

    answers = run_at_once(
        """
from learning.versions import create_version
answer = create_version("thresholds", content={"quality_r": number / 10}, status="challenger", created_by="x").version
""",
        process_environment,
    )

    assert sorted(answers) == [2, 3, 4, 5]
    assert verify_chain() == []


@pytest.mark.django_db
def test_each_version_follows_the_latest_and_takes_over_from_the_active_one() -> None:
    ensure_birth()
    night(1)
    night(2, status="rejected")
    last = night(3)

    assert statuses() == ["archived", "archived", "rejected", "active"]
    parents = LearningState.objects.filter(state_type="head_weights").order_by("version")
    assert list(parents.values_list("parent", flat=True)) == [None, 1, 2, 3]
    assert ActiveLearningState.objects.get(state_type="head_weights").state == last
    assert verify_chain() == []


@pytest.mark.django_db
def test_a_version_is_in_force_from_its_market_time_on() -> None:
    ensure_birth()
    night(1)
    night(2, status="rejected")
    night(3)

    def at(moment: datetime) -> int:
        found = selectors.in_force("head_weights", moment)
        assert found is not None
        return found.version

    assert at(MORNING + DAY - timedelta(microseconds=1)) == 1
    assert [at(MORNING + number * DAY) for number in (1, 2, 3, 9)] == [2, 2, 4, 4]


@pytest.mark.django_db
def test_a_rollback_is_a_new_version_with_the_old_content_exactly() -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(MORNING + 3 * DAY)
    ensure_birth()
    old = night(1)
    replaced = night(2)

    back = rollback(state_type="head_weights", version=old.version, by="ada")

    assert (back.version, back.parent, back.status) == (4, 3, "active")
    assert statuses() == ["archived", "archived", "rolled_back", "active"]
    assert weights_to_bytes(selectors.weights_from(back.content)) == weights_to_bytes(weights(1))
    assert back.effective_from == MORNING + 3 * DAY + timedelta(minutes=1)
    before, after = (
        Procedure.from_bytes(bytes(replaced.procedure or b"")),
        Procedure.from_bytes(bytes(back.procedure or b"")),
    )
    assert weights_to_bytes(after.weights) == weights_to_bytes(weights(1))
    assert after.learner.to_bytes() == before.learner.to_bytes()
    assert selectors.latest_procedure() == after.to_bytes()
    event = LearningEvent.objects.get()
    assert (event.kind, event.detail) == (
        "rollback",
        {"state_type": "head_weights", "to": 2, "version": 4, "by": "ada"},
    )
    assert verify_chain() == []


@pytest.mark.django_db
def test_rolling_back_and_forth_gives_the_same_content() -> None:
    ensure_birth()
    night(1)
    latest = night(2)

    rollback(state_type="head_weights", version=1, by="ada")
    again = rollback(state_type="head_weights", version=latest.version, by="ada")

    assert again.content == LearningState.objects.get(state_type="head_weights", version=latest.version).content
    assert bytes(again.procedure or b"") == bytes(latest.procedure or b"none")
    assert verify_chain() == []


@pytest.mark.django_db
def test_a_rolled_back_threshold_has_no_procedure() -> None:
    ensure_birth()
    night(1)

    back = rollback(state_type="thresholds", version=1, by="ada")

    assert (back.procedure, back.content) == (None, {"quality_r": 0.05})


@pytest.mark.django_db
def test_an_unknown_version_is_refused_with_those_that_exist() -> None:
    with pytest.raises(VersionError, match="head_weights has no version 3: it has no versions yet"):
        rollback(state_type="head_weights", version=3, by="ada")
    ensure_birth()
    night(1)

    with pytest.raises(VersionError, match="head_weights has no version 3: versions 1 to 2 exist"):
        rollback(state_type="head_weights", version=3, by="ada")
    assert LearningState.objects.count() == 4


@pytest.mark.django_db
def test_what_the_live_guard_took_out_of_force_is_rolled_back() -> None:
    ensure_birth()
    night(1)

    create_version(
        "head_weights",
        content=weights_content(Weights.at_birth(HEAD_NAMES)),
        status="active",
        created_by="live_guard",
        effective_from=MORNING + 2 * DAY,
    )

    assert statuses() == ["archived", "rolled_back", "active"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tampered", "message"),
    [
        ("UPDATE learning_state SET notes = 'better' WHERE version = 2", "version 2 .* hash of its content"),
        ("UPDATE learning_events SET market_at = now() WHERE sequence = 1", "ledger event 1 .* hash of its content"),
        ("DELETE FROM learning_events WHERE sequence = 1", "the ledger has no event 1"),
    ],
)
def test_a_chain_that_was_tampered_with_does_not_hold(tampered: str, message: str) -> None:
    ensure_birth()
    night(1)
    rollback(state_type="head_weights", version=1, by="ada")
    rollback(state_type="head_weights", version=2, by="ada")

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE learning_state DISABLE TRIGGER immutable")
        cursor.execute("ALTER TABLE learning_events DISABLE TRIGGER append_only")
        cursor.execute(tampered)
        cursor.execute("ALTER TABLE learning_state ENABLE TRIGGER immutable")
        cursor.execute("ALTER TABLE learning_events ENABLE TRIGGER append_only")

    [problem] = verify_chain()[:1]
    assert np.array([part in problem for part in message.split(" .* ")]).all()
