"""Rows for the analytics tests, written by the ORM: each function makes one valid row, with what a test cares about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from alphapulse_site.models import Heartbeat, JobRun, MarketClock
from ingestion.models import Symbol
from learning.models import ActiveLearningState, LearningEvent, LearningState
from learning.versions import create_version, weights_content
from signals.consensus import Weights
from signals.heads import HEADS
from signals.models import RejectedSignal, ScanClose, ScanHistory, Signal

HEAD_NAMES = tuple(head.name for head in HEADS)
# A Saturday noon; the market clock of every test that has one.
NOW = datetime(2021, 7, 10, 12, tzinfo=UTC)
LIFE = timedelta(days=1)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def market_clock(at: datetime = NOW) -> MarketClock:
    return MarketClock.objects.create(mode=MarketClock.Mode.RECORDING, closed_until=at, speed=60)


def symbol(name: str = "BTCUSDT") -> Symbol:
    return Symbol.objects.get_or_create(name=name, defaults={"base_asset": name[:-4], "quote_asset": "USDT"})[0]


def tracked(net_r: float | None, opened_at: datetime, **columns: Any) -> dict[str, Any]:
    """Columns of a signal or shadow; open with `net_r` None, else ended after an hour, its mirror the other way."""
    ended = {
        "outcome": "target" if net_r is not None and net_r > 0 else "stop",
        "exit_price": 101.0,
        "exit_at": opened_at + timedelta(hours=1),
        "net_r": net_r,
        "net_pct": None if net_r is None else net_r / 2,
        "best_r": 1.0,
        "worst_r": -1.0,
        "mirror_outcome": "stop",
        "mirror_exit_at": opened_at + timedelta(hours=1),
        "mirror_net_r": None if net_r is None else -net_r,
    }
    common = {
        "scan_id": uuid4(),
        "symbol": "BTCUSDT",
        "timeframe": "15m",
        "direction": 1,
        "regime": 0,
        "win_probability": 0.4,
        "expected_r": 0.1,
        "reference_price": 100.0,
        "risk": 1.0,
        "stop_loss": 99.0,
        "take_profit": 102.0,
        "opened_at": opened_at,
        "expires_at": opened_at + LIFE,
        "checked_until": opened_at,
        "entry": 100.0,
        "weight_version": 1,
        "source": "live",
    }
    return common | (ended if net_r is not None else {}) | columns


def signal(net_r: float | None, opened_at: datetime = NOW - timedelta(days=3), **columns: Any) -> Signal:
    return Signal.objects.create(**tracked(net_r, opened_at, **columns))


def shadow(
    net_r: float | None, opened_at: datetime = NOW - timedelta(days=3), rejection: str = "low_quality", **columns: Any
) -> RejectedSignal:
    return RejectedSignal.objects.create(**tracked(net_r, opened_at, rejection=rejection, **columns))


def evidence(**stated: float) -> list[float]:
    """Log-odds toward "up" by head name; heads not named abstained."""
    return [stated.get(name, 0.0) for name in HEAD_NAMES]


def event(
    net_r: float, votes: list[float], decided_at: datetime = NOW - timedelta(days=3), side: int = 1, **columns: Any
) -> LearningEvent:
    """The next outcome of the ledger. Its hash is not that of a chain; tests of the chain append by the ledger."""
    last = LearningEvent.objects.order_by("-sequence").first()
    common = {
        "sequence": last.sequence + 1 if last else 1,
        "kind": "outcome",
        "scan_id": uuid4(),
        "symbol": "BTCUSDT",
        "timeframe": "15m",
        "decided_at": decided_at,
        "matured_at": decided_at + LIFE,
        "ended_at": decided_at + timedelta(hours=1),
        "side": side,
        "is_signal": False,
        "is_eligible": True,
        "is_void": False,
        "evidence": votes,
        "win_probability": 0.4,
        "expected_r": 0.1,
        "net_r": net_r,
        "mirror_net_r": -net_r,
        "uniqueness": 1.0,
        "cost_r": 0.1,
        "weight_version": 1,
        "market_at": decided_at + LIFE,
        "hash": "0" * 64,
    }
    return LearningEvent.objects.create(**(common | columns))


def weights(beta: float | list[float] = 0.2, bias: tuple[float, float] = (-0.7, -0.7)) -> Weights:
    import numpy as np

    values = [beta] * len(HEAD_NAMES) if isinstance(beta, float) else beta
    return Weights(HEAD_NAMES, np.array(values), np.array(bias))


def version(status: str = "active", effective_from: datetime | None = BEGINNING, **columns: Any) -> LearningState:
    """The next version of the head weights."""
    content = weights_content(columns.pop("weights", None) or weights())
    made = {"content": content, "created_by": "test", **columns}
    return create_version("head_weights", status=status, effective_from=effective_from, **made)


def scan(close_time: datetime = NOW, scan_id: UUID | None = None, **columns: Any) -> ScanHistory:
    """A decided scan with a long lean that the quality gate refused; every head voted long."""
    heads = len(HEAD_NAMES)
    common = {
        "symbol": "BTCUSDT",
        "timeframe": "15m",
        "close_time": close_time,
        "scan_id": scan_id or uuid4(),
        "directions": [1] * heads,
        "probabilities": [0.6] * heads,
        "confidences": [0.5] * heads,
        "log_odds": 0.2,
        "lean": 1,
        "win_probability": 0.4,
        "expected_r": 0.01,
        "margins": [0.0, 0.02, -0.04, 1.0, float("nan"), 0.5],
        "passed": [True, True, False, True, True, True],
        "rejection": "low_quality",
        "regime": 0,
        "reference_price": 100.0,
        "risk": 1.0,
        "missing_minutes": 0,
        "candle_digest": b"\x01" * 16,
        "weight_version": 1,
        "source": "live",
    }
    row = ScanHistory(**(common | columns))
    row.save(force_insert=True)
    return row


def scan_close(close_time: datetime, decided: bool = True, **columns: Any) -> ScanClose:
    row = ScanClose(
        **{
            "timeframe": "15m",
            "close_time": close_time,
            "chunks": [["BTCUSDT"]],
            "looked": [0],
            "weight_version": 1,
            "threshold_version": 1,
            "decided_at": timezone.now() if decided else None,
            **columns,
        }
    )
    row.save(force_insert=True)
    return row


def heartbeat(name: str, age: timedelta = timedelta(0), **figures: Any) -> Heartbeat:
    return Heartbeat.objects.create(name=name, beat_at=timezone.now() - age, figures=figures, beats=1)


def job_run(job: str, period: str, **columns: Any) -> JobRun:
    return JobRun.objects.create(job=job, period=period, **{"started_at": timezone.now(), "attempts": 1, **columns})


def active(state_type: str) -> ActiveLearningState:
    return ActiveLearningState.objects.get(state_type=state_type)
