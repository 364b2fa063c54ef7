"""Why there was a trade, or none: one scan with its votes, gates and what became of its lean."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, Subquery

from analytics.selectors.decisions import KINDS
from analytics.selectors.kept import kept
from ingestion.timeframes import TIMEFRAMES
from learning.models import LearningState
from learning.selectors import calibration_from, weights_from
from signals.consensus import Weights, calibrated
from signals.explained import ExplainedScan, explained_scan
from signals.explanation import known
from signals.models import ScanClose, ScanHistory, TrackedDecision


def last_scan(symbol: str, at: datetime, timeframe: str = "") -> ScanHistory | None:
    """The last scan of a symbol up to a market time."""
    scans = ScanHistory.objects.filter(symbol=symbol, close_time__lte=at).order_by("-close_time")
    if timeframe:
        return scans.filter(timeframe=timeframe).first()
    # One step in the index a timeframe; over all of them at once every scan of the symbol would be read.
    first, *others = (scans.filter(timeframe=name)[:1] for name in TIMEFRAMES)
    return first.union(*others, all=True).order_by("-close_time").first()


def scan_with_id(scan_id: UUID) -> ScanHistory | None:
    """A decided scan; None where there is none of that id, or not any more."""
    return ScanHistory.objects.filter(scan_id=scan_id).first()


def why(scan: ScanHistory) -> ExplainedScan:
    """The explanation of a scan under the weights it was decided with."""
    return explained_scan(scan, deciding_weights(scan))


def deciding_weights(scan: ScanHistory) -> Weights:
    """The weights that decided a scan, calibrated as its close was, whatever heads they weigh."""
    closes = ScanClose.objects.filter(timeframe=scan.timeframe, close_time=scan.close_time)
    then = Q(state_type="head_weights", version=scan.weight_version) | Q(
        state_type="calibration", version=Subquery(closes.values("calibration_version"))
    )
    found = dict(LearningState.objects.filter(then).values_list("state_type", "content"))
    weights = weights_from(found["head_weights"])
    return calibrated(weights, calibration_from(found["calibration"])) if "calibration" in found else weights


def explained(scan: ScanHistory) -> dict[str, Any]:
    """The scan as the API says it."""
    stored = (
        *("symbol", "timeframe", "close_time", "scan_id", "win_probability", "expected_r", "log_odds", "rejection"),
        *("reference_price", "missing_minutes", "weight_version", "waited_too_long", "source"),
    )
    found = why(scan)
    return {name: getattr(scan, name) for name in stored} | {
        "regime": scan.get_regime_display(),
        "risk": known(scan.risk),
        **asdict(found.explanation),
        "recomputed": found.recomputed,
        "bracket": bracket_of(scan),
    }


@kept
def explanation_of(scan_id: UUID) -> dict[str, Any] | None:
    """A decided scan explained, by its id; None where it is not stored."""
    scan = scan_with_id(scan_id)
    return explained(scan) if scan else None


def bracket_of(scan: ScanHistory) -> dict[str, Any] | None:
    """The signal or shadow that carries the scan's lean; None without a lean or before the decision."""
    found = decision_of(scan)
    if found is None:
        return None
    columns = ("id", "entry", "stop_loss", "take_profit", "expires_at", "outcome", "exit_at", "net_r")
    return {"kind": found.kind} | {name: getattr(found.decision, name) for name in columns}


class Found(NamedTuple):
    """What carries a lean, and whether it is a `signal` or a `shadow`."""

    kind: str
    decision: TrackedDecision


def decision_of(scan: ScanHistory) -> Found | None:
    """The signal or shadow of a scan; None without a lean or before the decision."""
    if scan.scan_id is None:
        return None
    for kind, model in KINDS.items():
        found = model._default_manager.filter(scan_id=scan.scan_id).first()
        if found:
            return Found(kind, found)
    return None
