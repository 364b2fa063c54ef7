"""Why or why not: what is told of a scan is what decided it, whether it was stored or made again."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import reduce
from math import exp, isfinite
from operator import add

import numpy as np
import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.plugin import DjangoDbBlocker

from ingestion.models import Candle
from signals.consensus import Weights
from signals.explained import EXPERTS, explained_scan
from signals.explanation import Reasons, as_kept, explained, packed, unpacked
from signals.gates import Thresholds
from signals.heads import HEADS
from signals.heads.base import MOST_REASONS, Needs, Reason, Votes
from signals.models import ScanHistory
from signals.scan import Rules, decide, judge
from signals.window import Window
from tests.signals.decided import HEAD_NAMES, looks_at_close
from tests.signals.frames import replayed
from tests.signals.lived_close import live_close, weights_of
from tests.signals.market import START_MS

BIRTH = Weights.at_birth(HEAD_NAMES)
NONE: dict[str, Reasons] = {}


# --- the pool, head by head -------------------------------------------------------------------------------------------


@given(
    votes=st.lists(st.integers(-1, 1), min_size=len(HEADS), max_size=len(HEADS)),
    beta=st.lists(st.floats(-3, 3), min_size=len(HEADS), max_size=len(HEADS)),
    stated=st.lists(st.floats(0.5, 0.95), min_size=len(HEADS), max_size=len(HEADS)),
    bias=st.floats(-2, 2),
)
def test_the_contributions_add_up_to_the_pooled_log_odds_with_nothing_left_over(
    votes: list[int], beta: list[float], stated: list[float], bias: float
) -> None:
    weights = Weights(HEAD_NAMES, np.array(beta), np.array([bias, -bias]))
    looks = looks_at_close(START_MS, {"BTCUSDT": 100.0}, {"BTCUSDT": votes}, stop=0.01)
    looks = replace(looks, probability=np.where(looks.direction != 0, stated, np.nan))
    judged = judge(looks, weights, Thresholds(), Rules())

    told = explained(judged, 0, weights, NONE, passed=[], rejection=None)

    assert reduce(add, (vote.contribution for vote in told.votes), 0.0) == judged.log_odds[0]
    assert [vote.contribution for vote in told.votes] == [vote.weight * vote.evidence for vote in told.votes]
    if told.pool.win_log_odds is None:
        assert (told.lean, told.pool.win_probability) == ("none", None)
    else:
        assert told.pool.win_probability == pytest.approx(1 / (1 + exp(-told.pool.win_log_odds)), abs=1e-12)


def test_the_gates_of_a_decision_have_their_verdicts_margins_and_units() -> None:
    looks = looks_at_close(START_MS, {"BTCUSDT": 100.0}, {"BTCUSDT": [1] * len(HEADS)}, stop=0.01)
    decided = decide(judge(looks, BIRTH, Thresholds(1.5), Rules()), [], BIRTH, Thresholds(1.5), Rules())

    told = explained(decided, 0, BIRTH, NONE, passed=decided.passed[0].tolist(), rejection=str(decided.reason[0]))

    quality, cooldown = told.gates[2], told.gates[4]
    assert (quality.passed, quality.margin, quality.unit) == (
        False,
        decided.expected_r[0] - 1.5,
        "expected R above the threshold",
    )
    assert (cooldown.passed, cooldown.margin) == (True, None)
    assert told.answer.startswith("No trade: the quality gate refused a long lean, low_quality (margin -")


def test_a_quorum_that_is_not_there_counts_heads() -> None:
    looks = looks_at_close(START_MS, {"BTCUSDT": 100.0}, {"BTCUSDT": [1] + [0] * (len(HEADS) - 1)}, stop=0.01)

    gate = explained(judge(looks, BIRTH, Thresholds(), Rules()), 0, BIRTH, NONE, passed=[], rejection=None).gates[1]

    assert (gate.gate, gate.passed, gate.margin, gate.unit) == ("consensus", None, -3.0, "heads short of the quorum")


def test_weights_of_other_heads_are_refused() -> None:
    looks = looks_at_close(START_MS, {"BTCUSDT": 100.0}, {"BTCUSDT": [1] * len(HEADS)}, stop=0.01)
    judged = judge(looks, BIRTH, Thresholds(), Rules())

    with pytest.raises(ValueError, match="use the scan's own version"):
        explained(judged, 0, Weights.at_birth(("technical", "volume")), NONE, passed=[], rejection=None)


# --- reasons in few bytes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Talker:
    """A head that only has names for its inputs."""

    name: str
    inputs: tuple[str, ...]
    letter: str = "T"
    needs: Needs = Needs()  # noqa: RUF009 - frozen

    def vote(self, window: Window) -> Votes:
        return Votes.of(*(np.full(len(window), np.nan),) * 3)

    def explain(self, window: Window, row: int) -> Reasons:
        return ()


TALKERS = [Talker("few", ("a", "b")), Talker("many", tuple(f"input {n}" for n in range(300))), Talker("none", ("x",))]


def reasons_of(head: Talker) -> st.SearchStrategy[Reasons]:
    reason = st.builds(Reason, st.sampled_from(head.inputs), st.floats(-1e38, 1e38), st.floats(-1, 1))
    return st.lists(reason, max_size=MOST_REASONS).map(tuple)


@given(given_reasons=st.tuples(*map(reasons_of, TALKERS)))
def test_reasons_come_back_as_they_were_packed(given_reasons: tuple[Reasons, ...]) -> None:
    stored = packed(given_reasons, TALKERS)
    back = unpacked(stored, TALKERS)

    assert len(stored) == 3 + 7 * sum(map(len, given_reasons))
    assert [[reason.name for reason in reasons] for reasons in back] == [
        [reason.name for reason in reasons] for reasons in given_reasons
    ]
    for before, after in zip(sum(given_reasons, ()), sum(back, ()), strict=True):
        assert np.float32(after.value) == np.float32(before.value)
        assert abs(after.pull - before.pull) <= 0.5 / 127 + 0.0005
    assert packed(back, TALKERS) == stored
    assert as_kept(given_reasons[1], TALKERS[1]) == back[1]


def test_what_comes_back_has_no_more_digits_than_were_kept() -> None:
    kept = as_kept((Reason("a", 72.49767303466797, 113 / 127),), TALKERS[0])

    assert kept == (Reason("a", 72.49767, 0.89),)


@pytest.mark.parametrize("value", [1e300, -1e300])
def test_a_figure_too_large_for_its_place_is_kept_as_the_largest(value: float) -> None:
    (kept,) = as_kept((Reason("a", value, 1.0),), TALKERS[0])

    assert np.isfinite(kept.value)
    assert kept.value * value > 0


def test_a_reason_that_is_no_input_is_refused() -> None:
    with pytest.raises(ValueError, match="append the name to its inputs"):
        packed([(Reason("unheard of", 1.0, 0.5),)], TALKERS[:1])


@pytest.mark.parametrize(("cut", "heads"), [(slice(0, -1), TALKERS), (slice(None), TALKERS[:1]), (slice(1), TALKERS)])
def test_reasons_of_other_heads_are_not_read(cut: slice, heads: list[Talker]) -> None:
    stored = packed([(Reason("b", 1.0, 0.5),), (Reason("input 299", 2.0, -1.0),), ()], TALKERS)

    with pytest.raises(ValueError, match="stored reasons"):
        unpacked(stored[cut], heads)


def test_names_of_inputs_are_unique_in_every_head() -> None:
    for expert in EXPERTS.values():
        assert len(set(expert.inputs)) == len(expert.inputs) <= 2**16


@pytest.mark.parametrize("name", EXPERTS)
def test_every_head_gives_few_reasons_within_bounds_and_from_its_inputs(name: str) -> None:
    expert, segment = EXPERTS[name], replayed("BTCUSDT", "15m")[-1]
    rows = segment.rows[:: max(len(segment.rows) // 25, 1)].tolist()

    for row in rows:
        reasons = expert.explain(replace(segment.window, first=row), row)

        assert len(reasons) <= MOST_REASONS
        assert len({reason.name for reason in reasons}) == len(reasons)
        assert {reason.name for reason in reasons} <= set(expert.inputs)
        assert all(isfinite(reason.value) and -1 <= reason.pull <= 1 for reason in reasons)
        assert list(reasons) == sorted(reasons, key=lambda reason: -abs(reason.pull))
        assert expert.explain(replace(segment.window, first=rows[0]), row) == reasons


# --- a close as it was lived ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Made once, since it takes a second or two; wiped after."""
    with django_db_blocker.unblock():
        live_close()
        yield
        call_command("flush", interactive=False, verbosity=0)


