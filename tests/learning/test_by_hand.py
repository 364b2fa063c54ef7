"""By hand: pinned, frozen, released and rolled back as new versions, told by the ledger, and kept by the nights."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from learning import selectors, services
from learning.audit import audit
from learning.by_hand import freeze, held_by, pin, release, rollback
from learning.chains import verify_chain
from learning.models import ActiveLearningState, LearningEvent, LearningState
from learning.procedure import Procedure
from learning.state import weights_to_bytes
from learning.versions import BEGINNING, VersionError, create_version, ensure_birth, weights_content
from signals.consensus import Weights
from signals.models import RejectedSignal, Signal
from signals.services import track
from tests.learning.outcomes import store_history
from tests.learning.test_versions import MORNING, born_with_other_heads, night, weights

NOW = datetime(2021, 6, 16, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def nights(db: None) -> None:
    """Born, and four versions of nights, the third of which is refused; it is noon of the day of the last."""
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(NOW)
    ensure_birth()
    for number, status in enumerate(("active", "active", "rejected", "active"), start=1):
        night(number, status=status)


def memory(row: LearningState) -> Procedure:
    return Procedure.from_bytes(bytes(row.procedure or b""))


def in_force() -> LearningState:
    return ActiveLearningState.objects.get(state_type="head_weights").state


def events() -> list[tuple[str, dict[str, object]]]:
    return list(LearningEvent.objects.order_by("sequence").values_list("kind", "detail"))


def test_a_pin_puts_a_version_in_force_and_holds_it(nights: None) -> None:
    made = pin(version=4, by="ada")  # which the guards refused

    assert (made.version, made.parent, made.status, made.created_by) == (6, 5, "active", "pin by ada")
    assert made.effective_from == NOW + MINUTE
    assert in_force() == made
    assert weights_to_bytes(selectors.weights_from(made.content)) == weights_to_bytes(weights(3))
    assert weights_to_bytes(memory(made).weights) == weights_to_bytes(weights(3))
    assert memory(made).pinned
    assert held_by() == "version 6, pin by ada"
    assert events() == [("pin", {"state_type": "head_weights", "to": 4, "version": 6, "by": "ada"})]
    assert LearningState.objects.get(state_type="head_weights", version=5).status == "archived"
    assert verify_chain() == []


def test_a_freeze_holds_what_is_in_force_and_a_release_lets_it_go(nights: None) -> None:
    before = in_force()
    frozen = freeze(by="ada")
    released = release(by="bob")

    assert frozen.content == released.content == before.content
    assert (memory(frozen).pinned, memory(released).pinned) == (True, False)
    assert bytes(released.procedure or b"") == bytes(before.procedure or b"none")
    assert (in_force(), held_by()) == (released, "")
    assert [(kind, detail["version"], detail["by"]) for kind, detail in events()] == [
        ("freeze", 6, "ada"),
        ("release", 7, "bob"),
    ]
    assert verify_chain() == []


def test_another_version_may_be_pinned_and_a_rollback_stays_held(nights: None) -> None:
    pin(version=2, by="ada")
    pin(version=3, by="ada")
    back = rollback(state_type="head_weights", version=2, by="ada")

    assert weights_to_bytes(memory(back).weights) == weights_to_bytes(weights(1))
    assert memory(back).pinned


def test_what_cannot_be_done_is_refused_and_leaves_nothing(nights: None) -> None:
    with pytest.raises(VersionError, match="head_weights has no version 9: versions 1 to 5 exist"):
        pin(version=9, by="ada")
    with pytest.raises(VersionError, match="nothing is held"):
        release(by="ada")
    freeze(by="ada")
    with pytest.raises(VersionError, match=r"held already \(version 6, freeze by ada\); let go first"):
        freeze(by="bob")

    assert (LearningEvent.objects.count(), in_force().version) == (1, 6)


@pytest.mark.django_db
def test_before_there_are_versions_everything_is_refused() -> None:
    for act in (lambda: pin(version=1, by="ada"), lambda: freeze(by="ada"), lambda: release(by="ada")):
        with pytest.raises(VersionError, match=r"no versions yet"):
            act()


@pytest.mark.django_db
def test_weights_for_other_heads_are_neither_pinned_nor_frozen() -> None:
    born_with_other_heads()
    with pytest.raises(VersionError, match="what is in force weighs other heads"):
        freeze(by="ada")
    ensure_birth()

    with pytest.raises(VersionError, match="weighs other heads than vote now"):
        pin(version=1, by="ada")


@pytest.mark.django_db
def test_what_waits_for_its_time_is_taken_over_from_then_on() -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(MORNING - 10 * MINUTE)
    ensure_birth()
    create_version(
        "head_weights", content=weights_content(weights(1)), status="active", created_by="x", effective_from=MORNING
    )

    back = pin(version=1, by="ada")

    assert back.effective_from == MORNING
    assert selectors.in_force("head_weights", MORNING) == back


@pytest.mark.django_db
@pytest.mark.parametrize("hold", ["pin", "freeze"])
def test_a_held_night_only_makes_challengers_and_a_released_one_moves_again(hold: str) -> None:
    until = store_history()
    held = pin(version=1, by="ada") if hold == "pin" else freeze(by="ada")
    for model in (Signal, RejectedSignal):
        track(model, until=until)
    services.run_due_jobs()
    made = list(LearningState.objects.filter(state_type="head_weights", created_by="nightly"))

    assert [row.status for row in made] == ["challenger", "challenger"]
    assert [memory(row).pinned for row in made] == [True, True]
    assert all(weights_to_bytes(memory(row).weights) == weights_to_bytes(weights_at_birth()) for row in made)
    assert in_force() == held
    assert not memory(release(by="ada")).pinned
    assert audit().differences == []


def weights_at_birth() -> Weights:
    born = selectors.in_force("head_weights", BEGINNING)
    assert born is not None
    return selectors.weights_from(born.content)


def test_the_commands_act_and_say_what_they_did(nights: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("pin", "2")
    call_command("release")
    call_command("freeze")
    said = capsys.readouterr().out.splitlines()

    assert said[0].startswith("head_weights version 6 holds what version 2 held; it decides from 2021-06-16 12:01 UTC")
    assert said[1] == (
        "Version 6 was in force and stays; the next night may move it again. It is head_weights version 7."
    )
    assert said[2].startswith("Version 7 was in force and is held until released")
    for command in (("pin", "99"), ("freeze",)):
        with pytest.raises(CommandError):
            call_command(*command)
    call_command("release")
    with pytest.raises(CommandError, match="nothing is held"):
        call_command("release")
