"""A bracket over the price of its life as an SVG: entry, stop, target and exit; colours from the page's own style."""

from datetime import UTC, datetime
from html import escape
from math import isfinite
from typing import Protocol

import numpy as np

from ingestion.timeframes import MINUTE_MS, Candles, FloatArray, IntArray

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT = 760, 280, 10, 120, 12, 28
BARS = 150


class Bracket(Protocol):
    """What is drawn of a decision; prices as they were fixed, and how it ended if it has."""

    reference_price: float
    stop_loss: float
    take_profit: float
    entry: float | None
    exit_price: float | None


def bracket_plot(bracket: Bracket, minutes: Candles, opened_ms: int, ends_ms: int, exit_ms: int | None) -> str:
    """The price around [opened_ms, ends_ms) with the bracket from its opening on; empty without a candle."""
    if not len(minutes):
        return ""
    at_ms, high, low, close = barred(minutes)
    levels = [("target", bracket.take_profit, "good"), ("stop", bracket.stop_loss, "bad")]
    levels.append(("entry", bracket.reference_price if bracket.entry is None else bracket.entry, "entry"))
    prices = [float(high.max()), float(low.min()), *(price for _, price, _ in levels)]
    scale = Scale((int(at_ms[0]), max(int(at_ms[-1]), ends_ms)), (min(prices), max(prices)))
    parts = [
        f'<path class="range" d="{_ranges(scale, at_ms, high, low)}"/>',
        f'<polyline class="curve" points="{_points(scale, at_ms, close)}"/>',
        _rule(scale.x(opened_ms), "opened", opened_ms),
        *(_level(scale, name, price, kind, opened_ms, ends_ms) for name, price, kind in levels),
    ]
    if exit_ms is not None:
        parts.append(_rule(scale.x(exit_ms), "ended", exit_ms))
    if exit_ms is not None and bracket.exit_price is not None:
        kind = "good" if (bracket.exit_price > levels[2][1]) == (bracket.take_profit > levels[2][1]) else "bad"
        place = f'cx="{scale.x(exit_ms):.1f}" cy="{scale.y(bracket.exit_price):.1f}"'
        parts.append(f'<circle {place} r="5" class="fill-{kind}"><title>exit {bracket.exit_price:.8g}</title></circle>')
    title = "Price with entry, stop, target and exit"
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img"'
        f' aria-label="{title}"><title>{title}</title>{"".join(parts)}</svg>'
    )


class Scale:
    """From times and prices to places in the picture."""

    def __init__(self, times: tuple[int, int], prices: tuple[float, float]) -> None:
        self.begin, self.low = times[0], prices[0]
        self.across = (WIDTH - LEFT - RIGHT) / max(times[1] - times[0], 1)
        self.up = (HEIGHT - TOP - FOOT) / ((prices[1] - prices[0]) or 1.0)

    def x(self, at_ms: float) -> float:
        return LEFT + (at_ms - self.begin) * self.across

    def y(self, price: float) -> float:
        return HEIGHT - FOOT - (price - self.low) * self.up


def barred(minutes: Candles) -> tuple[IntArray, FloatArray, FloatArray, FloatArray]:
    """Close times (ms), highs, lows and closes of at most BARS equal stretches of minutes."""
    step = -(-len(minutes) // BARS)
    starts = np.arange(0, len(minutes), step)
    last = np.append(starts[1:], len(minutes)) - 1
    high, low = np.maximum.reduceat(minutes.high, starts), np.minimum.reduceat(minutes.low, starts)
    return minutes.open_ms[last] + MINUTE_MS, high, low, minutes.close[last]


def _ranges(scale: Scale, at_ms: IntArray, high: FloatArray, low: FloatArray) -> str:
    rows = zip(at_ms.tolist(), high.tolist(), low.tolist(), strict=True)
    return "".join(f"M{scale.x(at):.1f} {scale.y(top):.1f}V{scale.y(bottom):.1f}" for at, top, bottom in rows)


def _points(scale: Scale, at_ms: IntArray, close: FloatArray) -> str:
    rows = zip(at_ms.tolist(), close.tolist(), strict=True)
    return " ".join(f"{scale.x(at):.1f},{scale.y(price):.1f}" for at, price in rows if isfinite(price))


def _level(scale: Scale, name: str, price: float, kind: str, opened_ms: int, ends_ms: int) -> str:
    y, first, last = scale.y(price), scale.x(opened_ms), scale.x(ends_ms)
    words = escape(f"{name} {price:.8g}")
    return (
        f'<line x1="{first:.1f}" x2="{last:.1f}" y1="{y:.1f}" y2="{y:.1f}" class="level {kind}"/>'
        f'<text x="{WIDTH - RIGHT + 6}" y="{y + 4:.1f}" class="{kind}">{words}</text>'
    )


def _rule(x: float, name: str, at_ms: int) -> str:
    when = datetime.fromtimestamp(at_ms / 1000, UTC)
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - FOOT}" class="guide"/>'
        f'<text x="{x:.1f}" y="{HEIGHT - (16 if name == "opened" else 4)}">{name} {when:%d %b %H:%M}</text>'
    )
