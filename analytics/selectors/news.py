"""What happened that is worth telling, found in the tables: signals, outcomes, versions, unwell spells.

Each question answers with everything after a moment; what of it has been told already is for the outbox to know.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from django.conf import settings
from django.db.models import Q

from alphapulse_site.clock import market_now
from analytics.notifications.events import Event, Facts
from analytics.notifications.kinds import Kind
from analytics.notifications.models import UnwellSpell
from analytics.reports import words
from analytics.reports.periods import DAILY, WEEKLY, Period, last_ended
from analytics.selectors.report import report
from analytics.selectors.scans import scan_with_id, why
from analytics.selectors.scope import Scope
from analytics.selectors.trades import overall
from learning.calendar import jobs_between
from learning.models import LearningState
from learning.selectors import not_done
from learning.story import NAMES, story
from learning.why import account_of
from signals.models import Signal
from signals.rows import to_ms
from signals.selectors import first_close

RECORD = timedelta(days=30)
HEADS_TOLD, INPUTS_TOLD = 3, 2
# A check must fail for so long before anybody hears of it: one late tick is no news.
PATIENCE = timedelta(minutes=2)
BACK = Q(created_by__startswith="rollback") | Q(created_by__startswith="live_guard")
NO_CHANGE = Q(created_by="birth") | Q(created_by__startswith="freeze") | Q(created_by__startswith="release")


def signals_after(since: datetime) -> Iterator[Event]:
    """Signals published live; history that was learned from is no news."""
    record = cache(record_before)
    for signal in Signal.objects.filter(source="live", opened_at__gt=since).order_by("opened_at", "symbol"):
        yield _of_signal(Kind.SIGNAL, signal, signal.opened_at, partial(signal_facts, signal, record))


def outcomes_after(since: datetime) -> Iterator[Event]:
    """Outcomes of live signals."""
    for signal in Signal.objects.filter(source="live", exit_at__gt=since).exclude(outcome="").order_by("exit_at"):
        ended_at = signal.exit_at or signal.checked_until
        yield _of_signal(Kind.OUTCOME, signal, ended_at, partial(outcome_facts, signal))


def _of_signal(kind: Kind, signal: Signal, at: datetime, tell: Any) -> Event:
    return Event(
        kind=kind,
        key=f"{kind}:{signal.scan_id}",
        at=at,
        tell=tell,
        symbol=signal.symbol,
        timeframe=signal.timeframe,
        direction=signal.direction,
        expected_r=signal.expected_r,
    )


def signal_facts(signal: Signal, record: Any) -> Facts:
    stored = ("id", "symbol", "timeframe", "direction", "reference_price", "risk", "expires_at", "expected_r")
    return {name: getattr(signal, name) for name in stored} | {
        "scan_id": signal.scan_id,
        "decided_at": signal.opened_at,
        "stop": signal.stop_loss,
        "target": signal.take_profit,
        "win_probability": signal.win_probability,
        "weight_version": signal.weight_version,
        "regime": signal.get_regime_display(),
        "reasons": reasons_of(signal),
        "record": record(signal.opened_at),
    }


def outcome_facts(signal: Signal) -> Facts:
    stored = (
        "id",
        "symbol",
        "timeframe",
        "direction",
        "entry",
        "outcome",
        "exit_price",
        "net_r",
        "net_pct",
        "ambiguous",
    )
    return {name: getattr(signal, name) for name in stored} | {
        "scan_id": signal.scan_id,
        "decided_at": signal.opened_at,
        "ended_at": signal.exit_at,
        "expected_r": signal.expected_r,
        "best_r": signal.best_r,
        "worst_r": signal.worst_r,
    }


def reasons_of(signal: Signal) -> list[dict[str, Any]]:
    """The heads that moved the pool most toward the signal's side, with the inputs that moved them most."""
    scan = scan_with_id(signal.scan_id)
    votes = why(scan).explanation.votes if scan else ()
    for_it = sorted((vote for vote in votes if vote.agrees), key=lambda vote: -signal.direction * vote.contribution)
    return [
        {
            "head": vote.head,
            "direction": vote.direction,
            "contribution": vote.contribution,
            "inputs": [{"name": each.name, "value": each.value} for each in (vote.reasons or ())[:INPUTS_TOLD]],
        }
        for vote in for_it[:HEADS_TOLD]
    ]


def record_before(at: datetime) -> dict[str, Any]:
    """What the signals that closed in the weeks before a decision earned: mean net R with its interval."""
    found = overall(Scope.last(RECORD, until=at))
    return {
        "mean_r": found["expectancy_r"],
        "ci_low": found["expectancy_r_ci_low"],
        "ci_high": found["expectancy_r_ci_high"],
        "n": found["closed_signals"],
        "days": RECORD.days,
    }


def versions_after(since: datetime) -> Iterator[Event]:
    """Versions that take effect after a market time; rolled back where they put an earlier content in force."""
    found = LearningState.objects.filter(effective_from__gt=since, parent__isnull=False).exclude(NO_CHANGE)
    back = set(found.filter(BACK).values_list("pk", flat=True))
    for row in found.defer("procedure").order_by("effective_from", "version"):
        kind = Kind.VERSION_ROLLED_BACK if row.pk in back else Kind.VERSION_PROMOTED
        assert row.effective_from is not None
        yield Event(kind, f"version:{row.state_type}:{row.version}", row.effective_from, partial(version_facts, row))


def version_facts(row: LearningState) -> Facts:
    stored = ("state_type", "version", "parent", "status", "created_by", "period", "effective_from", "notes")
    name = NAMES.get(row.state_type, row.state_type)
    told = {"name": name[:1].upper() + name[1:], "story": story(account_of(row))}
    return {column: getattr(row, column) for column in stored} | told


def reports_after(since: datetime) -> Iterator[Event]:
    """Reports of the days and weeks that ended after a market time and were learned from."""
    at, began = market_now(), first_close(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    if at is None or began is None:
        return
    for kind, told in ((DAILY, Kind.DAILY_REPORT), (WEEKLY, Kind.WEEKLY_REPORT)):
        period = last_ended(kind, at)
        while period.until > max(since, began):
            if is_learned(period):
                yield Event(told, f"{told}:{period.name}", period.until, partial(report_facts, period))
            period = period.before


def is_learned(period: Period) -> bool:
    """Whether every night and week of it is done, so that its report has what they learned."""
    due = jobs_between(to_ms(period.since) + 1, to_ms(period.until))
    return not not_done(due)


def report_facts(period: Period) -> Facts:
    """The report in words and small tables, as a message carries it; the page has the rest."""
    found = report(period)
    named = {name: found[name] for name in ("report", "period", "title", "as_of")}
    return named | {"lines": words.lines(found), "tables": words.tables(found)}


def spells_after(since: datetime, *, now: datetime) -> Iterator[Event]:
    """Unwell spells that began or ended after a wall time and lasted, and again those of them that are over."""
    recent = UnwellSpell.objects.filter(Q(began_at__gt=since) | Q(ended_at__gt=since))
    for spell in recent.order_by("began_at", "pk"):
        if (spell.ended_at or now) - spell.began_at < PATIENCE:
            continue
        kind = Kind.DATA_STALE if spell.is_data else Kind.JOB_LATE
        begun = spell.facts() | {"until": None}
        yield Event(kind, f"{kind}:{spell.pk}", spell.began_at, partial(dict, begun), on_wall=True)
        if spell.ended_at:
            yield Event(kind, f"{kind}:{spell.pk}:over", spell.ended_at, spell.facts, on_wall=True)
