"""The running system and a replay of the same candles make the same decisions, bit for bit."""

from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from django.core.management import call_command
from django.db.models import Q

from alphapulse_site.clock import advance_market_clock
from alphapulse_site.models import JobRun
from analytics.selectors.scans import why
from ingestion.models import BackfillRun, CandleGap, CandleRevision, MarketFeed, Symbol
from ingestion.timeframes import TIMEFRAMES
from learning.bootstrap import bootstrap
from learning.calendar import DAILY
from learning.certify import Certificate, certify
from learning.chains import verify_chain
from learning.models import ActiveLearningState, LearningEvent, LearningState, RejectionLearningMetrics
from learning.replay import Replayed, digest_of, replay
from learning.school import School
from learning.selectors import version_of, weights_from
from learning.versions import calibration_content, create_version
from learning.walk import Given
from signals import services as scans
from signals.consensus import Calibration, evidence
from signals.digests import decisions_digest
from signals.heads import HEADS
from signals.models import LateScan, RejectedSignal, ScanClose, ScanHistory, Signal
from signals.mood import MOOD_FIELDS
from signals.rows import to_ms, to_time
from signals.scan import Rules
from tests.learning import aftermath
from tests.learning.conftest import HISTORY_END, LIVED_UNTIL, QUARTER, Lived, import_history
from tests.learning.made_up_feeds import made_up_feeds, store_feeds

pytestmark = pytest.mark.django_db


def replayed(
    lived: Lived, *, until_ms: int = to_ms(LIVED_UNTIL), given: Given | None = None
) -> tuple[School, Replayed]:
    """A replay of the candles up to then, from a school that has not learned yet."""
    school = School()
    first_ms = min(int(candles.open_ms[0]) for candles in lived.minutes.values())
    done = replay(
        {symbol: candles.between(0, until_ms) for symbol, candles in lived.minutes.items()},
        timeframe=TIMEFRAMES["15m"],
        rules=Rules(),
        teacher=school,
        first_close_ms=first_ms,
        last_close_ms=until_ms,
        given=given or lived.given,
    )
    return school, done


def stored_ids(until_ms: int) -> list[UUID]:
    """Ids of the decided scans that closed by then, in the order of a digest."""
    stored = ScanHistory.objects.filter(close_time__lte=to_time(until_ms)).order_by("close_time", "symbol")
    return [scan_id for scan_id in stored.values_list("scan_id", flat=True) if scan_id is not None]


def test_live_decisions_have_the_digest_of_a_replay(lived: Lived) -> None:
    _, done = replayed(lived)

    stored = stored_ids(until_ms=to_ms(LIVED_UNTIL))

    assert len(stored) == sum(len(decided.decisions) for decided in done.walk.closes)
    assert decisions_digest(stored) == digest_of(done.walk.closes)


def test_live_learned_the_versions_that_a_replay_learns(lived: Lived) -> None:
    school, _ = replayed(lived)

    drafts = [draft.weights for lesson in school.lessons for draft in lesson.drafts if draft.weights]
    stored = LearningState.objects.filter(state_type="head_weights", version__gt=1).order_by("version")

    told = {lesson.job.period: lesson.memory.procedure.digest for lesson in school.lessons}
    assert [row.content["beta"] for row in stored][: len(drafts)] == [draft.beta.tolist() for draft in drafts]
    assert [row.content["bias"] for row in stored][: len(drafts)] == [draft.bias.tolist() for draft in drafts]
    assert {"2021-06-15", "2021-06-16", "2021-06-17"} == set(told)


def test_the_lived_night_says_what_the_replayed_one_says(lived: Lived) -> None:
    school, _ = replayed(lived)
    run = JobRun.objects.get(job=DAILY, period="2021-06-17")

    told = {lesson.job.period: lesson.report for lesson in school.lessons if lesson.job.job == DAILY}[run.period]

    assert run.report == told
    assert " twins differ by +0.000 R, agree in 100.0 %" in told["verdicts"]["twins"]["reason"]


