"""A day or a week in one structure: the same on its page, in the API and in mails."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.conf import settings

from alphapulse_site.clock import market_now
from alphapulse_site.models import JobRun
from analytics.reports.periods import Period, period_at
from analytics.selectors import report_parts as parts
from analytics.selectors.estimates import share
from analytics.selectors.kept import kept
from analytics.selectors.overview import decided
from analytics.selectors.progress import learning_progress
from analytics.selectors.rejections import rejection_analysis
from analytics.selectors.reports import HEAD_NAMES, Learned
from analytics.selectors.scope import Scope
from analytics.selectors.stamps import read_stamp
from analytics.selectors.trades import overall
from signals.selectors import decided_until, first_close

Report = dict[str, Any]
SCORES = ("log_loss", "n", "ci_low", "ci_high", "base_rate_log_loss", "best_head")
REGRETS = ("regret_vs_equal_per_lean", "regret_vs_best_head_per_lean")
BESIDE = ("", "_n", "_ci_low", "_ci_high")
GATE = ("count", "good", "missed", "neutral", "gate_value_r", "n", "ci_low", "ci_high")


class NotBegunError(ValueError):
    """A period that the market has not come to, or in which there was none; the message says so."""


def report(period: Period) -> Report:
    """The report of a period, of one that is not over as far as the market has come. Raises NotBegunError."""
    at = market_now()
    if at is None or at <= period.since:
        where = f"it stands at {at:%Y-%m-%d %H:%M}" if at else "no market is followed yet"
        raise NotBegunError(f"the market has not come to {period.name}: {where}.")
    # Between two closes a running period stays as it is, so that its figures can be kept.
    reached = max(read_stamp().until or at, period.since)
    found = dict(_figures(period, min(reached, period.until)))
    return found | {"as_of": at, "is_over": at >= period.until, "later": list(_later(period, found, at))}


@kept
def _figures(period: Period, until: datetime) -> Report:
    """Everything that is made of records."""
    scope = Scope(period.since, until)
    return {
        "report": period.kind,
        "period": period.name,
        "since": period.since,
        "until": period.until,
        "title": f"{period.kind.capitalize()} report of {period.name}",
        "timeframe": settings.ALPHAPULSE_SCAN_TIMEFRAME,
        "quote_asset": settings.ALPHAPULSE_QUOTE_ASSET,
        "decisions": _decisions(scope),
        "earned": overall(scope),
        "signals": parts.signals_of(scope),
        "equity": parts.equity_of(scope),
        "nights": parts.nights_of(scope),
        "versions": parts.versions_of(scope),
        "learning": _learning(scope),
        "gates": _gates(scope),
        "data": parts.data_of(scope),
        "jobs": parts.jobs_of(scope),
        "not_followed": parts.not_followed(scope),
    }


def first_period(kind: str) -> Period | None:
    """The period in which scanning began; None before it did."""
    began = first_close(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    return period_at(kind, began) if began else None


def _decisions(scope: Scope) -> Report:
    found = asdict(decided(scope.since, scope.until))
    return {name: found[name] for name in ("closes", "scans", "leans", "signals", "rejected")} | share(
        found["signals"], found["leans"]
    ).beside("acceptance_rate")


def _learning(scope: Scope) -> Report:
    """How good the stated probabilities were on the outcomes whose time limit ended in the scope."""
    learned = Learned(scope)
    found = learning_progress(learned.outcomes, learned.versions, HEAD_NAMES)
    regrets = [f"{name}{beside}" for name in REGRETS for beside in BESIDE]
    return {name: found[name] for name in (*SCORES, *regrets)}


def _gates(scope: Scope) -> Report:
    """What each gate's refusals were worth, of the leans whose time limit ended in the scope."""
    found = rejection_analysis(scope)
    rows = [{"reason": reason} | {name: row[name] for name in GATE} for reason, row in found["by_reason"].items()]
    names = ("rejection_accuracy", "n", "ci_low", "ci_high", "opportunity_cost_r", "avoided_loss_r")
    return {name: found[name] for name in names} | {"by_reason": rows}


def _later(period: Period, found: Report, at: datetime) -> Iterator[str]:
    """What of this may read otherwise another day, and why."""
    if at < period.until:
        yield f"The period is not over: this is what is known up to {at:%Y-%m-%d %H:%M}."
    elif (last := decided_until(found["timeframe"])) is None or last < period.until:
        yield "Not every close of the period is decided yet."
    if open_still := found["signals"]["still_open"]:
        yield (
            f"{open_still} of the signals decided in it are open: their outcomes will count in the period in which they"
            " end, and the list below will show them."
        )
    if at >= period.until and (waiting := found["not_followed"]):
        yield f"{waiting} open decisions are not followed to its end yet: outcomes may still fall into this period."
    if at >= period.until and found["data"]["minutes_not_settled"]:
        yield "Some minutes are neither a candle nor an explained gap yet; what they bring may add outcomes."
    if any(night["status"] != JobRun.Status.DONE for night in found["nights"]):
        yield "A night or week of it is not learned yet."
