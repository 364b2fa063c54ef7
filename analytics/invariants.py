"""What must hold in the database at any moment, each with what to do when it does not: invariants I1 to I9."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from alphapulse_site.celery import SCHEDULE
from alphapulse_site.models import MarketClock
from analytics.inputs import scans_with_other_candles
from ingestion.candles import EPOCH
from ingestion.selectors import feeds_are_fetched
from learning.chains import verify_chain

# Work that a poll or a long task may still owe, in wall time.
POLLS_OWED = 2 * SCHEDULE["shadow poll"][2]
TASK_OWED = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT) + 2 * SCHEDULE["learning reconciler"][2]
GAP_LIMIT = timedelta(hours=1)
# Funding is asked for every hour, and a hole in it three times before it is explained.
FEED_GAP_LIMIT = timedelta(hours=12)
SCANS_RECOMPUTED = 3


@dataclass(frozen=True)
class Finding:
    """One check: how many violations were found (`figure`), the first of them in words, and what to do about them."""

    name: str
    title: str
    passed: bool
    figure: int
    seen: str
    advice: str


@dataclass(frozen=True)
class Moment:
    """When the database is examined: market time, the exchange's last closed minute, their speed, the wall clock."""

    market: datetime
    exchange: datetime
    speed: float
    wall: datetime

    @classmethod
    def read(cls) -> "Moment":
        wall, clock = timezone.now(), MarketClock.objects.first()
        if clock is None:
            return cls(wall.replace(second=0, microsecond=0), wall, 1.0, wall)
        market = clock.closed_until or EPOCH
        return cls(market, max(market, clock.exchange_until or EPOCH), clock.speed, wall)

    def before(self, owed: timedelta) -> datetime:
        """The market time by which work that may be owed for that long (wall time) must be done."""
        return self.market - owed * max(self.speed, 1.0)


def found(name: str, title: str, violations: list[str], advice: str) -> Finding:
    passed = not violations
    return Finding(name, title, passed, len(violations), "" if passed else violations[0], "" if passed else advice)


