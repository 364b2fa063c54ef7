"""Head I: the futures market: against a crowd that pays to stay, with the flow where nobody is crowded. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.parts import Balance, balance, bounded
from signals.window import Window

FUNDING, BASIS, LONG_SHORT = "crypto.funding", "crypto.basis", "crypto.long_short"
TAKER_RATIO, ALT_SEASON = "crypto.taker_ratio", "crypto.alt_season"
OPEN_INTEREST_CHANGE, PRICE_CHANGE = "crypto.open_interest_change", "crypto.price_change"
FEEDS = (FUNDING, BASIS, OPEN_INTEREST_CHANGE, PRICE_CHANGE, LONG_SHORT, TAKER_RATIO, ALT_SEASON)

# market.md 2, head I: longs are a crowd above 0.05 % per eight hours, shorts below -0.03 %. Both lie 0.04 % from the
# 0.01 % that longs pay in a market at rest, the interest part of Binance's formula.
LONGS_CROWDED, SHORTS_CROWDED = 0.0005, -0.0003
RESTING_FUNDING, FUNDING_EDGE = (LONGS_CROWDED + SHORTS_CROWDED) / 2, (LONGS_CROWDED - SHORTS_CROWDED) / 2
# market.md 2, head I: a crowd is three accounts on one side for each on the other.
CROWDED_ACCOUNTS = 3.0
# At the edge a crowd is heard at once, with half of its pull; at twice the edge with all of it.
EDGE_PULL, UTMOST = 0.5, 2.0
# Where the flow counts in full. The premium index is clamped to 0.05 % in Binance's funding formula; a fifth more
# bought than sold in an hour, a tenth more open interest in a day, and nine alts of ten ahead of bitcoin are rare.
FULL_BASIS, FULL_TAKER, FULL_GROWTH, FULL_MOVE, FULL_SEASON = 0.0005, float(np.log(1.2)), 0.10, 0.02, 0.40
# What each part counts. The crowd's two as much as the four of the flow: what traders hold outlasts what they do.
CROWD_WEIGHTS = {FUNDING: 0.25, LONG_SHORT: 0.20}
FLOW_WEIGHTS = {FUNDING: 0.10, BASIS: 0.25, OPEN_INTEREST_CHANGE: 0.25, TAKER_RATIO: 0.25, ALT_SEASON: 0.15}
# Flow speaks from a third of what it could say; a crowd speaks wherever it is one.
LEAST_FLOW = 1.0 / 3.0
# What a vote states at the edge and at its utmost; flow of an hour is soon over and never worth more than its edge.
CROWD_PROBABILITY, UTMOST_PROBABILITY, FLOW_PROBABILITY = 0.56, 0.66, 0.54


@dataclass(frozen=True)
class Opinion:
    """What each part says toward up (+) or down (-), -1..1, NaN without data; arrays of shape (bars,).

    crowd: parts that are crowded, 0 where they are not; flow: parts of the flow. crowded: whether any is.
    """

    crowd: dict[str, FloatArray]
    flow: dict[str, FloatArray]
    crowded: BoolArray


class CryptoMetrics:
    """Contrarian where funding or accounts are crowded, with the flow otherwise; silent without a fresh feed."""

    name, letter = "crypto_metrics", "I"
    needs = Needs(feeds=FEEDS, memory=0)
    inputs = tuple(name.partition(".")[2] for name in FEEDS)

    def vote(self, window: Window) -> Votes:
        """Vote on every base row; shapes (bars,). Feeds that are absent drop out."""
        seen = opinion(window.feeds, len(window))
        crowd, flow = (weighed(seen.crowd, CROWD_WEIGHTS), weighed(seen.flow, FLOW_WEIGHTS))
        side = np.where(seen.crowded, crowd.score, np.where(np.abs(flow.score) >= LEAST_FLOW, flow.score, np.nan))
        depth = np.abs(side)
        return Votes.of(
            side=np.where(window.base.ready, side, np.nan),
            probability=np.where(
                seen.crowded, CROWD_PROBABILITY + (UTMOST_PROBABILITY - CROWD_PROBABILITY) * depth, FLOW_PROBABILITY
            ),
            confidence=np.where(seen.crowded, crowd.agreement, flow.agreement * flow.present),
        )

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """Each feed as it was seen, by how far it pulls; the flow pulls nothing where there is a crowd."""
        feeds = {name: values[row : row + 1] for name, values in window.feeds.items()}
        seen = opinion(feeds, 1)
        parts, weights = (seen.crowd, CROWD_WEIGHTS) if seen.crowded[0] else (seen.flow, FLOW_WEIGHTS)
        whole = sum(weight for name, weight in weights.items() if np.isfinite(parts[name][0]))
        pulls = {name: weights[name] * float(parts[name][0]) / whole for name in weights if whole}
        return strongest(
            Reason(name.partition(".")[2], float(values[0]), pulls.get(name, 0.0))
            for name, values in feeds.items()
            if name in FEEDS
        )


def weighed(parts: Mapping[str, FloatArray], weights: Mapping[str, float]) -> Balance:
    """The weighted mean of the parts that have data."""
    return balance([(weight, parts[name]) for name, weight in weights.items()])


def opinion(feeds: Mapping[str, FloatArray], bars: int) -> Opinion:
    """What the feeds say at each row; those that are absent say nothing."""
    absent = np.full(bars, np.nan)
    seen = {name: feeds.get(name, absent) for name in FEEDS}
    funding, accounts = (seen[FUNDING] - RESTING_FUNDING) / FUNDING_EDGE, seen[LONG_SHORT]
    crowd = {
        FUNDING: against(funding, seen[FUNDING] > LONGS_CROWDED, seen[FUNDING] < SHORTS_CROWDED),
        LONG_SHORT: against(
            logarithm(accounts) / np.log(CROWDED_ACCOUNTS),
            accounts > CROWDED_ACCOUNTS,
            accounts < 1.0 / CROWDED_ACCOUNTS,
        ),
    }
    growth = np.clip(seen[OPEN_INTEREST_CHANGE] / FULL_GROWTH, 0.0, 1.0)
    flow = {
        FUNDING: bounded(funding),
        BASIS: bounded(seen[BASIS] / FULL_BASIS),
        OPEN_INTEREST_CHANGE: growth * bounded(seen[PRICE_CHANGE] / FULL_MOVE),
        TAKER_RATIO: bounded(logarithm(seen[TAKER_RATIO]) / FULL_TAKER),
        ALT_SEASON: bounded((seen[ALT_SEASON] - 0.5) / FULL_SEASON),
    }
    return Opinion(crowd, flow, np.logical_or.reduce([np.abs(values) > 0 for values in crowd.values()]))


def logarithm(ratio: FloatArray) -> FloatArray:
    """Natural logarithm; NaN of what is not a ratio above 0."""
    return np.log(np.where(ratio > 0, ratio, np.nan))


def against(crowding: FloatArray, longs: BoolArray, shorts: BoolArray) -> FloatArray:
    """The side against a crowd of longs or shorts, harder the further beyond the edge; 0 where there is none."""
    beyond = np.clip((np.abs(crowding) - 1.0) / (UTMOST - 1.0), 0.0, 1.0)
    side = np.where(longs, -1.0, np.where(shorts, 1.0, 0.0))
    return np.where(np.isnan(crowding), np.nan, side * (EDGE_PULL + (1.0 - EDGE_PULL) * beyond))
