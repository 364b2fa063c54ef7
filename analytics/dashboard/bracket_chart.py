"""The chart of a decision: candles, its levels, and what happened when."""

from math import floor, log10
from typing import Any

from analytics.selectors.price_path import PricePath
from signals.models import TrackedDecision

MOST_DIGITS = 8


def digits_of(price: float) -> int:
    """Decimals that show a price of this size to six figures."""
    return min(max(5 - floor(log10(price)), 0), MOST_DIGITS) if price > 0 else 2


def path_chart(path: PricePath) -> dict[str, Any]:
    """The bars alone, with the moment of the decision."""
    bars = path.bars
    columns = (bars.open_ms // 1000, bars.open, bars.high, bars.low, bars.close)
    candles = [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return {
        "digits": digits_of(candles[-1][4]) if candles else 2,
        "candles": candles,
        "series": [],
        "levels": [],
        "markers": [marker(path.decided_bar_ms, "decision", "muted", "circle", "aboveBar")] if candles else [],
    }


def bracket_chart(path: PricePath, decision: TrackedDecision) -> dict[str, Any]:
    """The same with entry, stop and target, and where it was entered and left."""
    chart = path_chart(path)
    prices = [("entry", decision.entry, "accent"), ("stop", decision.stop_loss, "bad")]
    prices.append(("target", decision.take_profit, "good"))
    levels = [
        {"price": price, "title": title, "color": color, "dashed": title == "entry"}
        for title, price, color in prices
        if price is not None
    ]
    return chart | {"levels": levels, "markers": [*chart["markers"], *_moments(path, decision)]}


def _moments(path: PricePath, decision: TrackedDecision) -> list[dict[str, Any]]:
    is_long = decision.direction > 0
    under, over = ("belowBar", "aboveBar") if is_long else ("aboveBar", "belowBar")
    found = []
    if decision.entry is not None:
        found.append(marker(path.entered_bar_ms, "entry", "accent", "arrowUp" if is_long else "arrowDown", under))
    if path.ended_bar_ms is not None:
        won = decision.net_r is not None and decision.net_r > 0
        found.append(marker(path.ended_bar_ms, decision.outcome, "good" if won else "bad", "square", over))
    return found


def marker(at_ms: int, text: str, color: str, shape: str, position: str) -> dict[str, Any]:
    return {"time": at_ms // 1000, "text": text, "color": color, "shape": shape, "position": position}
