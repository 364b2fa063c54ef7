"""When a system has done all that follows from its market: asked of its tables, one line a debt."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.system import System

LEANS = """(SELECT scan_id, outcome, mirror_outcome, checked_until FROM signals UNION ALL
    SELECT scan_id, outcome, mirror_outcome, checked_until FROM rejected_signals) AS lean"""
# What has ended and does not stand in the ledger.
UNTOLD = f"""FROM {LEANS} WHERE outcome <> '' AND mirror_outcome <> ''
    AND NOT EXISTS
        (SELECT FROM learning_events AS event WHERE event.scan_id = lean.scan_id AND event.kind = 'outcome')"""
DEBTS = f"""
SELECT 'minutes until the end of the market', ceil(extract(epoch FROM %(end)s - closed_until) / 60) FROM market_clock
UNION ALL SELECT 'closes without decisions', count(*) FROM scan_closes WHERE decided_at IS NULL
UNION ALL SELECT 'closes to come', count(*) FROM generate_series(
    (SELECT max(close_time) FROM scan_closes) + interval '15 minutes', %(end)s, interval '15 minutes')
UNION ALL SELECT 'gaps', count(*) FROM candle_gaps WHERE status = 'filling'
UNION ALL SELECT 'leans to follow', count(*) FROM {LEANS}
    WHERE (outcome = '' OR mirror_outcome = '') AND checked_until < %(end)s
UNION ALL SELECT 'outcomes to learn', count(*) {UNTOLD}
UNION ALL SELECT 'job runs', count(*) FROM job_runs WHERE status <> 'done'
UNION ALL SELECT 'polls that have not seen the end: ' || name, 1
    FROM unnest(ARRAY['outcome_monitor', 'shadow_monitor', 'learning', 'gap_backfill', 'universe']) AS name
    WHERE NOT EXISTS (SELECT FROM heartbeats WHERE heartbeats.name = name.name AND market_at >= %(end)s)"""
# A night that is due shows itself at the next look only, as does a missing minute.
LOOKS = "SELECT name, beats FROM heartbeats WHERE name IN ('learning', 'gap_backfill', 'outcome_monitor')"
TWICE = 2


def owed(system: "System") -> dict[str, int]:
    """What is still to be done; empty once every poll has looked twice since there was nothing left."""
    debts = {what: int(count) for what, count in system.ask(DEBTS, {"end": system.slice.end}) if count}
    looks = dict(system.ask(LOOKS))
    if debts or system.seen_idle is None:
        system.seen_idle = None if debts else looks
        return debts or {"looks": len(looks)}
    return {f"looks of {name}": 1 for name, beats in looks.items() if beats < system.seen_idle[name] + TWICE}
