"""The defects of the earlier system (learning.md 7), each with the test that would see it come back.

Most are watched where the code they concern is tested: the table says where. The rest stand below it.
"""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.db import InternalError, transaction
from django.utils import timezone

from ingestion.candles import store_candles
from ingestion.models import CandleSource, Symbol
from ingestion.partitions import ensure_partitions
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES
from learning import ledger, selectors
from learning.by_hand import rollback
from learning.calendar import WEEKLY, DueJob
from learning.chains import verify_chain
from learning.config import Config
from learning.events import make_events
from learning.labels import Label, events_of
from learning.lessons import Memory, ScanFigure
from learning.models import LearningEvent, LearningState
from learning.stated import stated_of
from learning.versions import ensure_birth
from learning.weekly import teach_week
from signals import services
from signals.bracket import Costs
from signals.first_touch import Order, first_touch
from signals.heads import HEADS
from signals.heads.base import Needs, Votes
from signals.models import RejectedSignal, ScanHistory, Signal
from signals.rows import to_ms, to_time
from signals.scan import Rules, look
from signals.segments import segments
from signals.window import Window
from tests.analytics import rows
from tests.learning.ledgers import SMALL, nights
from tests.signals.market import START_MS, candles, random_walk

HERE = "test_defects"
DEFECTS: dict[str, tuple[str, ...]] = {
    "votes keyed by other names than the weights, so learning changed nothing": (
        "signals/test_services::test_weights_keyed_by_other_names_than_the_votes_are_refused",
        "signals/test_services::test_the_nights_weights_are_used_as_soon_as_the_night_is_learned",
        "signals/test_consensus::test_changing_the_weights_changes_the_side",
    ),
    "a LONG or SHORT vote counted as agreed whatever the signal's side": (
        "signals/test_gates::test_a_vote_for_the_other_side_is_not_agreement",
        "learning/test_learner::test_a_head_that_votes_short_is_scored_on_the_short_bracket",
    ),
    "configured minimum samples and maximum step never read": (
        "learning/test_learner::test_the_configured_step_and_the_minimum_of_events_are_read",
    ),
    "bounds broken by normalising after clipping": (
        "learning/test_learner::test_every_projection_keeps_step_bounds_and_sleepers",
        "learning/test_learner::test_no_night_steps_further_than_the_cap_or_leaves_the_bounds",
    ),
    "abstaining punished": (
        "learning/test_learner::test_a_head_that_abstained_tonight_is_untouched_to_the_bit",
        "signals/test_consensus::test_an_abstaining_head_is_absent",
    ),
    "the same outcome learned online, nightly and weekly": (
        f"{HERE}::test_recording_an_outcome_teaches_nothing_by_itself",
        f"{HERE}::test_the_week_changes_no_weight",
        "learning/test_learner::test_any_order_and_any_number_of_copies_give_the_same_bytes",
        "learning/test_live_equals_replay::test_every_matured_outcome_is_one_learning_event",
    ),
    "a read-modify-write cache overwrote the jobs' versions": (f"{HERE}::test_a_stored_version_cannot_be_overwritten",),
    "status committed before learning: a crash lost the outcome": (
        f"{HERE}::test_an_outcome_whose_learning_crashed_is_found_by_the_next_attempt",
    ),
    "shadows without price or votes": (
        "learning/test_live_equals_replay::test_every_lean_is_priced_and_none_is_pending_after_its_limit",
        f"{HERE}::test_a_learning_event_carries_the_votes_of_its_scan",
    ),
    "oldest-100 polling starved by shadows that never resolve": (
        f"{HERE}::test_many_old_decisions_that_cannot_end_do_not_keep_a_new_one_from_ending",
    ),
    "expired shadows never fetched, so that neutral never happened": (
        "signals/test_services::test_what_is_still_open_at_its_limit_ends_by_time",
        "analytics/test_rejections_and_totals::test_rejections_are_good_missed_or_neutral",
    ),
    "outcome from one polled last price: wicks and downtime missed": (
        "signals/test_services::test_a_wick_during_downtime_ends_a_bracket",
        "signals/test_services::test_tracking_late_equals_tracking_minute_by_minute",
    ),
    "target tested before stop": (
        "signals/test_first_touch::test_the_stop_comes_first_when_one_minute_touches_both_and_says_so",
    ),
    "a 0.1 % trigger in one's favour": (f"{HERE}::test_a_target_missed_by_a_hair_is_missed",),
    "win = profit above zero before fees": (
        "signals/test_first_touch::test_a_win_before_fees_can_be_a_loss_after_them",
        f"{HERE}::test_what_only_fees_turn_into_a_loss_is_learned_as_a_loss",
    ),
    "win rates of 50-55 % raised a weight they were meant to lower": (
        "learning/test_learner::test_a_head_that_is_right_half_the_time_loses_weight",
    ),
    "an improvement of 1 % per raised head invented, then deployed": (
        "analytics/test_advice::test_heads_that_know_nothing_are_left_alone",
        "analytics/test_endpoints_without_data::test_no_figure_is_invented",
        "learning/test_nightly::test_a_market_in_which_nobody_knows_anything_leaves_the_pool_quiet",
    ),
    "no rollback": (f"{HERE}::test_a_rollback_puts_the_old_weights_in_force_to_the_bit",),
    "no held-out data": (
        "learning/test_nightly::test_each_scan_is_scored_with_the_state_live_when_it_was_decided",
        "learning/test_planted::test_outcomes_leaked_one_night_early_are_caught_by_scoring_before_learning",
    ),
    "no intervals": (
        "analytics/test_performance::test_no_trend_is_told_from_a_handful_of_trades",
        "learning/test_evaluation::test_a_week_of_28_trades_is_known_to_sixteen_points",
    ),
    "equal skills drifted to a 4:1 weight ratio after ten outcomes": (
        "learning/test_learner::test_equal_skills_keep_nearly_equal_weights",
        f"{HERE}::test_identical_heads_keep_equal_weights",
    ),
    "errors became neutral votes and were learned from": (f"{HERE}::test_a_head_that_breaks_stops_the_scan",),
    "momentum wanted by the bias, mean reversion by the entry: rejection 100 %": (
        "signals/test_technical::test_trend_and_momentum_do_not_cancel_by_construction",
        "learning/test_live_equals_replay::test_a_week_of_real_candles_has_signals_and_many_more_rejections",
    ),
    "a second worker doubled everything": (
        "signals/test_services::test_four_processes_at_once_look_at_a_chunk_once",
        "signals/test_services::test_four_processes_at_once_decide_a_close_once",
        "signals/test_services::test_four_processes_at_once_record_each_outcome_once",
        "alphapulse_site/test_jobs::test_four_processes_at_once_do_a_job_once",
    ),
}

