"""What a night watches beside its own draft: what is pinned, whether the learner knows anything, and drift."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from django.core.management import call_command

from learning import bootstrap as bootstrapping
from learning import services
from learning.audit import audit
from learning.betting import STAKES, Bets
from learning.bootstrap import bootstrap
from learning.config import Config
from learning.models import LearningEvent, LearningState
from learning.nightly import run_night
from learning.procedure import Procedure, Score
from learning.promotion import judge_opening
from learning.state import weights_to_bytes
from signals.consensus import Weights
from tests.learning.conftest import import_history
from tests.learning.ledgers import HEADS, SMALL, ledger, nights

CONFIG = Config(half_lives=(7.0, float("inf")))
RICH = Bets((9.0,) * len(STAKES), days=9)


def calm(days: int) -> tuple[Score, ...]:
    """Nights before day 0 in which the probabilities in force cost about what they claim."""
    return tuple(Score(day, 200, 0.68 + 0.0005 * (day % 2), 0.69, 0.68, 0.68, 0.69) for day in range(-days, 0))


def test_the_gate_asks_for_more_than_the_base_rates_know() -> None:
    assert judge_opening(RICH, RICH, CONFIG).passed
    refused = judge_opening(RICH, Bets(days=9), CONFIG)

    assert not refused.passed
    assert "beats equal weights" in refused.reason
    assert "not yet proven to know more than the base rates: E = 1.00 over 9 days" in refused.reason


def test_a_learner_that_only_goes_quiet_beats_equal_weights_and_stays_in_shadow() -> None:
    procedure = nights(ledger(6000, days=40, skill=0.0), 41, config=CONFIG, phase="shadow")[-1].procedure

    assert procedure.opening.value >= CONFIG.betting_threshold
    assert procedure.knowing.value < CONFIG.betting_threshold
    assert procedure.phase == "shadow"


def test_bets_on_knowledge_are_placed_only_after_nights_that_speak_for_it() -> None:
    lived = nights(ledger(3000, days=12, skill=0.5), 13, config=CONFIG, phase="shadow")

    for before, after in pairwise(lived):
        recent = before.procedure.scores[-CONFIG.betting_trial_nights :]
        led = sum((score.base_rate or 0.0) - score.learner for score in recent) > 0
        if len(after.procedure.scores) > len(before.procedure.scores) and not after.opened:
            assert after.procedure.knowing.days - before.procedure.knowing.days == led
    assert any(night.opened for night in lived)


def test_the_live_guard_takes_back_what_was_pinned_before_the_gate_opened() -> None:
    events = ledger(6000, days=20, skill=0.5, asleep=0.0)
    upside_down = Weights(HEADS, np.array([-2.0, 0.0, 2.0]), np.zeros(2))
    procedure = nights(events, 3, config=CONFIG, phase="shadow")[-1].procedure.pin(upside_down)

    for today in range(4, 21):
        night = run_night(procedure, events, today=today, config=CONFIG)
        procedure = night.procedure
        assert not night.opened  # the gate is not asked while something is held
        if night.rolled_back:
            break

    assert night.rolled_back
    assert night.drafts[0].created_by == "live_guard"
    assert (night.weights.beta == 0.2).all()
    assert not procedure.pinned
    assert procedure.phase == "shadow"


def test_drift_tells_and_drafts_a_challenger_and_changes_nothing_else() -> None:
    events = ledger(600, days=3, skill=1.0)
    born = replace(Procedure.at_birth(HEADS, SMALL, phase="live"), scores=calm(40))
    deaf = replace(SMALL, drift_limit=1e9)

    alarms, watched, plain = [], born, born
    for today in range(1, 6):
        night = run_night(watched, events, today=today, config=SMALL)
        same = run_night(plain, events, today=today, config=deaf)
        watched, plain = night.procedure, same.procedure
        assert weights_to_bytes(night.weights) == weights_to_bytes(same.weights)
        if night.drift:
            alarms.append(night)

    assert len(alarms) == 1
    [alarm] = alarms
    early, *others = alarm.drafts
    assert (early.created_by, early.status) == ("drift", "challenger")
    assert alarm.drift is not None
    assert early.reason.startswith(alarm.drift.words)
    assert "half-life of 3 days" in early.reason
    assert early.weights.beta == pytest.approx(alarm.procedure.learner.candidates[0][2:])
    assert [draft.created_by for draft in others] == ["nightly"]
    assert watched.watched_since == alarm.drift.day


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_alarms_are_told_in_the_ledger_and_made_again_by_an_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    nervous = replace(Config(), drift_least_nights=2, drift_allowance=0.0, drift_limit=0.01)
    monkeypatch.setattr(services, "CONFIG", nervous)
    monkeypatch.setattr(bootstrapping, "CONFIG", nervous)
    import_history(datetime(2021, 6, 25, tzinfo=UTC))

    bootstrap()

    told = list(LearningEvent.objects.filter(kind="drift").order_by("sequence"))
    drafts = LearningState.objects.filter(created_by="drift").order_by("version")
    assert told
    assert [event.detail["words"] for event in told] == [row.notes.split("; this is")[0] for row in drafts]
    assert all(row.status == "challenger" and row.effective_from is None for row in drafts)
    assert audit().differences == []
    call_command("flush", interactive=False, verbosity=0)