def rows(sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def counted(name: str, title: str, sql: str, advice: str, **parameters: Any) -> Finding:
    """A finding of SQL that answers with one row a kind of violation: what it is, and how many there are."""
    kinds = [(what, int(count)) for what, count in rows(sql, **parameters) if count]
    seen = "; ".join(f"{count} {what}" for what, count in kinds)
    total = sum(count for _, count in kinds)
    return Finding(name, title, not total, total, seen, advice if total else "")


MISSING_MINUTES = """
WITH expected AS (
    SELECT name AS symbol, least(delisted_at, %(until)s) AS until,
        coalesce(listed_at, (SELECT min(open_time) FROM candles WHERE symbol = name)) AS since
    FROM symbols
), explained AS (
    SELECT symbol, unnest(range_agg(tstzrange(greatest(start, since), least("end", until)))) AS span
    FROM candle_gaps JOIN expected USING (symbol)
    WHERE status = 'explained' AND "end" > since AND start < until GROUP BY symbol
), counted AS (
    SELECT symbol, extract(epoch FROM until - since) / 60 AS minutes, (
        SELECT count(*) FROM candles AS c
        WHERE c.symbol = e.symbol AND open_time >= since AND open_time < until AND NOT off_grid
            AND NOT EXISTS (SELECT FROM explained AS x WHERE x.symbol = c.symbol AND x.span @> c.open_time)
    ) AS candles, (
        SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span)) / 60), 0) FROM explained AS x
        WHERE x.symbol = e.symbol
    ) AS explained
    FROM expected AS e WHERE since < until
)
SELECT 'minutes of ' || symbol || ' are neither a candle nor explained', minutes - candles - explained FROM counted
ORDER BY symbol"""


def every_minute_is_there(moment: Moment) -> Finding:
    advice = "run manage.py backfill; what the exchange does not have is then explained"
    return counted("I1", "every minute is a candle or explained", MISSING_MINUTES, advice, until=moment.market)


OPEN_CANDLES = """
SELECT 'candles that close after the exchange''s last closed minute', count(*) FROM candles
WHERE open_time > %(exchange)s - interval '1 minute'"""


def no_open_candle(moment: Moment) -> Finding:
    advice = "check the machine's clock (NTP); delete these candles and run manage.py backfill"
    return counted("I2", "no open candle is stored", OPEN_CANDLES, advice, exchange=moment.exchange)


BAD_CANDLES = """
SELECT 'candles with high or low on the wrong side', count(*) FROM candles
    WHERE NOT (high >= greatest(open, close, low) AND low <= least(open, close, high))
UNION ALL SELECT 'candles with a price or volume that is no finite number', count(*) FROM candles
    WHERE NOT (low > 0 AND high < 'Infinity' AND open < 'Infinity' AND close < 'Infinity'
        AND volume >= 0 AND volume < 'Infinity')
UNION ALL SELECT 'candles off the minute grid without the flag', count(*) FROM candles
    WHERE NOT off_grid AND open_time <> date_trunc('minute', open_time)"""


def candles_are_sane(moment: Moment) -> Finding:
    advice = "the table's checks are gone or not valid: restore them, delete these candles, run manage.py backfill"
    return counted("I3", "candles are sane", BAD_CANDLES, advice)


TRACKED = """
WITH tracked AS (
    SELECT scan_id, opened_at, expires_at, outcome, exit_at, net_r, mirror_outcome, mirror_exit_at, mirror_net_r
    FROM signals
    UNION ALL
    SELECT scan_id, opened_at, expires_at, outcome, exit_at, net_r, mirror_outcome, mirror_exit_at, mirror_net_r
    FROM rejected_signals
), sides AS (
    SELECT opened_at, expires_at, outcome, exit_at, net_r FROM tracked
    UNION ALL SELECT opened_at, expires_at, mirror_outcome, mirror_exit_at, mirror_net_r FROM tracked
)"""
OUTCOMES = f"""{TRACKED}
SELECT 'leans past their time limit without an outcome', count(*) FROM tracked
    WHERE expires_at <= %(owed)s AND (outcome = '' OR mirror_outcome = '')
UNION ALL SELECT 'outcomes before their time or after the limit', count(*) FROM sides
    WHERE outcome <> '' AND NOT (exit_at > opened_at AND exit_at <= expires_at
        AND (exit_at <= %(market)s OR outcome = 'void' AND exit_at <= %(market)s + interval '1 minute')) IS TRUE
UNION ALL SELECT 'time-outs before the time limit', count(*) FROM sides WHERE outcome = 'time' AND exit_at < expires_at
UNION ALL SELECT 'outcomes without a result, or results without an outcome', count(*) FROM sides
    WHERE (outcome IN ('target', 'stop', 'time')) <> (net_r IS NOT NULL)
UNION ALL SELECT 'leans that are both signal and shadow', count(*) FROM signals JOIN rejected_signals USING (scan_id)
UNION ALL SELECT 'leans voided by hand that are not void since then', count(*) FROM voided_decisions AS by_hand
    WHERE NOT EXISTS (SELECT FROM tracked WHERE tracked.scan_id = by_hand.scan_id AND outcome = 'void'
        AND exit_at = by_hand.market_at AND (mirror_outcome = 'void' OR NOT by_hand.both))"""


def outcomes_are_once_and_in_time(moment: Moment) -> Finding:
    advice = "look at the tracking worker's log; the next poll resolves what is overdue once the candles are there"
    return counted(
        "I4",
        "every matured lean has one outcome, none early",
        OUTCOMES,
        advice,
        owed=moment.before(POLLS_OWED),
        market=moment.market,
    )


EVENTS = f"""{TRACKED}, ended AS (
    SELECT * FROM tracked WHERE outcome <> '' AND mirror_outcome <> ''
), outcomes AS (SELECT * FROM learning_events WHERE kind = 'outcome')
SELECT 'outcomes without a learning event', count(*) FROM ended
    WHERE greatest(exit_at, mirror_exit_at) <= %(owed)s
        AND NOT EXISTS (SELECT FROM outcomes WHERE outcomes.scan_id = ended.scan_id)
UNION ALL SELECT 'learning events without an outcome', count(*) FROM outcomes
    WHERE NOT EXISTS (SELECT FROM ended WHERE ended.scan_id = outcomes.scan_id)
UNION ALL SELECT 'learning events that say another result than the outcome', count(*)
    FROM outcomes JOIN ended USING (scan_id)
    WHERE outcomes.net_r IS DISTINCT FROM ended.net_r OR outcomes.mirror_net_r IS DISTINCT FROM ended.mirror_net_r
UNION ALL SELECT 'outcomes with more than one learning event', count(*)
    FROM (SELECT scan_id FROM outcomes GROUP BY scan_id HAVING count(*) > 1) AS doubled"""


def outcomes_have_one_event(moment: Moment) -> Finding:
    advice = "look at the learning worker's log and the run of learning.resume_jobs, which appends what is missing"
    decided = rows(
        "SELECT max(close_time) FROM scan_closes WHERE decided_at IS NOT NULL AND timeframe = %(timeframe)s",
        timeframe=settings.ALPHAPULSE_SCAN_TIMEFRAME,
    )[0][0]
    owed = moment.before(TASK_OWED)
    return counted(
        "I5", "every outcome has one learning event", EVENTS, advice, owed=min(owed, decided) if decided else owed
    )


LEDGER = """
SELECT 'numbers missing in the ledger', coalesce(max(sequence) - count(*), 0) FROM learning_events
UNION ALL SELECT 'numbers below 1 in the ledger', count(*) FROM learning_events WHERE sequence < 1
UNION ALL SELECT 'versions that took effect before an older one', count(*) FROM (
    SELECT effective_from < max(effective_from) OVER (
        PARTITION BY state_type ORDER BY version ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS is_early
    FROM learning_state WHERE effective_from IS NOT NULL) AS ordered WHERE is_early
UNION ALL SELECT 'state types that do not point at their newest version in force', count(*)
    FROM active_learning_state AS active JOIN learning_state AS pointed ON pointed.id = active.state_id
    WHERE pointed.version <> (
        SELECT max(version) FROM learning_state AS other
        WHERE other.state_type = active.state_type AND other.effective_from IS NOT NULL)
UNION ALL SELECT 'state types that point at a version not marked active', count(*)
    FROM active_learning_state AS active JOIN learning_state AS pointed ON pointed.id = active.state_id
    WHERE pointed.status <> 'active' OR pointed.state_type <> active.state_type
UNION ALL SELECT 'versions marked active that nothing points at', count(*) FROM learning_state AS state
    WHERE status = 'active' AND NOT EXISTS (SELECT FROM active_learning_state WHERE state_id = state.id)"""


def ledger_is_dense(moment: Moment) -> Finding:
    advice = "somebody wrote past the ledger's lock: restore the database from a backup"
    return counted("I6", "the ledger is dense and applied in order", LEDGER, advice)


UNKNOWN_VERSIONS = """
WITH used AS (
    SELECT weight_version FROM signals UNION SELECT weight_version FROM rejected_signals
    UNION SELECT weight_version FROM learning_events WHERE kind = 'outcome'
    UNION SELECT weight_version FROM scan_history
)
SELECT 'weight versions that decided and are not stored', count(*) FROM used
WHERE weight_version NOT IN (SELECT version FROM learning_state WHERE state_type = 'head_weights')
UNION ALL SELECT 'calibrations that decided and are not stored', count(DISTINCT calibration_version) FROM scan_closes
WHERE calibration_version NOT IN (SELECT version FROM learning_state WHERE state_type = 'calibration')"""


def versions_replay(moment: Moment) -> Finding:
    broken = verify_chain()
    unknown = [f"{count} {what}" for what, count in rows(UNKNOWN_VERSIONS) if count]
    advice = "stop the learning worker and restore the database from a backup; certify shows from where on"
    return found("I7", "the version chain replays to the same hash", [*broken, *unknown], advice)


HINDSIGHT = """
SELECT 'scans of a close that the market clock has not reached', count(*) FROM scan_history
    WHERE close_time > %(market)s
UNION ALL SELECT 'leans opened before the close they were decided at', count(*) FROM scan_history AS scan
    JOIN (SELECT scan_id, opened_at FROM signals UNION ALL SELECT scan_id, opened_at FROM rejected_signals) AS lean
    USING (scan_id) WHERE opened_at < close_time
UNION ALL SELECT 'scans decided by weights that took effect later', count(*) FROM scan_history AS scan
    JOIN learning_state AS state ON state.state_type = 'head_weights' AND state.version = scan.weight_version
    WHERE state.effective_from > close_time OR state.effective_from IS NULL
UNION ALL SELECT 'closes decided by a calibration that took effect later', count(*) FROM scan_closes AS decided
    JOIN learning_state AS state ON state.state_type = 'calibration' AND state.version = decided.calibration_version
    WHERE state.effective_from > close_time OR state.effective_from IS NULL"""


def nothing_used_the_future(moment: Moment) -> Finding:
    """By the rows of all scans, and by reading the inputs of the last ones again, up to their close only."""
    kinds = [f"{count} {what}" for what, count in rows(HINDSIGHT, market=moment.market) if count]
    differing = [
        f"{scan}: its input digest is not that of the candles closed by then"
        for scan in scans_with_other_candles(SCANS_RECOMPUTED)
    ]
    advice = "run manage.py certify: a candle was restated after the scan, or the scan saw one that had not closed"
    return found("I8", "no decision used a candle that closed after it", [*kinds, *differing], advice)


PENDING = """
SELECT 'closes opened and not decided in time', count(*) FROM scan_closes
    WHERE decided_at IS NULL AND first_tried_at < %(wall)s - %(close_limit)s
UNION ALL SELECT 'gaps that are still being filled', count(*) FROM candle_gaps
    WHERE status = 'filling' AND first_seen < %(wall)s - %(gap_limit)s
UNION ALL SELECT 'gaps in feeds that are still being filled', count(*) FROM feed_gaps
    WHERE status = 'filling' AND first_seen < %(wall)s - %(feed_gap_limit)s AND %(feeds_are_fetched)s
UNION ALL SELECT 'job runs begun or asked for and not finished', count(*) FROM job_runs
    WHERE status = 'running' AND started_at < %(wall)s - %(gap_limit)s
UNION ALL SELECT 'paper positions still open after their signal ended', count(*) FROM positions
    JOIN signals ON signals.id = positions.signal_id
    WHERE positions.closed_at IS NULL AND signals.outcome <> '' AND signals.exit_at <= %(owed)s"""


def nothing_waits_too_long(moment: Moment) -> Finding:
    advice = "look at the log of the worker of that queue; the reconciler sends the work again every minute"
    return counted(
        "I9",
        "nothing pending is older than its limit",
        PENDING,
        advice,
        wall=moment.wall,
        owed=moment.before(POLLS_OWED),
        close_limit=timedelta(seconds=settings.ALPHAPULSE_WEIGHTS_DEADLINE) + TASK_OWED,
        gap_limit=GAP_LIMIT,
        feed_gap_limit=FEED_GAP_LIMIT,
        feeds_are_fetched=feeds_are_fetched(),
    )


INVARIANTS: tuple[Callable[[Moment], Finding], ...] = (
    every_minute_is_there,
    no_open_candle,
    candles_are_sane,
    outcomes_are_once_and_in_time,
    outcomes_have_one_event,
    ledger_is_dense,
    versions_replay,
    nothing_used_the_future,
    nothing_waits_too_long,
)