QUARTER = TIMEFRAMES["15m"]
MINUTE = timedelta(minutes=1)
UP = (100.0, 102.5, 99.9, 102.0)
FLAT = (100.0, 100.2, 99.8, 100.0)


def test_every_test_named_in_the_table_exists() -> None:
    folder, missing = Path(__file__).parent, []
    for name in (name for names in DEFECTS.values() for name in names):
        file, _, test = name.partition("::")
        source = folder / f"{file}.py"
        if not source.exists() or not re.search(rf"^def {test}\(", source.read_text(), re.MULTILINE):
            missing.append(name)

    assert missing == []


# --- outcomes and the ledger ------------------------------------------------------------------------------------------


OPENED = to_time(START_MS)
ENDED = OPENED + 3 * MINUTE


def rising_market() -> None:
    """Three minutes of BTCUSDT, in the second of which a long from 100 reaches its target and a short its stop."""
    Symbol.objects.create(name="BTCUSDT", base_asset="BTC", quote_asset="USDT", listed_at=OPENED)
    store_candles({"BTCUSDT": candles([FLAT, UP, FLAT])}, source=CandleSource.IMPORT)


def ended_shadow() -> RejectedSignal:
    """A shadow with its scan that the poll has brought to its end; no learning has run."""
    rising_market()
    shadow = rows.shadow(None, OPENED, entry=None)
    ensure_partitions("scan_history", OPENED, ENDED)
    rows.scan(OPENED, shadow.scan_id)
    assert services.track(RejectedSignal, until=ENDED) == 1
    shadow.refresh_from_db()
    return shadow


