"""What a head is: one opinion per bar, or silence."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import FloatArray
from signals.window import Window

MIN_PROBABILITY, MAX_PROBABILITY = 0.5, 0.95


@dataclass(frozen=True)
class Needs:
    """What a head reads. It abstains where a required timeframe is not ready or a required feed is missing."""

    timeframes: tuple[str, ...] = ()  # context timeframes beside the scan's own
    indicators: frozenset[str] = frozenset()
    feeds: tuple[str, ...] = ()


@dataclass(frozen=True)
class Votes:
    """One head's opinions on the rows of a window; arrays of shape (bars,).

    direction: -1 short, +1 long, 0 where the head abstains. probability: 0.5..0.95 that its side reaches target before
    stop; confidence: 0..1; both NaN where it abstains.
    """

    direction: npt.NDArray[np.int8]
    probability: FloatArray
    confidence: FloatArray

    @classmethod
    def of(cls, side: FloatArray, probability: FloatArray, confidence: FloatArray) -> "Votes":
        """Votes where `side` (its sign counts) is finite and not 0 and both figures are finite; abstentions elsewhere.

        Probability is clipped to 0.5..0.95, confidence to 0..1.
        """
        awake = np.isfinite(side) & (side != 0) & np.isfinite(probability) & np.isfinite(confidence)
        return cls(
            direction=np.where(awake, np.sign(np.where(awake, side, 0.0)), 0).astype(np.int8),
            probability=np.where(awake, np.clip(probability, MIN_PROBABILITY, MAX_PROBABILITY), np.nan),
            confidence=np.where(awake, np.clip(confidence, 0.0, 1.0), np.nan),
        )

    @property
    def awake(self) -> npt.NDArray[np.bool_]:
        awake: npt.NDArray[np.bool_] = self.direction != 0
        return awake


class Head(Protocol):
    """One of the nine experts. It votes on arrays, never catches, never logs, never sees the database."""

    @property
    def name(self) -> str: ...
    @property
    def letter(self) -> str: ...
    @property
    def needs(self) -> Needs: ...

    def vote(self, window: Window) -> Votes:
        """One vote or abstention for every base row; row i uses base rows 0..i and what had closed by then."""
        ...
