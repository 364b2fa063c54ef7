"""Head B: against the crowd where it is extreme, with it in between when most symbols confirm. Pure."""

from collections.abc import Mapping

import numpy as np

from ingestion.timeframes import FloatArray
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.window import Window

FEAR_GREED, BREADTH, EXTERNAL = "mood.fear_greed", "mood.breadth", "sentiment.external"
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
    """Reads the mood of the whole market, so it says the same of every symbol; silent without a fresh mood.

    The mood is our own index, or one from outside (0 fear to 100 greed, as that of alternative.me), or the mean of
    both. In between the extremes only our own breadth can confirm the crowd.
    """

    name, letter = "sentiment", "B"
    needs = Needs(feeds=(FEAR_GREED, BREADTH, EXTERNAL), memory=0)
    inputs = ("fear_greed", "external", "breadth")

    def vote(self, window: Window) -> Votes:
        """Vote on every base row; shapes (bars,). Our own mood is NaN, and adds nothing, below five symbols."""
        greed, tilt = mood_seen(window.feeds, len(window))
        extreme = np.abs(greed) >= EXTREME
        side = np.where(extreme, -np.sign(greed), crowd_side(greed, tilt))
        depth = np.clip((np.abs(greed) - EXTREME) / (NEUTRAL - EXTREME), 0.0, 1.0)
        return Votes.of(
            np.where(window.base.ready, side, np.nan),
            np.where(extreme, between(EXTREME_PROBABILITY, UTMOST_PROBABILITY, depth), CROWD_PROBABILITY),
            np.where(extreme, between(EXTREME_CONFIDENCE, UTMOST_CONFIDENCE, depth), np.abs(tilt)),
        )

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """Both indices against the crowd where together they are extreme, else with it; breadth with it."""
        seen = {name: values[row : row + 1] for name, values in window.feeds.items()}
        greed, tilt = (float(values[0]) for values in mood_seen(seen, 1))
        turn = -1.0 if abs(greed) >= EXTREME else 1.0
        indices = (
            Reason(name.partition(".")[2], float(seen[name][0]), turn * (float(seen[name][0]) / NEUTRAL - 1.0))
            for name in (FEAR_GREED, EXTERNAL)
            if name in seen
        )
        # Breadth is asked in between the extremes only.
        breadth = Reason("breadth", (tilt + 1.0) / 2.0, tilt if turn > 0 else 0.0)
        return strongest((*indices, breadth))


def mood_seen(feeds: Mapping[str, FloatArray], bars: int) -> tuple[FloatArray, FloatArray]:
    """Greed, -50..50 around neutral, and the tilt of breadth, -1..1; shapes (bars,), NaN where it is not known."""
    absent = np.full(bars, np.nan)
    breadth, external = feeds.get(BREADTH, absent), feeds.get(EXTERNAL, absent)
    own = np.where(np.isnan(breadth), np.nan, feeds.get(FEAR_GREED, absent))
    greed = np.where(np.isnan(own), external, np.where(np.isnan(external), own, (own + external) / 2.0))
    return greed - NEUTRAL, 2.0 * breadth - 1.0


def crowd_side(greed: FloatArray, tilt: FloatArray) -> FloatArray:
    """The crowd's side where it leans and breadth, as -1..1 around one half, confirms; 0 elsewhere."""
    confirmed = (np.abs(tilt) >= 2.0 * CONFIRMING_BREADTH - 1.0) & (np.sign(tilt) == np.sign(greed))
    return np.where((np.abs(greed) >= LEANING) & confirmed, np.sign(greed), 0.0)


def between(low: float, high: float, share: FloatArray) -> FloatArray:
    """The value that lies `share` of the way from low to high."""
    return low + (high - low) * share