def append() -> int:
    return ledger.append_outcomes(timeframe=QUARTER, until=ENDED, rules=Rules())


def append_and_die() -> None:
    with transaction.atomic():
        append()
        raise ZeroDivisionError


@pytest.mark.django_db
def test_an_outcome_whose_learning_crashed_is_found_by_the_next_attempt() -> None:
    shadow = ended_shadow()

    # The outcome is stored; the process dies while it appends, before its transaction ends.
    with pytest.raises(ZeroDivisionError):
        append_and_die()
    assert not LearningEvent.objects.exists()

    assert append() == 1
    assert LearningEvent.objects.get().scan_id == shadow.scan_id
    assert append() == 0


@pytest.mark.django_db
def test_a_learning_event_carries_the_votes_of_its_scan() -> None:
    shadow = ended_shadow()

    append()

    event = LearningEvent.objects.get()
    scan = ScanHistory.objects.get(scan_id=shadow.scan_id)
    assert event.evidence is not None
    assert len(event.evidence) == len(HEADS)
    assert [np.sign(value) for value in event.evidence] == scan.directions
    assert (event.net_r, event.mirror_net_r, event.side) == (shadow.net_r, shadow.mirror_net_r, shadow.direction)
    assert event.net_r is not None
    assert event.mirror_net_r is not None
    assert event.net_r > 1.5 > -1 > event.mirror_net_r


@pytest.mark.django_db
def test_recording_an_outcome_teaches_nothing_by_itself() -> None:
    ensure_birth()
    before = list(LearningState.objects.values())
    rising_market()
    rows.signal(None, OPENED, entry=None)

    assert services.track(Signal, until=ENDED) == 1

    assert list(LearningState.objects.values()) == before
    assert not LearningEvent.objects.exists()


@pytest.mark.django_db
def test_many_old_decisions_that_cannot_end_do_not_keep_a_new_one_from_ending() -> None:
    rising_market()
    # No candle of this symbol will ever come: its shadows stay open, and they are the oldest.
    for step in range(150):
        rows.shadow(None, OPENED - timedelta(days=30) + step * MINUTE, symbol="AAAUSDT", entry=None)
    rows.shadow(None, OPENED, entry=None)

    ended = services.track(RejectedSignal, until=ENDED)

    assert ended == 1
    assert RejectedSignal.objects.get(symbol="BTCUSDT").outcome == "target"
    assert RejectedSignal.objects.filter(symbol="AAAUSDT", outcome="").count() == 150


@pytest.mark.parametrize("short_of", [0.0, 1e-9, 0.001])
def test_a_target_missed_by_a_hair_is_missed(short_of: float) -> None:
    order = Order(1, 99.0, 102.0, 1.0, START_MS, START_MS + 60 * MINUTE_MS)
    high = 102.0 * (1 - short_of)

    found = first_touch(order, candles([FLAT, (100.0, high, 99.9, 100.0)]), START_MS + 2 * MINUTE_MS, Costs())

    assert (found is not None) is (short_of == 0.0)


def test_what_only_fees_turn_into_a_loss_is_learned_as_a_loss() -> None:
    costs = Costs()
    order = Order(1, 99.0, 102.0, 1.0, START_MS, START_MS + 2 * MINUTE_MS)
    path = candles([(100.0, 100.1, 99.9, 100.1)] * 2)
    free = first_touch(order, path, START_MS + 2 * MINUTE_MS, Costs(0.0, 0.0))
    paid = first_touch(order, path, START_MS + 2 * MINUTE_MS, costs)
    assert free is not None
    assert paid is not None
    assert free.net_r > 0

    events = events_of([label(net_r=paid.net_r, mirror_net_r=-1.0)], 1)

    assert not events.won_long[0]
    assert not events.won_short[0]