def test_certify_finds_no_difference(lived: Lived) -> None:
    found = certify()

    assert found.differences == []
    assert found.scans == ScanHistory.objects.count() > 400
    assert found.outcomes == Signal.objects.count() + RejectedSignal.objects.count() > 250


def test_certify_notices_a_changed_bit(lived: Lived) -> None:
    row = ScanHistory.objects.filter(lean=1).earliest("close_time")
    chosen = ScanHistory.objects.filter(symbol=row.symbol, timeframe=row.timeframe, close_time=row.close_time)
    chosen.update(log_odds=row.log_odds * (1 + 2**-52))

    assert [line.rsplit(": ", 1)[1] for line in certify().differences] == ["log_odds"]


@pytest.mark.parametrize(("offset", "noticed"), [(-1, False), (0, True)])
def test_a_mood_is_certified_from_the_first_close_that_is_asked_for(lived: Lived, offset: int, noticed: bool) -> None:
    since = ScanHistory.objects.latest("close_time").close_time
    changed = since + offset * timedelta(milliseconds=QUARTER)
    # Not the realised volatility, which later moods read.
    mood = MarketFeed.objects.get(name="mood.15m", as_of=changed)
    mood.values[MOOD_FIELDS.index("symbols")] += 1
    mood.save(update_fields=["values"])

    found = certify(since=since).differences

    assert any(line.startswith("mood ") for line in found) == noticed


def test_all_six_tables_hold_rows(lived: Lived) -> None:
    for model in (
        LearningState,
        ActiveLearningState,
        LearningEvent,
        RejectedSignal,
        ScanHistory,
        RejectionLearningMetrics,
    ):
        assert model.objects.exists(), model


def test_a_bootstrap_of_all_that_was_lived_counts_the_same_refusals(lived: Lived) -> None:
    columns = [field.name for field in RejectionLearningMetrics._meta.fields if field.name != "id"]
    lived_through = sorted(RejectionLearningMetrics.objects.values_list(*columns), key=repr)
    counted_live = RejectionLearningMetrics.objects.filter(day=HISTORY_END.date() - timedelta(days=1))
    assert counted_live.count() > 10
    call_command("flush", interactive=False, verbosity=0)  # within the test's transaction
    import_history(LIVED_UNTIL)
    store_feeds(row for row in made_up_feeds() if row.available_at <= LIVED_UNTIL)

    bootstrap()

    assert sorted(RejectionLearningMetrics.objects.values_list(*columns), key=repr) == lived_through


def test_every_lean_is_priced_and_none_is_pending_after_its_limit(lived: Lived) -> None:
    for model in (Signal, RejectedSignal):
        rows = list(model.objects.all())
        assert all(row.stop_loss > 0 and row.take_profit > 0 and row.risk > 0 for row in rows)
        assert not [row for row in rows if row.expires_at <= LIVED_UNTIL and not (row.outcome and row.mirror_outcome)]
    leans = ScanHistory.objects.exclude(lean=0).count()
    assert leans == Signal.objects.count() + RejectedSignal.objects.count()


def test_a_week_of_real_candles_has_signals_and_many_more_rejections(lived: Lived) -> None:
    scans, signals = ScanHistory.objects.count(), Signal.objects.count()

    assert 0 < signals < 0.1 * scans
    assert RejectedSignal.objects.count() > 10 * signals


def test_every_matured_outcome_is_one_learning_event(lived: Lived) -> None:
    ended = {
        row.scan_id
        for model in (Signal, RejectedSignal)
        for row in model.objects.filter(exit_at__lte=LIVED_UNTIL, mirror_exit_at__lte=LIVED_UNTIL)
    }
    told = list(LearningEvent.objects.filter(kind="outcome").values_list("scan_id", flat=True))

    assert set(told) == ended
    assert len(told) == len(ended)


def test_the_hash_chains_hold(lived: Lived) -> None:
    assert verify_chain() == []


def test_no_decision_used_a_candle_that_closed_after_it(lived: Lived) -> None:
    cut = to_ms(LIVED_UNTIL) - 20 * QUARTER
    _, done = replayed(lived, until_ms=cut)

    assert decisions_digest(stored_ids(until_ms=cut)) == digest_of(done.walk.closes)


