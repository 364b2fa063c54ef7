"""The deflated Sharpe ratio of daily net R, with every configuration that was tried counted. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.timeframes import FloatArray, IntArray
from learning.evaluating.paths import Trades
from learning.evaluation import deflated_sharpe


@dataclass(frozen=True)
class Sharpe:
    """`daily`: mean over standard deviation of a day's net R, days without a signal counting as 0; not annualised.

    `deflated`: the chance that it is above zero in truth, after so many tries. `trial_variance`: variance of the
    daily ratios of those tries that traded at all.
    """

    daily: float | None
    days: int
    trials: int
    trial_variance: float | None
    deflated: float | None


def sharpe_ratio(returns: FloatArray) -> float | None:
    """Mean over standard deviation; None with fewer than 3 returns or without spread."""
    count = len(returns)
    if count < 3:
        return None
    mean = float(returns.sum()) / count
    spread = math.sqrt(float(((returns - mean) ** 2).sum()) / (count - 1))
    return mean / spread if spread > 0 else None


def sharpe_of(trades: Trades, trials: Mapping[str, Trades], days: IntArray) -> Sharpe:
    """The ratio of a path's signals among all that were tried; those that never traded count as tries too."""
    returns = trades.daily(days)
    ratios = [ratio for ratio in (sharpe_ratio(each.daily(days)) for each in trials.values()) if ratio is not None]
    variance = None
    if len(ratios) > 1:
        mean = sum(ratios) / len(ratios)
        variance = sum((ratio - mean) ** 2 for ratio in ratios) / (len(ratios) - 1)
    deflated = deflated_sharpe(returns, len(trials), variance) if variance is not None else None
    return Sharpe(sharpe_ratio(returns), len(days), len(trials), variance, deflated)