def label(**columns: object) -> Label:
    common: dict[str, object] = {
        "scan_id": rows.uuid4(),
        "symbol": "BTCUSDT",
        "decided_ms": START_MS,
        "expires_ms": START_MS + 2 * MINUTE_MS,
        "ended_ms": START_MS + 2 * MINUTE_MS,
        "side": 1,
        "is_signal": True,
        "is_eligible": True,
        "is_void": False,
        "evidence": (0.5,),
        "win_probability": 0.4,
        "expected_r": 0.1,
        "cost_r": 0.24,
        "uniqueness": 1.0,
        "weight_version": 1,
    }
    return Label(**(common | columns))  # type: ignore[arg-type]


# --- what is learned --------------------------------------------------------------------------------------------------


def test_identical_heads_keep_equal_weights() -> None:
    draw = np.random.default_rng(7)
    truth = np.where(draw.uniform(size=10) < 0.5, 1.0, -1.0)
    vote = 0.8 * truth + draw.normal(0, 1, 10)
    events = make_events(
        key=[bytes([65 + row]) for row in range(10)],
        decided_day=0,
        matured_day=1,
        evidence=np.column_stack([vote] * 3),
        won_long=truth > 0,
        won_short=truth < 0,
    )

    beta = nights(events, 3)[-1].weights.beta

    assert np.ptp(beta) < 1e-9
    assert nights(events, 3, config=replace(SMALL, step_share=1.0))[-1].weights.beta.min() > 0


def test_the_week_changes_no_weight() -> None:
    memory = Memory.at_birth(Config())
    sunday = DueJob(to_ms(rows.NOW), WEEKLY)
    scans = [ScanFigure(sunday.cut_off_ms - step, 0.001 * step, True, True, False) for step in range(5000)]

    lesson = teach_week(sunday, memory, scans, stated_of([], {}), Config())

    assert [draft.state_type for draft in lesson.drafts] == ["thresholds", "calibration"]
    assert lesson.memory.thresholds != memory.thresholds
    assert lesson.memory.weights is memory.weights
    assert lesson.memory.procedure is memory.procedure


@pytest.mark.django_db
def test_a_stored_version_cannot_be_overwritten() -> None:
    """A job's version stays what it was, however stale the copy that somebody would write back."""
    stale = rows.version()
    rows.version(weights=rows.weights(0.3))

    stale.content = {"heads": [], "beta": [], "bias": []}
    with pytest.raises(InternalError, match="immutable"), transaction.atomic():
        stale.save(update_fields=["content"])
    with pytest.raises(InternalError, match="immutable"), transaction.atomic():
        LearningState.objects.filter(pk=stale.pk).delete()

    assert [row.content["beta"][0] for row in LearningState.objects.order_by("version")] == [0.2, 0.3]


@pytest.mark.django_db
def test_a_rollback_puts_the_old_weights_in_force_to_the_bit() -> None:
    ensure_birth()
    rows.market_clock()
    old = rows.version(weights=rows.weights(0.1 + 0.2))
    rows.version(weights=rows.weights(0.4), effective_from=rows.NOW)

    made = rollback(state_type="head_weights", version=old.version, by="somebody")

    close = rows.NOW + timedelta(minutes=15)
    in_force = selectors.version_for(close, tried_since=timezone.now())
    assert in_force is not None
    assert in_force.weight_version == made.version == old.version + 2
    assert in_force.weights.beta.tobytes() == selectors.weights_from(old.content).beta.tobytes()
    assert LearningEvent.objects.get().kind == "rollback"
    assert verify_chain() == []


# --- the scan ---------------------------------------------------------------------------------------------------------


class Broken:
    """A head with a bug."""

    name, letter, needs = "broken", "Z", Needs()

    def vote(self, window: Window) -> Votes:
        raise ZeroDivisionError("the bug")


def test_a_head_that_breaks_stops_the_scan() -> None:
    """The error goes up, so that the close stays undecided; a neutral vote would have been stored and learned from."""
    minutes = random_walk(8 * 1440, 1)
    close_ms = int(minutes.open_ms[-1]) // QUARTER.ms * QUARTER.ms
    found = list(segments(minutes, QUARTER, close_ms, close_ms))
    assert found

    with pytest.raises(ZeroDivisionError, match="the bug"):
        look("BTCUSDT", found, {}, (*HEADS, Broken()), Rules())