def test_a_version_names_the_first_and_last_event_it_was_learned_from(lived: Lived) -> None:
    learned = LearningState.objects.filter(state_type="head_weights", event_count__gt=0)

    assert learned.exists()
    for version in learned:
        known = LearningEvent.objects.filter(Q(scan_id=version.first_event) | Q(scan_id=version.last_event))
        assert known.count() == (1 if version.event_count == 1 else 2)


def test_every_head_voted_and_the_feeds_were_seen(lived: Lived) -> None:
    votes = np.array([row.directions for row in ScanHistory.objects.all()])
    awake = dict(zip([head.name for head in HEADS], (votes != 0).mean(axis=0).tolist(), strict=True))

    assert 0 < awake["crypto_metrics"] < 1
    assert awake["sentiment"] > 0


def test_without_its_feeds_a_replay_decides_otherwise(lived: Lived) -> None:
    _, done = replayed(lived, given=Given())

    assert decisions_digest(stored_ids(to_ms(LIVED_UNTIL))) != digest_of(done.walk.closes)


def test_a_reading_that_comes_after_a_decision_leaves_it_certified(lived: Lived) -> None:
    late = ScanHistory.objects.latest("close_time").close_time
    row = MarketFeed(name="crypto.funding", symbol="BNBUSDT", as_of=late, available_at=late + timedelta(minutes=1))
    row.values = [0.01]
    row.save()

    assert certify().differences == []


def test_a_reading_that_claims_to_have_been_there_breaks_the_certificate(lived: Lived) -> None:
    late = ScanHistory.objects.latest("close_time").close_time
    MarketFeed.objects.create(name="crypto.funding", symbol="BNBUSDT", as_of=late, available_at=late, values=[0.01])

    assert any("BNBUSDT" in line for line in certify().differences)


# --- certified with the candles of then -------------------------------------------------------------------------------

QUIET = "DOGEUSDT"
RESTATED = HISTORY_END + timedelta(hours=3, minutes=7)
AFTER_ALL = LIVED_UNTIL + timedelta(minutes=5)
FIRST_AFTER = LIVED_UNTIL + timedelta(milliseconds=QUARTER)


def lived_ones() -> Certificate:
    """The certificate of the closes that were lived, and not bootstrapped."""
    return certify(since=HISTORY_END + timedelta(minutes=1))


def test_closes_decided_by_a_calibration_are_certified_with_it(lived: Lived) -> None:
    made = create_version(
        "calibration",
        content=calibration_content(Calibration(0.5, -0.25)),
        status="active",
        created_by="test",
        effective_from=FIRST_AFTER,
    )
    aftermath.live_on(1)
    scans_then = ScanHistory.objects.filter(close_time=FIRST_AFTER).exclude(lean=0)

    assert ScanClose.objects.get(close_time=FIRST_AFTER).calibration_version == made.version
    assert ScanClose.objects.get(close_time=LIVED_UNTIL).calibration_version == 1
    for scan in scans_then:
        state = LearningState.objects.get(state_type="head_weights", version=scan.weight_version)
        weights = weights_from(state.content)
        pooled = sum(beta * said for beta, said in zip(weights.beta, evidence_of(scan), strict=True))
        stated = weights.bias[0 if scan.lean > 0 else 1] + abs(pooled)
        assert scan.win_probability == pytest.approx(1 / (1 + np.exp(0.25 - 0.5 * stated)), rel=1e-12)
        told = why(scan).explanation
        assert sum(vote.contribution for vote in told.votes) == pytest.approx(scan.log_odds, rel=1e-12)
        assert told.pool.win_probability == scan.win_probability
    assert scans_then.count() >= 3
    assert lived_ones().differences == []


