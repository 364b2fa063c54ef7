"""Between arrays and rows: how decisions are written to the tables and read back, every bit kept."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np

from ingestion.candles import to_datetime as to_time
from ingestion.candles import to_ms
from ingestion.timeframes import Timeframe
from signals.first_touch import FirstTouch, Order, Outcome
from signals.models import RejectedSignal, ScanHistory, Signal, TrackedDecision
from signals.scan import Decisions, Judged, Rules


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def scan_rows(
    judged: Judged,
    timeframe: Timeframe,
    *,
    version: int,
    waited_too_long: bool,
    source: str,
    reasons: Sequence[bytes] | None = None,
) -> Iterator[ScanHistory]:
    """Unsaved scans; complete when `judged` is already decided, else the serial gates are still to come.

    `reasons`: the heads' packed reasons, one a scan; left out, they are made again from the candles on demand.
    """
    decided = judged if isinstance(judged, Decisions) else None
    for row in range(len(judged)):
        yield ScanHistory(
            symbol=str(judged.symbol[row]),
            timeframe=timeframe.name,
            close_time=to_time(judged.close_ms[row]),
            scan_id=decided.scan_id[row] if decided else None,
            directions=judged.direction[row].tolist(),
            probabilities=judged.probability[row].tolist(),
            confidences=judged.confidence[row].tolist(),
            log_odds=judged.log_odds[row],
            lean=int(judged.lean[row]),
            win_probability=_or_none(judged.win_probability[row]),
            expected_r=_or_none(judged.expected_r[row]),
            margins=judged.margins[row].tolist(),
            passed=decided.passed[row].tolist() if decided else [],
            rejection=str(decided.reason[row]) if decided else None,
            regime=int(judged.regime[row]),
            reference_price=judged.reference[row],
            risk=judged.risk[row],
            missing_minutes=int(judged.missing_minutes[row]),
            candle_digest=judged.digest[row],
            weight_version=version,
            waited_too_long=waited_too_long,
            source=source,
            reasons=reasons[row] if reasons else None,
        )


def judged_from(scans: Sequence[ScanHistory], heads: int) -> Judged:
    """The arrays that `scan_rows` wrote."""

    def floats(name: str) -> np.ndarray:
        values = [getattr(scan, name) for scan in scans]
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)

    def table(name: str, kind: type, width: int) -> np.ndarray:
        return np.array([getattr(scan, name) for scan in scans], dtype=kind).reshape(len(scans), width)

    return Judged(
        symbol=np.array([scan.symbol for scan in scans], dtype=np.str_),
        close_ms=np.array([to_ms(scan.close_time) for scan in scans], dtype=np.int64),
        direction=table("directions", np.int8, heads),
        probability=table("probabilities", np.float64, heads),
        confidence=table("confidences", np.float64, heads),
        reference=floats("reference_price"),
        risk=floats("risk"),
        regime=np.array([scan.regime for scan in scans], dtype=np.int8),
        missing_minutes=np.array([scan.missing_minutes for scan in scans], dtype=np.int64),
        digest=np.array([*(bytes(scan.candle_digest) for scan in scans), b""], dtype=object)[:-1],
        log_odds=floats("log_odds"),
        lean=np.array([scan.lean for scan in scans], dtype=np.int8),
        win_probability=floats("win_probability"),
        expected_r=floats("expected_r"),
        margins=table("margins", np.float64, 6),
    )


def tracked_rows(
    decided: Decisions, timeframe: Timeframe, rules: Rules, *, version: int, source: str
) -> Iterator[TrackedDecision]:
    """Unsaved signals and shadows of the leans, not yet followed."""
    limit = timedelta(milliseconds=timeframe.ms * rules.bracket.limit_bars)
    for row in np.flatnonzero(decided.lean):
        opened = to_time(decided.close_ms[row])
        columns = {
            "scan_id": decided.scan_id[row],
            "symbol": str(decided.symbol[row]),
            "timeframe": timeframe.name,
            "direction": int(decided.lean[row]),
            "regime": int(decided.regime[row]),
            "win_probability": decided.win_probability[row],
            "expected_r": decided.expected_r[row],
            "reference_price": decided.reference[row],
            "risk": decided.risk[row],
            "stop_loss": decided.stop_loss[row],
            "take_profit": decided.take_profit[row],
            "opened_at": opened,
            "expires_at": opened + limit,
            "checked_until": opened,
            "weight_version": version,
            "source": source,
        }
        reason = str(decided.reason[row])
        yield RejectedSignal(**columns, rejection=reason) if reason else Signal(**columns)


def order_of(decision: TrackedDecision) -> Order:
    return Order(
        side=decision.direction,
        stop_loss=decision.stop_loss,
        take_profit=decision.take_profit,
        risk=decision.risk,
        opened_ms=to_ms(decision.opened_at),
        expires_ms=to_ms(decision.expires_at),
    )


def set_outcome(decision: TrackedDecision, touch: FirstTouch) -> None:
    """Put a first touch into an unsaved or locked decision."""
    void = touch.outcome is Outcome.VOID
    decision.outcome = touch.outcome.value
    decision.entry = None if void else touch.entry
    decision.exit_price = None if void else touch.exit_price
    decision.exit_at = to_time(touch.exit_ms)
    decision.net_r = None if void else touch.net_r
    decision.net_pct = None if void else touch.net_pct
    decision.best_r = None if void else touch.best_r
    decision.worst_r = None if void else touch.worst_r
    decision.ambiguous = touch.ambiguous
    decision.missing_minutes = touch.missing_minutes


def set_mirror_outcome(decision: TrackedDecision, touch: FirstTouch) -> None:
    decision.mirror_outcome = touch.outcome.value
    decision.mirror_exit_at = to_time(touch.exit_ms)
    decision.mirror_net_r = None if touch.outcome is Outcome.VOID else touch.net_r
    decision.mirror_missing_minutes = touch.missing_minutes


OUTCOME_COLUMNS = (
    *("outcome", "entry", "exit_price", "exit_at", "net_r", "net_pct", "best_r", "worst_r", "ambiguous"),
    "missing_minutes",
)
MIRROR_COLUMNS = ("mirror_outcome", "mirror_exit_at", "mirror_net_r", "mirror_missing_minutes")
