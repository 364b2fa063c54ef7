"""The nights in a row: shadow until proven, live under guard, back when it fails, and a person's hand on the lever."""

import json

import numpy as np
import pytest

from learning.calendar import DAILY, DAY_MS, DueJob
from learning.config import Config
from learning.daily import teach_night
from learning.events import Events, join
from learning.lessons import Memory, VersionDraft
from learning.nightly import Night, run_night
from learning.procedure import Procedure
from learning.promotion import Twins
from learning.state import weights_to_bytes
from learning.step import length, step_cap
from signals.consensus import BIRTH_BIAS, EQUAL_BETA, Calibration, Weights
from signals.gates import Thresholds
from tests.learning.ledgers import HEADS, SMALL, changed, ledger, nights, number

CONFIG = Config(half_lives=(7.0, float("inf")))


def skilled(days: int = 30, per_day: int = 150, **more: object) -> Events:
    return ledger(days * per_day, days=days, skill=0.5, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def life() -> list[Night]:
    """Twenty-five nights of a market in which the first head knows, the last one is reliably wrong."""
    return nights(skilled(), 25, config=CONFIG, phase="shadow")


def opening_night(life: list[Night]) -> int:
    return next(place for place, night in enumerate(life) if night.opened)


def test_before_the_gate_opens_equal_betas_are_live_and_learn_their_base_rates(life) -> None:
    before = life[opening_night(life) - 1]

    assert (before.weights.beta == EQUAL_BETA).all()
    assert (before.weights.bias != BIRTH_BIAS).all()
    assert before.drafts[0].status == "active"
    assert before.draft.status == "challenger"
    assert "equal weights" in before.draft.reason


def test_the_gate_opens_after_at_least_five_scored_days_and_an_e_value_of_twenty(life) -> None:
    night = life[opening_night(life)]

    opening = next(verdict for verdict in night.verdicts if verdict.name == "opening")
    assert opening.passed
    assert opening.figures["e_value"] >= 20
    assert opening.figures["days"] >= 5
    assert night.procedure.phase == "live"
    assert (night.procedure.opening.days, night.procedure.guard.days) == (0, 0)


def test_from_the_opening_on_the_live_weights_leave_equal_by_capped_steps(life) -> None:
    place = opening_night(life)

    for before, after in zip(life[place - 1 :], life[place:], strict=False):
        assert length(after.weights.beta - before.weights.beta) <= step_cap(before.weights.beta, CONFIG)
    assert life[place].weights.beta[0] > EQUAL_BETA > life[place].weights.beta[2]
    assert life[-1].weights.beta[2] < 0


def test_what_is_live_is_always_a_stored_active_version(life) -> None:
    in_force = weights_to_bytes(Procedure.at_birth(HEADS, CONFIG).weights)
    for night in life:
        for draft in night.drafts:
            if draft.status == "active":
                in_force = weights_to_bytes(draft.weights)
        assert weights_to_bytes(night.weights) == in_force
        assert sum(draft.status == "active" for draft in night.drafts) <= 1


def test_every_version_says_what_it_was_made_of(life) -> None:
    draft = life[-1].draft

    assert draft.evidence["count"] > draft.evidence["tonight"] > 0
    assert len(draft.evidence["digest"]) == 64
    assert draft.certificate["holds"]
    assert set(draft.certificate["bound"]) == {"7 days", "forever", "equal", "zero"}
    assert draft.metrics_before["nights"] == 14
    assert draft.metrics_after["log_loss"] < 0.69
    assert {row["head"] for row in draft.explanation} == set(HEADS)
    for row in draft.explanation:
        assert row["change"] == row["after"] - row["before"]


def test_each_scan_is_scored_with_the_state_live_when_it_was_decided() -> None:
    events = skilled(6)
    slow = nights(events, 4, config=CONFIG)[-1]
    tonight = events.rows(events.matured_day == 5)

    scored = run_night(slow.procedure, events, today=5, config=CONFIG).procedure.scores[-1]

    # Decided on day 3, so by the weights of night 3, not of night 4.
    live_then = nights(events, 3, config=CONFIG)[-1].weights
    pooled = tonight.evidence @ live_then.beta
    long = np.logaddexp(0, live_then.bias[0] + pooled) - tonight.won_long * (live_then.bias[0] + pooled)
    short = np.logaddexp(0, live_then.bias[1] - pooled) - tonight.won_short * (live_then.bias[1] - pooled)
    by_hand = np.average((long + short) / 2, weights=tonight.uniqueness)
    assert scored.live == pytest.approx(by_hand, rel=1e-9)
    assert scored.scans == len(tonight)


def test_a_vetoed_version_is_stored_as_rejected_and_nothing_moves() -> None:
    events = skilled(6)
    before = nights(events, 4, config=CONFIG)[-1].procedure

    night = run_night(before, events, today=5, config=CONFIG, twins=Twins(50, 0.4, 0.7))

    assert night.draft.status == "rejected"
    assert night.draft.reason.startswith("vetoed: 50 twins differ by +0.400 R")
    assert weights_to_bytes(night.weights) == weights_to_bytes(before.weights)


def test_a_sabotaged_version_is_caught_live_and_equal_weights_come_back() -> None:
    events = skilled(30)
    trusted = nights(events, 12, config=CONFIG)[-1].procedure
    beta = trusted.weights.beta.copy()
    beta[0] = -3 * beta[0]
    procedure = trusted.pin(Weights(HEADS, beta, trusted.weights.bias))

    for today in range(13, 28):
        night = run_night(procedure, events, today=today, config=CONFIG)
        procedure = night.procedure
        if night.rolled_back:
            break

    assert night.rolled_back
    assert today - 12 <= 14
    assert procedure.phase == "shadow"
    assert (night.weights.beta == EQUAL_BETA).all()
    assert night.drafts[0].created_by == "live_guard"
    assert "worse than equal weights" in night.drafts[0].reason
    assert procedure.opening.days == 0


def test_after_a_roll_back_the_procedure_has_to_earn_its_way_again() -> None:
    events = skilled(45)
    trusted = nights(events, 15, config=CONFIG, phase="shadow")[-1].procedure
    assert trusted.phase == "live"
    procedure, phases = trusted.pin(Weights(HEADS, -3 * trusted.learner.weights.beta, trusted.weights.bias)), []

    for today in range(16, 45):
        night = run_night(procedure, events, today=today, config=CONFIG)
        procedure = night.procedure.release() if night.rolled_back else night.procedure
        phases.append(procedure.phase)

        assert procedure.phase == "live" or procedure.guard.days == 0
    first_shadow = phases.index("shadow")
    assert "live" in phases[first_shadow + 5 :]
    assert phases[first_shadow : first_shadow + 5] == ["shadow"] * 5


def test_a_pinned_version_stays_while_the_learner_goes_on() -> None:
    events = skilled(10)
    trusted = nights(events, 6, config=CONFIG)[-1].procedure

    night = run_night(trusted.freeze(), events, today=7, config=CONFIG)

    assert weights_to_bytes(night.weights) == weights_to_bytes(trusted.weights)
    assert night.draft.status == "challenger"
    assert "pinned by hand" in night.draft.reason
    assert night.procedure.learner.day == 7
    assert run_night(night.procedure.release(), events, today=8, config=CONFIG).draft.status == "active"


def test_a_roll_back_by_hand_is_exact_and_learning_goes_on_from_there() -> None:
    events = skilled(12)
    versions = nights(events, 8, config=CONFIG)
    old = versions[3].weights

    back = versions[-1].procedure.roll_back(old)
    onward = run_night(back, events, today=9, config=CONFIG)

    assert weights_to_bytes(back.weights) == weights_to_bytes(old)
    assert back.learner.to_bytes() == versions[-1].procedure.learner.to_bytes()
    assert 0 < length(onward.weights.beta - old.beta) <= step_cap(old.beta, CONFIG)


def test_weights_of_other_heads_cannot_be_put_in_force() -> None:
    with pytest.raises(ValueError, match="cannot rule"):
        Procedure.at_birth(HEADS, SMALL).roll_back(Weights.at_birth(("else", "beta", "gamma")))


def test_a_missed_midnight_is_made_up_and_late_events_are_charged_once() -> None:
    events = skilled(8)
    late = changed(events, matured_day=np.where(events.decided_day == 2, 6, events.matured_day))
    procedure = nights(late, 4, config=CONFIG)[-1].procedure

    night = run_night(procedure, late, today=6, config=CONFIG)

    new = ((late.matured_day > 4) & (late.matured_day <= 6)).sum()
    assert night.draft.evidence["tonight"] == new
    assert night.procedure.scores[-1].scans == new


def test_conflicting_copies_are_handed_back_and_change_nothing_else() -> None:
    events = skilled(4)
    liar = changed(events.rows(slice(0, 1)), won_long=~events.won_long[:1])
    honest = nights(events.rows(slice(1, None)), 5, config=CONFIG)[-1]

    night = nights(join([events, liar]), 5, config=CONFIG)[-1]

    assert night.conflicts.key.tolist() == [events.key[0]] * 2
    assert night.procedure.to_bytes() == honest.procedure.to_bytes()


def test_a_procedure_comes_back_from_its_bytes_exactly(life) -> None:
    procedure = life[-1].procedure

    back = Procedure.from_bytes(procedure.to_bytes())

    assert back.digest == procedure.digest
    assert weights_to_bytes(back.weights) == weights_to_bytes(procedure.weights)


def test_a_market_in_which_nobody_knows_anything_leaves_the_pool_quiet() -> None:
    last = nights(ledger(4000, seed=9, days=15, skill=0.0), 16, config=CONFIG)[-1]

    assert last.weights.sharpness < 0.15
    assert last.procedure.learner.certificate.holds(CONFIG)


def test_a_decision_is_scored_with_the_calibration_in_force_on_its_day() -> None:
    events, corrected = skilled(6), Calibration(0.5, -0.3)
    procedure = nights(events, 2, config=CONFIG)[-1].procedure
    for today in (3, 4):
        night = run_night(procedure, events, today=today, config=CONFIG, calibration=corrected if today == 3 else OTHER)
        procedure = night.procedure
    tonight = events.rows(events.matured_day == 5)

    scored = run_night(procedure, events, today=5, config=CONFIG).procedure.scores[-1]

    # Decided on day 3: by the weights of night 3, corrected as from that night on.
    then = procedure.in_force(3)
    assert then.calibration == corrected
    pooled = tonight.evidence @ then.theta[2:]
    long, short = (-0.3 + 0.5 * (then.theta[side] + sign * pooled) for side, sign in ((0, 1), (1, -1)))
    lost = np.logaddexp(0, long) - tonight.won_long * long + np.logaddexp(0, short) - tonight.won_short * short
    assert scored.live == pytest.approx(np.average(lost / 2, weights=tonight.uniqueness), rel=1e-9)


OTHER = Calibration(3.0, 2.0)


def test_the_learner_steps_on_from_the_raw_weights_whatever_corrects_them() -> None:
    events = skilled(6)
    before = nights(events, 4, config=CONFIG)[-1].procedure

    plain = run_night(before, events, today=5, config=CONFIG)
    other = run_night(before, events, today=5, config=CONFIG, calibration=Calibration(0.8, 0.05))

    assert other.draft.status == plain.draft.status == "active"
    assert weights_to_bytes(other.draft.weights) == weights_to_bytes(plain.draft.weights)
    assert other.procedure.learner.to_bytes() == plain.procedure.learner.to_bytes()


def test_the_vetoes_judge_what_would_decide() -> None:
    events = skilled(20)
    before = nights(events, 14, config=CONFIG)[-1].procedure

    def slope(calibration: Calibration) -> float:
        night = run_night(before, events, today=15, config=CONFIG, calibration=calibration)
        return number(next(verdict for verdict in night.verdicts if verdict.name == "calibration").figures["slope"])

    assert slope(Calibration(0.5, 0.0)) == pytest.approx(2 * slope(Calibration()), rel=1e-6)


def test_a_calibration_that_loses_brings_equal_weights_back_without_it() -> None:
    events = skilled(40)
    procedure = nights(events, 12, config=CONFIG)[-1].procedure
    for today in range(13, 36):
        night = run_night(procedure, events, today=today, config=CONFIG, calibration=OTHER)
        procedure = night.procedure
        if night.rolled_back:
            break

    assert night.rolled_back
    assert procedure.live[-1].calibration.is_identity
    assert procedure.live[-2].calibration == OTHER
    assert (night.weights.beta == EQUAL_BETA).all()


def test_the_night_that_rolls_back_drafts_a_version_without_calibration() -> None:
    events = skilled(40)
    memory = Memory(nights(events, 12, config=CONFIG)[-1].procedure, Weights.at_birth(HEADS), Thresholds(), OTHER)
    drafts: tuple[VersionDraft, ...] = ()
    for today in range(13, 36):
        lesson = teach_night(DueJob(today * DAY_MS, DAILY), memory, events.known_on(today), CONFIG)
        memory, drafts = lesson.memory, lesson.drafts
        if lesson.report["rolled_back"]:
            break

    assert [draft.state_type for draft in drafts] == ["head_weights", "head_weights", "calibration"]
    assert (drafts[-1].calibration, drafts[-1].created_by) == (Calibration(), "live_guard")
    assert drafts[-1].effective_ms == drafts[0].effective_ms


def test_what_was_kept_before_there_were_calibrations_is_read_as_without(life) -> None:
    document = json.loads(life[-1].procedure.to_bytes())
    document |= {"format": 1, "live": [row[:2] for row in document["live"]]}

    back = Procedure.from_bytes(json.dumps(document).encode())

    assert back.digest == life[-1].procedure.digest
    assert all(night.calibration.is_identity for night in back.live)


def test_a_calibrated_procedure_comes_back_from_its_bytes_exactly(life) -> None:
    procedure = life[-1].procedure.recalibrated(Calibration(1 / 3, -0.1 - 0.2))

    back = Procedure.from_bytes(procedure.to_bytes())

    assert back.digest == procedure.digest != life[-1].procedure.digest
    assert back.live[-1].deciding.tobytes() == procedure.live[-1].deciding.tobytes()
