"""What a head is: one opinion per bar, or silence."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import FloatArray
from signals.columns import Rows
from signals.window import Window

MIN_PROBABILITY, MAX_PROBABILITY = 0.5, 0.95


@dataclass(frozen=True)
class Needs:
    """What a head reads. It abstains where a required timeframe is not ready or a required feed is missing.

    `memory`: how many bars before its own a vote depends on besides indicators and what frames derive; with it a head
    is asked about many symbols at once (`window.stacked`). None: the whole window, one symbol at a time.
    """

    timeframes: tuple[str, ...] = ()  # context timeframes beside the scan's own
    indicators: frozenset[str] = frozenset()
    feeds: tuple[str, ...] = ()
    memory: int | None = None


@dataclass(frozen=True)
class Votes(Rows):
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

    def padded(self, bars: int) -> "Votes":
        """The same votes as the last rows of `bars`, silent before: of a head that voted on `Window.recent` only."""
        silent = bars - len(self.direction)
        if silent == 0:
            return self
        unknown = np.full(silent, np.nan)
        return Votes(
            direction=np.concatenate((np.zeros(silent, np.int8), self.direction)),
            probability=np.concatenate((unknown, self.probability)),
            confidence=np.concatenate((unknown, self.confidence)),
        )

    @property
    def awake(self) -> npt.NDArray[np.bool_]:
        awake: npt.NDArray[np.bool_] = self.direction != 0
        return awake


@dataclass(frozen=True)
class Reason:
    """An input behind a vote: its name, its value in its own unit, and how far it pulls up (+) or down (-), -1..1."""

    name: str
    value: float
    pull: float


MOST_REASONS = 4


def strongest(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The MOST_REASONS that pull hardest, hardest first, by name where they pull alike; those without data drop out."""
    known = [reason for reason in reasons if isfinite(reason.value) and isfinite(reason.pull)]
    return tuple(sorted(known, key=lambda reason: (-abs(reason.pull), reason.name))[:MOST_REASONS])


class Head(Protocol):
    """One of the nine experts. It votes on arrays, never catches, never logs, never sees the database."""

    @property
    def name(self) -> str: ...
    @property
    def letter(self) -> str: ...
    @property
    def needs(self) -> Needs: ...

    def vote(self, window: Window) -> Votes:
        """One vote or abstention for every base row; row i uses base rows 0..i and what had closed by then.

        Rows before `window.first` are not read and may abstain; the others have the same bits whatever it is.
        """
        ...


class Expert(Head, Protocol):
    """A head that can also say why. All nine can."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Every name a reason of this head may have. Reasons are stored by position: append, never reorder."""
        ...

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """What moved the vote at one row (from `window.first` on) most: `strongest` of all that it weighed there.

        Where the head abstains they say what it saw; empty where it saw nothing, as without data.
        """
        ...
