"""Why there was a trade, or none: one scan with its votes, gates and what became of its lean."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from signals.explained import answer, gates_of, known, votes_of
from signals.models import RejectedSignal, ScanHistory, Signal


def last_scan(symbol: str, at: datetime, timeframe: str = "") -> ScanHistory | None:
    """The last scan of a symbol up to a market time."""
    scans = ScanHistory.objects.filter(symbol=symbol, close_time__lte=at)
    if timeframe:
        scans = scans.filter(timeframe=timeframe)
    return scans.order_by("-close_time").first()


def explained(scan: ScanHistory) -> dict[str, Any]:
    """The scan as the API says it."""
    stored = (
        *("symbol", "timeframe", "close_time", "scan_id", "win_probability", "expected_r", "log_odds", "rejection"),
        *("reference_price", "missing_minutes", "weight_version", "waited_too_long", "source"),
    )
    return {name: getattr(scan, name) for name in stored} | {
        "answer": answer(scan),
        "lean": scan.get_lean_display(),
        "regime": scan.get_regime_display(),
        "risk": known(scan.risk),
        "votes": [asdict(vote) for vote in votes_of(scan)],
        "gates": [asdict(gate) for gate in gates_of(scan)],
        "bracket": bracket_of(scan),
    }


def bracket_of(scan: ScanHistory) -> dict[str, Any] | None:
    """The signal or shadow that carries the scan's lean; None without a lean or before the decision."""
    if scan.scan_id is None:
        return None
    for kind, model in (("signal", Signal), ("shadow", RejectedSignal)):
        found = model._default_manager.filter(scan_id=scan.scan_id).first()
        if found:
            columns = ("id", "entry", "stop_loss", "take_profit", "expires_at", "outcome", "exit_at", "net_r")
            return {"kind": kind} | {name: getattr(found, name) for name in columns}
    return None