def test_a_close_certified_with_another_calibration_differs(lived: Lived) -> None:
    create_version(
        "calibration",
        content=calibration_content(Calibration(0.5, -0.25)),
        status="active",
        created_by="test",
        effective_from=FIRST_AFTER,
    )
    ScanClose.objects.filter(close_time=LIVED_UNTIL).update(calibration_version=2)

    found = lived_ones().differences

    assert any("win_probability" in line for line in found)
    assert all(f"{LIVED_UNTIL:%Y-%m-%d %H:%M}" in line for line in found)


def evidence_of(scan: ScanHistory) -> list[float]:
    columns = np.array(scan.directions, np.int8), np.array(scan.probabilities), np.array(scan.confidences)
    return list(evidence(*columns))


def test_a_candle_restated_after_the_decisions_leaves_them_certified(lived: Lived) -> None:
    aftermath.on_the_clock()
    aftermath.restate(QUIET, RESTATED, noted=AFTER_ALL)

    found = lived_ones()

    assert (found.differences, found.unclear) == ([], [])
    assert found.restated == (LIVED_UNTIL - RESTATED) // timedelta(milliseconds=QUARTER) + 1


def test_what_should_have_seen_the_restated_candle_differs(lived: Lived) -> None:
    aftermath.on_the_clock()
    aftermath.restate(QUIET, RESTATED, noted=LIVED_UNTIL - timedelta(minutes=20))

    found = lived_ones().differences

    blamed = [to_time(to_ms(LIVED_UNTIL) - back * QUARTER) for back in (1, 0)]
    assert {line[-16:] for line in (line.split(": ")[0] for line in found if line.startswith(QUIET))} >= {
        f"{close:%Y-%m-%d %H:%M}" for close in blamed
    }
    assert all(any(f"{close:%Y-%m-%d %H:%M}" in line for close in blamed) for line in found)


def test_a_revision_that_says_another_past_breaks_the_certificate(lived: Lived) -> None:
    aftermath.on_the_clock()
    aftermath.restate(QUIET, RESTATED, noted=AFTER_ALL)
    row = CandleRevision.objects.get()
    row.old_figures = [2 * figure if figure else None for figure in row.old_figures]
    row.save(update_fields=["old_figures"])

    assert any(line.startswith(QUIET) for line in lived_ones().differences)


def test_an_outcome_is_certified_with_the_candle_that_ended_it(lived: Lived) -> None:
    touched = RejectedSignal.objects.filter(outcome="stop", exit_at__gt=HISTORY_END, opened_at__gt=HISTORY_END)
    row = touched.latest("exit_at")
    assert row.exit_at is not None
    aftermath.flatten(row.symbol, row.exit_at - timedelta(minutes=1))
    aftermath.on_the_clock()
    CandleRevision.objects.update(noted_at=AFTER_ALL)
    assert lived_ones().differences == []

    CandleRevision.objects.all().delete()

    assert any("outcome" in line or "exit" in line for line in lived_ones().differences)


def test_closes_before_and_after_a_restatement_are_each_certified_with_what_they_saw(lived: Lived) -> None:
    # Noted long after the closes before and long before those after it: so near that it may have been seen or not is
    # another matter, and a slow machine must not make it this one.
    aftermath.on_the_clock()
    aftermath.restate(QUIET, RESTATED, noted=AFTER_ALL)

    aftermath.live_on(2)

    found = lived_ones()
    assert (found.differences, found.unclear) == ([], [])
    assert found.closes == 30
    assert found.restated > 0


def test_a_close_decided_with_a_hole_that_is_filled_later_is_certified_by_the_run_that_filled_it(lived: Lived) -> None:
    aftermath.live_on(1, without={QUIET: 4})
    aftermath.live_on(1, first=2)
    aftermath.long_ago()
    aftermath.fill(QUIET, FIRST_AFTER, 4)

    found = lived_ones()

    scan = ScanHistory.objects.get(symbol=QUIET, close_time=FIRST_AFTER + timedelta(minutes=15))
    assert (scan.missing_minutes, scan.rejection) == (4, "stale_data")
    assert (found.differences, found.unclear) == ([], [])
    assert (found.incomplete, found.restated) == (1, 2)
    BackfillRun.objects.all().delete()
    assert any(line.startswith(QUIET) for line in lived_ones().differences)


