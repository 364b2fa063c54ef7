"""What the published signals earned, from those that closed in the stretch of time that is asked about."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.selectors.columns import DAY_MICROSECONDS, days, microseconds, read_columns
from analytics.selectors.estimates import daily_mean, share
from analytics.selectors.scope import Scope
from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.models import Signal

DAYS_A_YEAR = 365


@dataclass(frozen=True)
class Trades:
    """Closed signals in order of their exit; arrays (n,). `exit_at` as read, `net_pct` in percent of entry."""

    exit_at: IntArray
    net_r: FloatArray
    net_pct: FloatArray

    @property
    def day(self) -> IntArray:
        return days(self.exit_at)

    @property
    def won(self) -> BoolArray:
        return self.net_r > 0


def closed_trades(scope: Scope) -> Trades:
    """Signals that closed inside the scope; void ones were never entered and are not among them."""
    rows = Signal.objects.filter(net_r__isnull=False, **scope.filters("exit_at"))
    found = read_columns(rows, {"exit_at": "time", "id": "bigint", "net_r": "float", "net_pct": "float"})
    order = np.lexsort((found["id"], found["exit_at"]))
    return Trades(found["exit_at"][order], found["net_r"][order], found["net_pct"][order])


def overall(scope: Scope) -> dict[str, Any]:
    """Counts of what was published and figures of what closed; null where nothing closed."""
    trades = closed_trades(scope)
    wins = int(trades.won.sum())
    expectancy = daily_mean(trades.day, trades.net_r)
    win_rate = share(wins, len(trades.day))
    return {
        "total_signals": Signal.objects.filter(**scope.filters("opened_at")).count(),
        "closed_signals": len(trades.day),
        "win_count": wins,
        "loss_count": len(trades.day) - wins,
        **win_rate.beside("win_rate"),
        "avg_profit_per_trade": mean(trades.net_pct),
        "total_profit": total(trades.net_pct),
        "profit_factor": profit_factor(trades.net_r),
        "sharpe_ratio": sharpe_ratio(trades, scope),
        "max_drawdown": max_drawdown(trades.net_pct),
        "best_streak": longest_run(trades.won, len(trades.day)),
        "worst_streak": longest_run(~trades.won, len(trades.day)),
        **expectancy.beside("expectancy_r", prefix="expectancy_r_"),
    }


def mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


def total(values: FloatArray) -> float | None:
    return float(values.sum()) if len(values) else None


def profit_factor(net_r: FloatArray) -> float | None:
    """What the winners paid over what the losers cost; None while nothing was lost."""
    lost = -float(net_r[net_r < 0].sum())
    return float(net_r[net_r > 0].sum()) / lost if lost else None


def sharpe_ratio(trades: Trades, scope: Scope) -> float | None:
    """Annual Sharpe ratio of the sums of R over 24 hours, 0 where none closed (Sharpe 1994); None under 2 days."""
    length = (scope.until - scope.since).days
    if length < 2 or not len(trades.day):
        return None
    blocks_back = (microseconds(scope.until) - trades.exit_at) // DAY_MICROSECONDS
    daily = np.bincount(blocks_back, weights=trades.net_r, minlength=length)
    spread = float(daily.std(ddof=1))
    return float(daily.mean()) / spread * float(np.sqrt(DAYS_A_YEAR)) if spread else None


def max_drawdown(net_pct: FloatArray) -> float | None:
    """The deepest fall of the running sum below its earlier peak (or 0), in percent points."""
    if not len(net_pct):
        return None
    equity = np.concatenate([[0.0], np.cumsum(net_pct)])
    return float((np.maximum.accumulate(equity) - equity).max())


def longest_run(happened: BoolArray, count: int) -> int | None:
    """The longest unbroken run of True; None where there is nothing to count."""
    if not count:
        return None
    index = np.arange(1, count + 1)
    last_break = np.maximum.accumulate(np.where(happened, 0, index))
    return int((index - last_break).max())