def scans() -> list[ScanHistory]:
    found = list(ScanHistory.objects.order_by("symbol"))
    assert len(found) == 5
    return found


@pytest.mark.django_db
def test_a_live_scan_is_stored_with_its_reasons_in_few_bytes(lived: None) -> None:
    for scan in scans():
        told = explained_scan(scan, weights_of(scan))

        given = {vote.head: vote.reasons for vote in told.explanation.votes}
        assert not told.recomputed
        assert len(bytes(scan.reasons or b"")) <= len(HEADS) * (1 + 7 * MOST_REASONS)
        assert len(given["technical"] or ()) == MOST_REASONS
        assert all(reasons is not None for reasons in given.values())


@pytest.mark.django_db
def test_what_was_stored_is_what_the_candles_give_again(lived: None) -> None:
    for scan in scans():
        stored = explained_scan(scan, weights_of(scan))
        scan.reasons = None

        again = explained_scan(scan, weights_of(scan))

        assert again.recomputed
        assert again.explanation == stored.explanation


@pytest.mark.django_db
def test_the_contributions_of_a_stored_scan_add_up_to_its_log_odds(lived: None) -> None:
    for scan in scans():
        told = explained_scan(scan, weights_of(scan)).explanation

        assert reduce(add, (vote.contribution for vote in told.votes), 0.0) == scan.log_odds
        assert told.pool.win_probability == scan.win_probability


@pytest.mark.django_db
def test_a_head_that_votes_otherwise_by_now_gives_no_reasons_for_the_vote_it_gave(lived: None) -> None:
    scan = scans()[0]
    scan.reasons = None
    scan.directions = [1 if scan.directions[0] <= 0 else -1, *scan.directions[1:]]
    scan.probabilities, scan.confidences = [0.6, *scan.probabilities[1:]], [0.5, *scan.confidences[1:]]

    told = explained_scan(scan, weights_of(scan))

    assert told.recomputed
    assert told.explanation.votes[0].reasons is None
    assert all(vote.reasons is not None for vote in told.explanation.votes[1:])


@pytest.mark.django_db
def test_without_candles_the_reasons_are_not_known_and_nothing_is_made_up(lived: None) -> None:
    scan = scans()[0]
    scan.reasons = None
    Candle.objects.filter(symbol=scan.symbol).delete()  # undone with the test's transaction

    told = explained_scan(scan, weights_of(scan))

    assert not told.recomputed
    assert [vote.reasons for vote in told.explanation.votes] == [None] * len(HEADS)
