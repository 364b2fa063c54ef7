"""Head B: against the crowd where it is extreme, with it in between when most symbols confirm. Pure."""

import numpy as np

from ingestion.timeframes import FloatArray
from signals.heads.base import Needs, Votes
from signals.window import Window

FEAR_GREED, BREADTH = "mood.fear_greed", "mood.breadth"
NEUTRAL = 50.0
# market.md 2, head B: contrarian at 20 and below, at 80 and above.
EXTREME = 30.0
# The crowd leans from two thirds of the way between neutral and extreme on: 30 and 70.
LEANING = 20.0
# Breadth confirms when three of four symbols stand on the crowd's side of their mean. Zweig (Winning on Wall Street,
# 1986) asks for 61.5 % of a thousand stocks; coins move together, so of them the bar is higher.
CONFIRMING_BREADTH = 0.75
# What an extreme is worth where it begins and at 0 or 100; the crowd in between is worth little more than a coin.
EXTREME_PROBABILITY, UTMOST_PROBABILITY = 0.60, 0.75
EXTREME_CONFIDENCE, UTMOST_CONFIDENCE = 0.50, 1.00
CROWD_PROBABILITY = 0.55


class Sentiment:
    """Reads the mood of the whole market, so it says the same of every symbol; silent without a fresh mood."""

    name, letter = "sentiment", "B"
    needs = Needs(feeds=(FEAR_GREED, BREADTH))

    def vote(self, window: Window) -> Votes:
        """Vote on every base row; shapes (bars,). The mood is NaN, and the head silent, below five symbols."""
        absent = np.full(len(window), np.nan)
        greed = window.feeds.get(FEAR_GREED, absent) - NEUTRAL
        tilt = 2.0 * window.feeds.get(BREADTH, absent) - 1.0
        extreme = np.abs(greed) >= EXTREME
        side = np.where(extreme, -np.sign(greed), crowd_side(greed, tilt))
        depth = np.clip((np.abs(greed) - EXTREME) / (NEUTRAL - EXTREME), 0.0, 1.0)
        return Votes.of(
            np.where(window.base.ready & np.isfinite(tilt), side, np.nan),
            np.where(extreme, between(EXTREME_PROBABILITY, UTMOST_PROBABILITY, depth), CROWD_PROBABILITY),
            np.where(extreme, between(EXTREME_CONFIDENCE, UTMOST_CONFIDENCE, depth), np.abs(tilt)),
        )


def crowd_side(greed: FloatArray, tilt: FloatArray) -> FloatArray:
    """The crowd's side where it leans and breadth, as -1..1 around one half, confirms; 0 elsewhere."""
    confirmed = (np.abs(tilt) >= 2.0 * CONFIRMING_BREADTH - 1.0) & (np.sign(tilt) == np.sign(greed))
    return np.where((np.abs(greed) >= LEANING) & confirmed, np.sign(greed), 0.0)


def between(low: float, high: float, share: FloatArray) -> FloatArray:
    """The value that lies `share` of the way from low to high."""
    return low + (high - low) * share
