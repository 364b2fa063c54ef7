"""Replay: the decisions of live over a history of candles, and what they came to. No database needed."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ingestion.timeframes import MINUTE_MS, Candles, IntArray, Timeframe
from learning.calendar import DAY_MS
from learning.evaluation import Estimate, mean_by_day, wilson
from learning.follow import Known
from learning.labels import NEUTRAL_R
from learning.walk import Decided, Given, Seen, Teacher, Walk, look_over, walk_over
from signals.digests import decisions_digest
from signals.first_touch import Outcome
from signals.heads import HEADS
from signals.scan import Rules


@dataclass(frozen=True)
class Replayed:
    """A finished walk with what it cost."""

    walk: Walk
    seen: Seen
    candles: int
    cpu_seconds: float


def replay(
    minutes: Mapping[str, Candles],
    *,
    timeframe: Timeframe,
    rules: Rules,
    teacher: Teacher,
    first_close_ms: int,
    last_close_ms: int,
    progress: Callable[[str, float], None] = lambda step, share: None,
    given: Given = Given(),  # noqa: B008 - frozen
    delisted_ms: Mapping[str, IntArray] = MappingProxyType({}),
) -> Replayed:
    """Look at everything, then decide close after close; `progress` gets the step's name and the share done."""
    began = time.process_time()
    looked = iter(range(1, len(minutes) + 1))
    seen = look_over(
        minutes,
        timeframe,
        first_close_ms,
        last_close_ms,
        HEADS,
        rules,
        lambda _: progress("look", next(looked) / len(minutes)),
        given,
    )
    known_until_ms = max(int(candles.open_ms[-1]) for candles in minutes.values() if len(candles)) + MINUTE_MS
    walk = Walk(minutes, timeframe, rules, Known(known_until_ms, delisted_ms=delisted_ms))
    span = max(last_close_ms - first_close_ms, 1)
    for decided in walk_over(seen, walk, teacher):
        progress("decide", (decided.close_ms - first_close_ms) / span)
    count = sum(len(candles) for candles in minutes.values())
    return Replayed(walk, seen, count, time.process_time() - began)


def digest_of(closes: list[Decided]) -> str:
    """The digest of all decisions, in order of close and symbol."""
    rows = [
        (decided.close_ms, str(symbol), scan_id)
        for decided in closes
        for symbol, scan_id in zip(decided.decisions.symbol, decided.decisions.scan_id, strict=True)
    ]
    return decisions_digest([scan_id for _, _, scan_id in sorted(rows, key=lambda row: row[:2])])


@dataclass(frozen=True)
class Tally:
    """Ended leans as (day, net R): those of signals, and those of shadows by reason; and how each ended."""

    signals: list[tuple[int, float]]
    shadows: dict[str, list[tuple[int, float]]]
    outcomes: dict[str, Counter[str]]
    rejected: Counter[str]
    unpriced: int


def tally(closes: list[Decided]) -> Tally:
    signals: list[tuple[int, float]] = []
    shadows: dict[str, list[tuple[int, float]]] = {}
    outcomes: dict[str, Counter[str]] = {"signals": Counter(), "shadows": Counter()}
    rejected: Counter[str] = Counter()
    unpriced = 0
    for decided in closes:
        for reason, followed in zip(decided.decisions.reason.tolist(), decided.followed, strict=True):
            rejected[reason] += 1
            if followed is None:
                unpriced += 1
                continue
            touch = followed.touch
            outcomes["shadows" if reason else "signals"][touch.outcome.value if touch else "pending"] += 1
            if touch is not None and touch.outcome is not Outcome.VOID:
                ended = shadows.setdefault(reason, []) if reason else signals
                ended.append((decided.close_ms // DAY_MS, touch.net_r))
    return Tally(signals, shadows, outcomes, rejected, unpriced)


def mean_r(ended: list[tuple[int, float]]) -> Estimate:
    """Mean net R with its interval over days."""
    days, results = np.array([day for day, _ in ended], dtype=np.int64), np.array([r for _, r in ended])
    return mean_by_day(results, days)


def report(replayed: Replayed) -> dict[str, Any]:
    """The figures of `manage.py replay --json`; null where nothing was counted."""
    closes = replayed.walk.closes
    counted = tally(closes)
    signals, scans = counted.rejected.pop("", 0), sum(len(decided.decisions) for decided in closes)
    shadows = np.array([r for ended in counted.shadows.values() for _, r in ended])
    wins = sum(r > 0 for _, r in counted.signals)
    good, missed = int((shadows < -NEUTRAL_R).sum()), int((shadows > NEUTRAL_R).sum())
    version = closes[-1].version if closes else None
    return {
        "candles": replayed.candles,
        "missing_minutes": {symbol: _missing(candles) for symbol, candles in replayed.walk.minutes.items()},
        "zero_volume_minutes": {s: int((candles.volume == 0).sum()) for s, candles in replayed.walk.minutes.items()},
        "scans": scans,
        "signals": signals,
        "rejected": dict(sorted(counted.rejected.items())),
        "rejected_without_lean": counted.unpriced,
        "rejection_rate": 1 - signals / scans if scans else None,
        "pending_after_limit": _overdue(replayed.walk),
        "outcomes": {kind: dict(sorted(ends.items())) for kind, ends in counted.outcomes.items()},
        "win_rate": asdict(wilson(wins, len(counted.signals))),
        "expectancy_r": asdict(mean_r(counted.signals)),
        "rejection_accuracy": asdict(wilson(good, good + missed)),
        "gate_value_r": {
            reason: asdict(mean_r([(day, -r) for day, r in ended])) for reason, ended in sorted(counted.shadows.items())
        },
        "weights": dict(zip(version.weights.heads, version.weights.beta.tolist(), strict=True)) if version else {},
        "bias": version.weights.bias.tolist() if version else [],
        "calibration": asdict(version.calibration) if version else {},
        "quality_threshold_r": version.thresholds.quality_r if version else None,
        "weight_version": version.weight_version if version else None,
        "calibration_version": version.calibration_version if version else None,
        "decisions_digest": digest_of(closes),
        "cpu_seconds": round(replayed.cpu_seconds, 3),
    }


def _overdue(walk: Walk) -> int:
    """Leans whose time limit lies inside the history and that have no outcome: there must be none."""
    followed = (lean for decided in walk.closes for lean in decided.followed if lean is not None)
    return sum(lean.touch is None and lean.order.expires_ms <= walk.known.until_ms for lean in followed)


def _missing(candles: Candles) -> int:
    """Minutes between the first and the last candle that no candle covers."""
    return int((candles.open_ms[-1] - candles.open_ms[0]) // MINUTE_MS + 1 - len(candles)) if len(candles) else 0
