"""A made-up ledger whose pool is too sure of itself, told to live as rows and to a school as a walk."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from ingestion.timeframes import MINUTE_MS, TIMEFRAMES
from learning.calendar import DAY_MS, HOUR_MS
from learning.follow import Known
from learning.labels import Label
from learning.lessons import HEAD_NAMES
from learning.walk import Walk
from signals.consensus import Weights
from signals.rows import to_ms
from signals.scan import Rules

MONDAY = datetime(2021, 5, 31, tzinfo=UTC)
DAYS, A_DAY = 28, 200
SYMBOLS = tuple(f"C{number:02d}USDT" for number in range(20))
TRUE_SLOPE, TRUE_INTERCEPT = 0.3, -0.3


def told_labels(days: int = DAYS, *, seed: int = 3) -> list[Label]:
    """Leans of equal weights whose log-odds are thrice too bold, in order of decision and symbol."""
    draw = np.random.default_rng(seed)
    born = Weights.at_birth(HEAD_NAMES)
    votes = draw.normal(0.0, 1.6, (days * A_DAY, len(HEAD_NAMES))).clip(-2.5, 2.5)
    pooled = votes @ born.beta
    stated = born.bias[0] + np.abs(pooled)
    won = draw.uniform(size=len(votes)) < 1 / (1 + np.exp(-(TRUE_INTERCEPT + TRUE_SLOPE * stated)))
    return [_label(row, votes[row], int(np.sign(pooled[row])), bool(won[row])) for row in range(len(votes))]


def _label(row: int, votes: np.ndarray, side: int, won: bool) -> Label:
    day, place = divmod(row, A_DAY)
    quarter, symbol = divmod(place, len(SYMBOLS))
    decided_ms = to_ms(MONDAY) + day * DAY_MS + (1 + 9 * quarter) * 15 * MINUTE_MS
    return Label(
        scan_id=UUID(int=row * 2**64 + 977 * row % 1009),
        symbol=SYMBOLS[symbol],
        decided_ms=decided_ms,
        expires_ms=decided_ms + 12 * HOUR_MS,
        ended_ms=decided_ms + 2 * HOUR_MS,
        side=side,
        is_signal=False,
        is_eligible=True,
        is_void=row % 97 == 0,
        evidence=tuple(votes.tolist()),
        win_probability=0.5,
        expected_r=0.0,
        cost_r=0.1,
        net_r=1.9 if won else -1.1,
        mirror_net_r=-1.1 if won else 1.9,
        uniqueness=1.0 if row % 2 else 0.9,
        weight_version=1,
    )


@dataclass
class ToldWalk(Walk):
    """A walk that made these labels, and nothing else."""

    labels: list[Label] = field(default_factory=list)

    def labels_until(self, at_ms: int) -> list[Label]:
        found = [label for label in self.labels if label.ended_ms <= at_ms]
        self.labels = [label for label in self.labels if label.ended_ms > at_ms]
        return found


def told_walk(labels: list[Label]) -> ToldWalk:
    return ToldWalk({}, TIMEFRAMES["15m"], Rules(), Known(0), labels=labels)
