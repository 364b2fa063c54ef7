"""The paper account: how much of a signal it would hold, and what that paid. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class AccountRules:
    """Money in quote currency; shares of equity."""

    start_equity: float = 10_000.0
    risk_per_trade: float = 0.005
    max_notional: float = 0.5


@dataclass(frozen=True)
class Filters:
    """The exchange's steps for one symbol (exchangeInfo); None where they are not known."""

    step_size: float | None = None
    min_notional: float | None = None


def size_position(equity: float, price: float, risk: float, rules: AccountRules, filters: Filters) -> float:
    """Quantity in base currency: risk per trade over the stop distance, within the notional cap and the filters.

    0 when the exchange's least notional is out of reach: the signal stands, the account does not take it.
    """
    if equity <= 0:
        return 0.0
    quantity = min(equity * rules.risk_per_trade / risk, equity * rules.max_notional / price)
    if filters.step_size:
        quantity = math.floor(quantity / filters.step_size) * filters.step_size
    if filters.min_notional and quantity * price < filters.min_notional:
        return 0.0
    return quantity


def position_profit(quantity: float, net_r: float, risk: float) -> float:
    """Profit in quote currency of a closed position: net R times the money that 1 R was."""
    return quantity * risk * net_r
