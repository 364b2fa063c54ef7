"""Bars with made-up votes and outcomes, and the report on them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingestion.timeframes import TIMEFRAMES
from learning.calendar import DAY_MS
from learning.head_looks import Bars, Watched
from learning.head_report import FrameResult, HeadReport, Origin, claims_of, frame_result
from signals.consensus import evidence
from signals.heads.base import Needs, Votes
from signals.scan import Rules
from signals.window import Window
from tests.signals.market import START_MS

QUARTER = TIMEFRAMES["15m"]


@dataclass
class Named:
    """A head of which only the name matters here."""

    name: str
    letter: str = "X"
    needs: Needs = field(default_factory=Needs)

    def vote(self, window: Window) -> Votes:
        nobody = np.full(len(window), np.nan)
        return Votes.of(nobody, nobody, nobody)


def made_bars(direction: np.ndarray, long_r: np.ndarray, *, days: int, stated: float = 0.6) -> Bars:
    """Bars spread evenly over days; `direction` (n, H), a long win is a short loss. Every vote states the same."""
    count = len(long_r)
    probability = np.where(direction != 0, stated, np.nan)
    return Bars(
        symbol=np.full(count, "BTCUSDT"),
        close_ms=START_MS + np.arange(count) * (days * DAY_MS // count),
        direction=direction.astype(np.int8),
        evidence=evidence(direction.astype(np.int8), probability, np.ones_like(probability)),
        labelled=np.full(count, True),
        long_r=long_r,
        short_r=np.where(long_r > 0, -1.1, 1.9),
        uniqueness=np.full(count, 0.5),
    )


def coin_market(count: int, *, seed: int, rising: float = 0.5) -> tuple[np.ndarray, np.random.Generator]:
    """Net R of the long side of a market where long wins with chance `rising`."""
    draw = np.random.default_rng(seed)
    return np.where(draw.uniform(size=count) < rising, 1.9, -1.1), draw


def right_with(chance: float, long_r: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Votes that take the winning side with this chance."""
    truth = np.where(long_r > 0, 1, -1)
    return np.where(draw.uniform(size=len(long_r)) < chance, truth, -truth)


def result_of(bars: Bars, heads: Sequence[Any]) -> FrameResult:
    watched = Watched(bars, frozenset())
    claims = claims_of(len(heads), 1)
    return frame_result(watched, QUARTER, heads, Rules(), claims=claims, costs_of_time={})


def report_of(bars: Bars, heads: Sequence[Any], name: str = "made up") -> HeadReport:
    origin = Origin(name, ("BTCUSDT",), 1000, START_MS, START_MS + DAY_MS)
    return HeadReport((origin,), Rules(), claims_of(len(heads), 1), (result_of(bars, heads),))