def test_a_late_scan_is_certified_with_the_candles_that_had_come_for_it(lived: Lived) -> None:
    aftermath.live_on(1, without={QUIET: 4})
    aftermath.live_on(1, first=2)
    aftermath.long_ago()
    before = lived_ones()
    aftermath.fill(QUIET, FIRST_AFTER, 4)

    version = version_of(scans.opened(close=FIRST_AFTER))
    made = [scans.scan_late(close=close, version=version) for close in scans.late_closes()]

    scan = ScanHistory.objects.get(symbol=QUIET, close_time=FIRST_AFTER)
    assert (made, scan.missing_minutes, scan.rejection) == ([1], 4, "stale_data")
    found = lived_ones()
    assert (before.differences, found.differences, found.unclear) == ([], [], [])
    assert (before.late, found.late, found.scans) == (0, 1, before.scans + 1)


def test_a_late_scan_whose_bits_were_changed_breaks_the_certificate(lived: Lived) -> None:
    aftermath.live_on(1, without={QUIET: 4})
    aftermath.fill(QUIET, FIRST_AFTER, 4)
    scans.scan_late(close=FIRST_AFTER, version=version_of(scans.opened(close=FIRST_AFTER)))
    assert lived_ones().differences == []

    ScanHistory.objects.filter(symbol=QUIET, close_time=FIRST_AFTER).update(missing_minutes=5)
    # The candles came within seconds of the look, so it is among what is unclear.
    changed = [*lived_ones().differences, *lived_ones().unclear]
    LateScan.objects.all().delete()

    assert any(line.startswith(f"{QUIET} 15m {FIRST_AFTER:%Y-%m-%d %H:%M}") for line in changed)
    assert any("stored, but not recomputed" in line for line in [*lived_ones().differences, *lived_ones().unclear])


def test_a_hole_that_is_still_open_or_was_explained_later_leaves_the_close_certified(lived: Lived) -> None:
    aftermath.live_on(1, without={QUIET: 4})
    still_open = lived_ones()
    aftermath.explain(QUIET, FIRST_AFTER - timedelta(minutes=4), FIRST_AFTER)

    assert (still_open.differences, lived_ones().differences) == ([], [])


def test_decisions_of_other_symbols_than_before_are_certified(lived: Lived) -> None:
    Symbol.objects.filter(name=QUIET).update(is_active=False)
    aftermath.live_on(1)

    found = lived_ones()

    assert not ScanHistory.objects.filter(symbol=QUIET, close_time__gt=LIVED_UNTIL).exists()
    assert (found.differences, found.closes) == ([], 29)


def test_what_a_delisting_left_void_is_certified(lived: Lived) -> None:
    held = RejectedSignal.objects.filter(symbol=QUIET, outcome="")
    assert held.exists()
    aftermath.live_on(1, without={QUIET: 15})
    aftermath.long_ago()
    aftermath.delist(QUIET, LIVED_UNTIL, ago=30)
    aftermath.live_on(1, first=2, without={QUIET: 15})

    found = certify()

    assert not held.exists()
    assert RejectedSignal.objects.filter(symbol=QUIET, outcome="void", exit_at=LIVED_UNTIL).exists()
    assert (found.differences, found.unclear) == ([], [])


def test_what_ran_out_before_the_delisting_was_noticed_is_certified_as_that(lived: Lived) -> None:
    later = LIVED_UNTIL + timedelta(hours=15)
    aftermath.explain(QUIET, LIVED_UNTIL, later)
    advance_market_clock(later)
    scans.track(RejectedSignal, until=later, symbols=[QUIET])

    aftermath.delist(QUIET, LIVED_UNTIL)

    assert RejectedSignal.objects.filter(symbol=QUIET, outcome="time", exit_at__gt=LIVED_UNTIL).exists()
    assert certify().differences == []
    CandleGap.objects.update(evidence={"delisted_at": LIVED_UNTIL.isoformat()})
    assert any("outcome" in line for line in certify().differences)
