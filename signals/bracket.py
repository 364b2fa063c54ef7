"""The bracket: stop, target and time limit of a lean, fixed at the decision, alike for signal and shadow. Pure."""

from dataclasses import dataclass

import numpy as np

from signals.consensus import FloatArray, SideArray


@dataclass(frozen=True)
class Costs:
    """What a round trip costs, as fractions of price."""

    fee: float = 0.001  # taker, a side
    slippage: float = 0.0002  # a side

    @property
    def round_trip(self) -> float:
        return 2 * (self.fee + self.slippage)


@dataclass(frozen=True)
class BracketRule:
    """market.md 3: stop 1.5 ATR(14) of the scan timeframe within 0.3-3 % of price, target 2 R, limit 96 scan bars."""

    stop_atr: float = 1.5
    min_stop: float = 0.003
    max_stop: float = 0.03
    target_r: float = 2.0
    limit_bars: int = 96


@dataclass(frozen=True)
class Brackets:
    """Barriers of n leans on one side; arrays (n,), prices. `risk` is the distance that 1 R stands for."""

    stop_loss: FloatArray
    take_profit: FloatArray
    risk: FloatArray


def risk_distance(reference: FloatArray, atr: FloatArray, rule: BracketRule) -> FloatArray:
    """Distance from the reference price (the scan's close) to the stop, in price; NaN where ATR is."""
    return np.clip(rule.stop_atr * atr, rule.min_stop * reference, rule.max_stop * reference)


def place(reference: FloatArray, risk: FloatArray, side: SideArray, rule: BracketRule) -> Brackets:
    """Stop and target of each lean around its reference price; `side` -1 or +1."""
    return Brackets(stop_loss=reference - side * risk, take_profit=reference + side * rule.target_r * risk, risk=risk)


def expected_r(
    probability: FloatArray, reference: FloatArray, risk: FloatArray, rule: BracketRule, costs: Costs
) -> FloatArray:
    """Expected net result in R: P x target R - (1 - P) x 1 R - costs; costs of a round trip over the risk."""
    return probability * rule.target_r - (1 - probability) - costs.round_trip * reference / risk
