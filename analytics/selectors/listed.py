"""What stands above a list of signals or shadows: what they came to."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from analytics.selectors.decisions import Wanted
from analytics.selectors.kept import GRACE_SECONDS, keep
from analytics.selectors.rejections import rejection_analysis
from analytics.selectors.scope import Scope
from analytics.selectors.stamps import read_stamp
from analytics.selectors.trades import closed_trades, overall

# What the figures cover where no beginning is asked for.
USUAL = timedelta(days=30)


class Summary(NamedTuple):
    """Figures, and the stretch, symbol and timeframe that they are of."""

    scope: Scope
    figures: dict[str, Any]


def earned(scope: Scope) -> dict[str, Any]:
    """What the signals that closed in the scope earned, as the performance endpoint says it, with the sum of R."""
    net_r = closed_trades(scope).net_r
    return overall(scope) | {"total_r": float(net_r.sum()) if len(net_r) else None}


FIGURES: dict[str, Callable[[Scope], dict[str, Any]]] = {"signal": earned, "shadow": rejection_analysis}


def summary(kind: str, wanted: Wanted) -> Summary | None:
    """Of the symbol, timeframe and stretch that are wanted; None before there is any market."""

    def compute() -> Summary | None:
        settled = read_stamp().until
        scope = scope_of(wanted, settled) if settled else None
        return Summary(scope, FIGURES[kind](scope)) if scope else None

    asked = (kind, wanted.symbol, wanted.timeframe, wanted.since, wanted.until)
    return keep(("summary", *asked), read_stamp, compute, GRACE_SECONDS)


def scope_of(wanted: Wanted, settled: datetime) -> Scope:
    """As asked; else a month that ends with the last decided close."""
    until = wanted.until or settled
    return Scope(wanted.since or until - USUAL, until, wanted.symbol, wanted.timeframe)
