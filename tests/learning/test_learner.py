"""What must hold of the learner whatever the market does (learning.md 5), night after night through the job's step."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.candidates import equal_index, zero_index
from learning.config import Config
from learning.events import Events, collect, join, make_events
from learning.layers import learn
from learning.learner import NightlyLearner
from learning.mixture import Certificate, Charge, certify, charged
from learning.nightly import run_night
from learning.procedure import Procedure
from learning.state import LearnerState, weights_from_bytes, weights_to_bytes
from learning.step import capped_step, length, step_cap
from signals.consensus import EQUAL_BETA, Weights
from tests.learning.ledgers import HEADS, SMALL, changed, ledger, ledgers, nights, shuffled

# A deep run sets this to several hundred.
EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "15"))
few = settings(max_examples=EXAMPLES, deadline=None)
LAST = 5


@few
@given(events=ledgers)
def test_shares_are_on_the_simplex_and_everything_is_finite(events) -> None:
    for night in nights(events, LAST):
        weights, state = night.weights, night.procedure.learner
        assert np.isfinite(weights.beta).all()
        assert np.isfinite(weights.bias).all()
        assert (weights.shares >= 0).all()
        assert weights.shares.sum() == pytest.approx(1.0) or weights.sharpness == 0
        assert (state.shares > 0).all()
        assert state.shares.sum() == pytest.approx(1.0)
        assert np.isfinite(state.candidates).all()


@few
@given(events=ledgers, seed=st.integers(0, 99))
def test_any_order_and_any_number_of_copies_give_the_same_bytes(events, seed) -> None:
    thrice = shuffled(join([events, events, events]), seed)

    told, retold = nights(events, LAST)[-1], nights(thrice, LAST)[-1]

    assert retold.procedure.to_bytes() == told.procedure.to_bytes()
    assert retold.procedure.learner.state_hash == told.procedure.learner.state_hash


@few
@given(events=ledgers)
def test_a_night_run_again_from_stored_bytes_gives_the_same_version(events) -> None:
    evening = nights(events, LAST - 1)[-1].procedure
    woken = Procedure.from_bytes(evening.to_bytes())

    first = run_night(evening, events, today=LAST, config=SMALL)
    second = run_night(woken, events, today=LAST, config=SMALL)

    assert woken.to_bytes() == evening.to_bytes()
    assert second.procedure.to_bytes() == first.procedure.to_bytes()
    assert second.draft.evidence == first.draft.evidence
    assert weights_to_bytes(second.weights) == weights_to_bytes(first.weights)


@few
@given(events=ledgers, later=ledgers, seed=st.integers(0, 99))
def test_events_that_have_not_matured_change_nothing(events, later, seed) -> None:
    unknown = changed(
        later, key=[b"later" + key for key in later.key.tolist()], matured_day=np.full(len(later), LAST + 1)
    )

    known = nights(events, LAST)[-1]
    warned = nights(shuffled(join([events, unknown]), seed), LAST)[-1]

    assert warned.procedure.to_bytes() == known.procedure.to_bytes()


@few
@given(events=ledgers, head=st.integers(0, 2))
def test_a_head_that_abstained_tonight_is_untouched_to_the_bit(events, head) -> None:
    last = int(events.matured_day.max()) if len(events) else LAST
    evidence = events.evidence.copy()
    evidence[events.matured_day == last, head] = 0.0
    silent = changed(events, evidence=evidence)
    through = nights(silent, last)

    before, after = (through[-2].procedure if len(through) > 1 else Procedure.at_birth(HEADS, SMALL)), through[-1]

    assert after.weights.beta[head] == before.weights.beta[head]
    assert (after.procedure.learner.candidates[:, 2 + head] == before.learner.candidates[:, 2 + head]).all()


@few
@given(events=ledgers)
def test_the_certificate_holds_every_night(events) -> None:
    for night in nights(events, LAST):
        certificate = night.procedure.learner.certificate
        assert certificate.holds(SMALL)
        assert certificate.gap >= 0


@few
@given(events=ledgers)
def test_no_night_steps_further_than_the_cap_or_leaves_the_bounds(events) -> None:
    before = Weights.at_birth(HEADS)
    for night in nights(events, LAST):
        after = night.weights
        assert length(after.beta - before.beta) <= step_cap(before.beta, SMALL)
        assert np.abs(after.beta).max() <= SMALL.beta_limit
        assert after.sharpness <= SMALL.sharpness_limit
        before = after


arrays = st.lists(st.floats(-8, 8), min_size=4, max_size=4).map(np.array)


@settings(max_examples=300, deadline=None)
@given(start=arrays, aim=arrays, target=arrays, awake=st.lists(st.booleans(), min_size=4, max_size=4).map(np.array))
def test_every_projection_keeps_step_bounds_and_sleepers(start, aim, target, awake) -> None:
    config = Config()
    current = np.clip(start, -3, 3)
    current *= min(1.0, config.sharpness_limit / max(length(current), 1e-9)) * (1 - 1e-12)

    stepped = capped_step(current, aim, target, awake, config)

    assert length(stepped - current) <= step_cap(current, config) * (1 + 1e-15)
    assert np.abs(stepped).max() <= config.beta_limit
    assert length(stepped) <= config.sharpness_limit
    assert (stepped[~awake] == current[~awake]).all()


def test_a_target_within_reach_is_reached_exactly() -> None:
    current, target = np.array([0.2, 0.2, 0.2]), np.array([0.25, 0.18, 0.2])

    assert (capped_step(current, target, target, np.full(3, True), Config()) == target).all()


def permuted(events: Events, order: list[int]) -> Events:
    return changed(events, evidence=events.evidence[:, order])


@few
@given(events=ledgers, order=st.permutations(range(3)))
def test_permuting_heads_permutes_their_weights(events, order) -> None:
    plain = nights(events, LAST)[-1].weights
    moved = nights(permuted(events, order), LAST, heads=tuple(HEADS[head] for head in order))[-1].weights

    assert moved.beta == pytest.approx(plain.beta[order], abs=1e-7)
    assert moved.bias == pytest.approx(plain.bias, abs=1e-7)


@few
@given(events=ledgers)
def test_mirroring_every_event_keeps_beta_and_swaps_the_intercepts(events) -> None:
    mirror = changed(events, evidence=0.0 - events.evidence, won_long=events.won_short, won_short=events.won_long)

    plain, mirrored = nights(events, LAST)[-1].weights, nights(mirror, LAST)[-1].weights

    assert mirrored.beta == pytest.approx(plain.beta, abs=1e-7)
    assert mirrored.bias == pytest.approx(plain.bias[::-1], abs=1e-7)


@few
@given(seed=st.integers(0, 9999), count=st.integers(1, 60), strength=st.floats(0.1, 2.9))
def test_a_head_always_right_never_ends_below_one_always_wrong(seed, count, strength) -> None:
    events = ledger(count, seed=seed, days=4)
    right = np.where(events.won_long, strength, -strength)
    evidence = np.column_stack([right, -right, events.evidence[:, 1]])

    for night in nights(changed(events, evidence=evidence), LAST + 2):
        assert night.weights.beta[0] >= night.weights.beta[1]


@few
@given(events=ledgers, rows=st.lists(st.integers(0, 59), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_an_event_that_is_told_two_ways_is_not_learned_from_either(events, rows, seed) -> None:
    liars = np.isin(np.arange(len(events)), rows)
    lies = changed(events.rows(liars), won_long=~events.won_long[liars])

    told = nights(shuffled(join([events, lies]), seed), LAST)[-1]

    assert told.procedure.to_bytes() == nights(events.rows(~liars), LAST)[-1].procedure.to_bytes()
    known = events.rows(liars & (events.matured_day <= LAST))
    assert sorted(told.conflicts.key.tolist()) == sorted(known.key.tolist() * 2)


@few
@given(count=st.integers(1, 60), seed=st.integers(0, 9999), strength=st.floats(1e-3, 2.9), heads=st.integers(1, 3))
def test_outcomes_that_the_votes_separate_give_finite_weights_and_chances(count, seed, strength, heads) -> None:
    """Without the prior the best beta would be infinite."""
    events = ledger(count, seed=seed, days=4, asleep=0.0)
    right = np.where(events.won_long, strength, -strength)
    votes = np.where(np.arange(3) < heads, right[:, None], 0.0)

    for night in nights(changed(events, evidence=votes), LAST + 2):
        weights, candidates = night.weights, night.procedure.learner.candidates
        assert np.isfinite(candidates).all()
        assert (candidates[: equal_index(SMALL), 2 : 2 + heads] >= EQUAL_BETA - 1e-9).all()
        assert weights.sharpness <= SMALL.sharpness_limit
        chance = 1 / (1 + np.exp(-(weights.bias[0] + votes @ weights.beta)))
        assert ((chance > 0) & (chance < 1)).all()


@few
@given(events=ledgers, back=st.integers(1, LAST))
def test_a_roll_back_is_exact_and_forgets_nothing_that_was_learned(events, back) -> None:
    versions = nights(events, LAST)
    old = versions[back - 1].weights

    rolled = Procedure.from_bytes(versions[-1].procedure.roll_back(old).to_bytes())

    assert weights_to_bytes(rolled.weights) == weights_to_bytes(old)
    assert rolled.learner.to_bytes() == versions[-1].procedure.learner.to_bytes()


@few
@given(events=ledgers, base=st.sampled_from([(True, True), (False, False), (True, False)]))
def test_single_class_nights_give_finite_defined_results(events, base) -> None:
    long, short = (np.full(len(events), won) for won in base)

    night = nights(changed(events, won_long=long, won_short=short), LAST)[-1]

    assert np.isfinite(night.weights.beta).all()
    assert np.abs(night.weights.bias).max() <= 6.0 + 1e-12


def test_a_night_without_events_moves_nothing_but_the_day() -> None:
    born = Procedure.at_birth(HEADS, SMALL, phase="live")

    night = run_night(born, ledger(0), today=1, config=SMALL)

    assert weights_to_bytes(night.weights) == weights_to_bytes(born.weights)
    assert night.draft.reason == "no outcome matured: nothing moved"
    assert night.draft.metrics_before["log_loss"] is None
    assert night.procedure.learner.day == 1


def test_a_night_on_which_every_head_abstained_learns_base_rates_only() -> None:
    night = nights(ledger(40, asleep=1.0, base=0.5), LAST)[-1]

    assert (night.weights.beta == EQUAL_BETA).all()
    assert (night.weights.bias != Weights.at_birth(HEADS).bias).all()


def test_outcomes_known_tonight_are_charged_under_the_state_of_their_decision() -> None:
    events = ledger(120, days=6)
    late = changed(events, matured_day=np.where(events.decided_day == 1, 7, events.matured_day))

    night = nights(late, 8)[-1]

    assert night.procedure.learner.certificate.holds(SMALL)
    assert night.procedure.learner.certificate.drift != 0.0


def test_outcomes_that_always_arrive_the_next_night_leave_no_drift() -> None:
    events = ledger(120, days=6)
    prompt = changed(events, matured_day=events.decided_day + 1)

    certificate = nights(prompt, 7)[-1].procedure.learner.certificate

    assert certificate.drift == pytest.approx(0.0, abs=1e-12)
    assert certificate.holds(SMALL)


def by_hand(theta: np.ndarray, events: Events) -> np.ndarray:
    """Log-losses of both brackets of each event, written from the formula."""
    pooled = events.evidence @ theta[2:]
    long = np.logaddexp(0, np.where(events.won_long, -1, 1) * (theta[0] + pooled))
    short = np.logaddexp(0, np.where(events.won_short, -1, 1) * (theta[1] - pooled))
    return (long + short) / 2


def test_the_bill_of_a_night_is_what_was_lost_under_the_states_of_the_decisions() -> None:
    events = ledger(200, days=5)
    late = changed(events, matured_day=np.where(events.decided_day == 1, 6, events.matured_day))
    states = {night.procedure.learner.day: night.procedure.learner for night in nights(late, 4)}
    # The night of day 5 was missed: its outcomes and the late ones of day 1 are charged on day 6.
    tonight = collect(late.rows((late.matured_day > 4) & (late.matured_day <= 6))).events
    assert set(tonight.decided_day.tolist()) == {1, 3, 4}

    lesson = learn(states[4], collect(late.known_on(6)).events, today=6, config=SMALL)

    assert lesson.charge is not None
    assert lesson.study is not None
    weight = tonight.uniqueness / lesson.study.design_effect
    for candidate in range(4):
        losses = np.concatenate(
            [by_hand(states[d].candidates[candidate], tonight.rows(tonight.decided_day == d)) for d in (1, 3, 4)]
        )
        assert lesson.charge.candidate_losses[candidate] == pytest.approx(np.average(losses, weights=weight))
    mixed = [states[d].shares @ states[d].candidates for d in (1, 3, 4)]
    own = np.concatenate(
        [by_hand(m, tonight.rows(tonight.decided_day == d)) for m, d in zip(mixed, (1, 3, 4), strict=True)]
    )
    assert lesson.charge.mixture_loss == pytest.approx(np.average(own, weights=weight))
    assert lesson.charge.mass == pytest.approx(weight.sum())


def test_the_certificates_bound_is_the_one_of_the_book_plus_what_delay_costs() -> None:
    certificate = Certificate(excess=np.zeros(4), gap=0.3, drift=-0.1, nights=11)

    share, alpha = (1 - 0.02) / 3, 0.02
    restarts = 10 * -np.log(1 - alpha + alpha / 4)
    assert certificate.bounds(SMALL)[:3] == pytest.approx(-np.log(share) + restarts + 0.3 - 0.1)
    assert certificate.bounds(SMALL)[3] == pytest.approx(-np.log(0.02) + restarts + 0.3 - 0.1)
    assert not Certificate(np.full(4, 9.0), 0.3, -0.1, 11).holds(SMALL)


def test_a_night_charges_the_mixture_as_the_book_says() -> None:
    shares, losses = np.array([0.5, 0.3, 0.18, 0.02]), np.array([0.6, 0.7, 0.65, 0.69])
    charge = Charge(mass=40.0, mixture_loss=0.62, candidate_losses=losses, shares_used_loss=0.66)

    paid = shares * np.exp(-40 * losses)
    assert charged(shares, charge, SMALL) == pytest.approx(0.98 * paid / paid.sum() + 0.02 / 4)
    after = certify(Certificate(np.ones(4)), shares, charge)
    assert after.excess == pytest.approx(1 + 40 * (0.62 - losses))
    assert after.gap == pytest.approx(40 * shares @ losses + np.log(shares @ np.exp(-40 * losses)))
    assert after.drift == pytest.approx(40 * (0.66 - shares @ losses))


def test_a_state_comes_back_from_its_bytes_exactly() -> None:
    state = nights(ledger(60), LAST)[-1].procedure.learner

    back = LearnerState.from_bytes(state.to_bytes())

    assert back.to_bytes() == state.to_bytes()
    assert (back.candidates == state.candidates).all()
    assert back.state_hash == state.state_hash


def test_bytes_of_another_format_are_refused() -> None:
    with pytest.raises(ValueError, match="rebuild it from the ledger"):
        LearnerState.from_bytes(b'{"kind":"learner_state","format":99}')


def test_weights_come_back_from_their_bytes_exactly() -> None:
    weights = nights(ledger(60), LAST)[-1].weights

    assert weights_to_bytes(weights_from_bytes(weights_to_bytes(weights))) == weights_to_bytes(weights)


REBUILD = """
import sys
sys.path.insert(0, {project!r})
from tests.learning.ledgers import ledger, nights
from learning.config import Config
print(nights(ledger(300, seed=4, days=5), 7, config=Config())[-1].procedure.digest)
"""


def test_another_process_rebuilds_the_same_bytes_from_the_ledger() -> None:
    here = nights(ledger(300, seed=4, days=5), 7, config=Config())[-1].procedure.digest
    code = REBUILD.format(project=str(Path(__file__).resolve().parents[2]))

    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert there.stdout.strip() == here


def test_a_night_cannot_be_learned_twice_from_its_own_state() -> None:
    events = ledger(40)
    done = nights(events, 3)[-1].procedure

    with pytest.raises(ValueError, match="does not follow night 3"):
        run_night(done, events, today=3, config=SMALL)


def test_another_code_or_constant_makes_another_hash() -> None:
    events = ledger(40)

    plain = nights(events, 3)[-1].procedure.learner.state_hash
    other = nights(events, 3, config=replace(SMALL, ridge=12.0))[-1].procedure.learner.state_hash

    assert plain != other


# Defects of the earlier system (learning.md 7).


def test_equal_skills_keep_nearly_equal_weights() -> None:
    draw = np.random.default_rng(3)
    truth = np.where(draw.uniform(size=10) < 0.5, 1.0, -1.0)
    evidence = 0.8 * truth[:, None] + draw.normal(0, 1, (10, 3))
    events = make_events(
        key=[bytes([65 + row]) for row in range(10)],
        decided_day=0,
        matured_day=1,
        evidence=evidence,
        won_long=truth > 0,
        won_short=truth < 0,
    )

    beta = nights(events, 1)[-1].weights.beta

    assert beta.max() / beta.min() < 1.6


def test_a_head_that_votes_short_is_scored_on_the_short_bracket() -> None:
    events = ledger(80, asleep=0.0)
    bear = np.where(events.won_short, -1.0, -0.2)
    evidence = np.column_stack([bear, np.zeros(len(events)), np.zeros(len(events))])

    beta = nights(changed(events, evidence=evidence), LAST + 3)[-1].weights.beta

    assert beta[0] > EQUAL_BETA


def test_a_head_that_is_right_half_the_time_loses_weight() -> None:
    events = ledger(3000, skill=0.0, days=3, asleep=0.0)

    beta = nights(events, 5, config=Config())[-1].weights.beta

    assert (np.abs(beta) < 0.12).all()


def test_the_configured_step_and_the_minimum_of_events_are_read() -> None:
    events = ledger(400, days=2, skill=2.0)
    short = nights(events, 2, config=replace(SMALL, step_share=0.01))[-1].weights.beta
    long = nights(events, 2, config=replace(SMALL, step_share=0.5))[-1].weights.beta
    needy = nights(events, 2, config=replace(SMALL, minimum_events=1e6))[-1]

    assert length(short - EQUAL_BETA) < 0.02 < length(long - EQUAL_BETA)
    assert (needy.weights.beta == EQUAL_BETA).all()
    assert needy.draft.status == "rejected"
    assert "1000000 needed" in needy.draft.reason


def test_a_reliably_wrong_head_counts_against_its_own_vote_only_once_proven() -> None:
    events = ledger(4000, days=6, skill=0.4, asleep=0.0)
    config = Config()

    hopeful = nights(events, 8, config=replace(config, negative_events=1e9))[-1].procedure.learner.candidates
    proven = nights(events, 8, config=config)[-1]

    assert (hopeful[:, 2:] >= 0).all()
    assert proven.procedure.learner.candidates[0, 4] < -0.1
    assert proven.weights.beta[2] < 0
    assert proven.weights.polarity[2] == -1


def test_equal_and_zero_learn_base_rates_and_nothing_else() -> None:
    state = nights(ledger(300, base=0.4), LAST)[-1].procedure.learner

    assert (state.candidates[equal_index(SMALL), 2:] == EQUAL_BETA).all()
    assert (state.candidates[zero_index(SMALL), 2:] == 0).all()
    wins = state.candidates[zero_index(SMALL), :2]
    assert (wins < -0.3).all()


def test_a_ledger_beyond_the_sample_size_says_so_and_learns_the_same_lesson() -> None:
    events = ledger(6000, days=3, skill=0.5)

    whole = nights(events, 5, config=Config())[-2]
    part = nights(events, 5, config=replace(Config(), sample_size=3000))[-2]

    assert part.draft.evidence["sampled_to"] == 3000
    assert part.draft.evidence["sampled_from"] > 3000
    assert part.draft.evidence["effective_events"] == pytest.approx(whole.draft.evidence["effective_events"], rel=0.1)
    assert part.weights.beta == pytest.approx(whole.weights.beta, abs=0.1)


def test_the_interface_for_benchmarks_is_the_job_itself() -> None:
    events = ledger(200, days=1)
    learner = NightlyLearner(HEADS)

    learner.night(1, events.decided_day, events.evidence, events.won_long)

    assert learner.weights.shape == (3,)
    assert learner.bias == pytest.approx([-learner.bias[1], learner.bias[0] * -1])
    assert learner.last is not None
    assert learner.last.procedure is learner.procedure


def test_the_interface_does_not_mind_the_order_of_a_batch() -> None:
    events = ledger(150, days=2)
    plain, mixed = NightlyLearner(HEADS), NightlyLearner(HEADS)
    other = shuffled(events, 5)

    plain.night(3, events.decided_day, events.evidence, events.won_long)
    mixed.night(3, other.decided_day, other.evidence, other.won_long)

    assert plain.procedure.digest == mixed.procedure.digest
