"""The plots of the head report as inline SVG, 360 units wide: no script, colours from the page's own style."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, log10

from ingestion.timeframes import FloatArray
from learning.evaluation import Bin, Estimate

WIDTH = 360
LABELS, RIGHT, ROW, TOP, BOTTOM = 112, 14, 26, 8, 26


@dataclass(frozen=True)
class Whisker:
    """One line of a whisker plot: a value with its interval, the joint one around it, and what it is set against."""

    label: str
    estimate: Estimate
    joint: tuple[float, float] | None = None
    base: float | None = None


def svg(height: float, title: str, body: str, width: float = WIDTH) -> str:
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{body}</svg>"
    )


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def steps(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from low to high, at most `most`: 1, 2 or 5 times a power of ten apart."""
    span = high - low
    power: float = 10.0 ** floor(log10(span / most))
    step = next(power * times for times in (1, 2, 5, 10) if span / (power * times) <= most)
    first = int(-(-low // step))
    return [step * number for number in range(first, int(high // step) + 1)]


@dataclass(frozen=True)
class Axis:
    """From values to places on a line."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        return self.begin + (self.end - self.begin) * (value - self.low) / (self.high - self.low)


def whiskers(title: str, rows: Sequence[Whisker], *, zero: float | None = 0.0, form: str = "+.2f") -> str:
    """A dot and its 95 % interval a row, a thin line for the joint interval, a tick for the base."""
    bounds = [zero] if zero is not None else []
    for row in rows:
        known = (row.estimate.value, row.estimate.ci_low, row.estimate.ci_high, row.base, *(row.joint or ()))
        bounds += [bound for bound in known if bound is not None]
    low, high = (min(bounds), max(bounds)) if bounds else (0.0, 1.0)
    room = 0.05 * (high - low) or 0.5
    axis = Axis(low - room, high + room, LABELS, WIDTH - RIGHT)
    foot = TOP + ROW * len(rows)
    parts = [_grid(axis, foot, form)]
    if zero is not None:
        parts.append(line(axis.at(zero), TOP, axis.at(zero), foot, "zero"))
    parts += [_whisker(row, TOP + ROW * (number + 0.5), axis) for number, row in enumerate(rows)]
    return svg(foot + BOTTOM, title, "".join(parts))


def _grid(axis: Axis, foot: float, form: str) -> str:
    ticks = steps(axis.low, axis.high)
    return "".join(
        line(axis.at(tick), TOP, axis.at(tick), foot, "grid")
        + text(axis.at(tick), foot + 16, f"{tick:{form}}" if tick else "0", "middle", "tick")
        for tick in ticks
    )


def _whisker(row: Whisker, y: float, axis: Axis) -> str:
    estimate, parts = row.estimate, [text(LABELS - 8, y + 4, row.label, "end")]
    if estimate.value is None:
        return parts[0] + text(LABELS + 4, y + 4, "no votes", kind="quiet")
    if row.joint:
        parts.append(line(axis.at(row.joint[0]), y, axis.at(row.joint[1]), y, "joint"))
    if estimate.ci_low is not None and estimate.ci_high is not None:
        parts.append(line(axis.at(estimate.ci_low), y, axis.at(estimate.ci_high), y, "interval"))
    if row.base is not None:
        parts.append(line(axis.at(row.base), y - 8, axis.at(row.base), y + 8, "base"))
    return "".join(parts) + f'<circle cx="{axis.at(estimate.value):.1f}" cy="{y:.1f}" r="4" class="dot"/>'


def shares(title: str, rows: Sequence[tuple[str, float, float]]) -> str:
    """A bar a row: the share of bars with a vote, long votes first, then short ones; (label, long, short)."""
    axis = Axis(0.0, 1.0, LABELS, WIDTH - RIGHT)
    foot = TOP + ROW * len(rows)
    parts = [_grid(axis, foot, ".0%")]
    for number, (label, long, short) in enumerate(rows):
        y = TOP + ROW * number + 6
        parts.append(text(LABELS - 8, y + 11, label, "end"))
        parts.append(
            _bar(axis.at(0), y, axis.at(long), "long") + _bar(axis.at(long), y, axis.at(long + short), "short")
        )
        if not long + short:
            parts.append(text(LABELS + 4, y + 11, "no votes", kind="quiet"))
    return svg(foot + BOTTOM, title, "".join(parts))


def _bar(begin: float, y: float, end: float, kind: str) -> str:
    return f'<rect x="{begin:.1f}" y="{y:.1f}" width="{end - begin:.1f}" height="{ROW - 12}" class="{kind}"/>'


CURVE = 176
CURVE_EDGE = 30


def curve(title: str, bins: Sequence[Bin], low: float, high: float) -> str:
    """Stated against realised: a dot a bin, its area the number of votes, with its interval; the line is perfection."""
    across, up = Axis(low, high, CURVE_EDGE, CURVE - 8), Axis(low, high, CURVE - CURVE_EDGE, 8)
    parts = []
    for tick in steps(low, high, 4):
        parts.append(line(across.at(tick), 8, across.at(tick), CURVE - CURVE_EDGE, "grid"))
        parts.append(line(CURVE_EDGE, up.at(tick), CURVE - 8, up.at(tick), "grid"))
        parts.append(text(across.at(tick), CURVE - CURVE_EDGE + 14, f"{tick:.1f}", "middle", "tick"))
        parts.append(text(CURVE_EDGE - 4, up.at(tick) + 4, f"{tick:.1f}", "end", "tick"))
    parts.append(line(across.at(low), up.at(low), across.at(high), up.at(high), "zero"))
    most = max((each.happened.n for each in bins), default=1)
    for each in bins:
        x, happened = across.at(each.stated), each.happened
        if happened.ci_low is not None and happened.ci_high is not None:
            parts.append(line(x, up.at(max(happened.ci_low, low)), x, up.at(min(happened.ci_high, high)), "joint"))
        if happened.value is not None:
            radius = 2 + 5 * (happened.n / most) ** 0.5
            parts.append(f'<circle cx="{x:.1f}" cy="{up.at(happened.value):.1f}" r="{radius:.1f}" class="dot"/>')
    if not bins:
        parts.append(text(CURVE_EDGE + 8, 28, "no votes", kind="quiet"))
    return svg(CURVE, title, "".join(parts), CURVE)


def heat_map(title: str, letters: Sequence[str], values: FloatArray) -> str:
    """A square of correlations: one colour for like votes, another for unlike, stronger the further from 0.

    A cell is empty where there is no correlation.
    """
    edge, top = 24, 20
    cell = (WIDTH - edge - 4) / max(len(letters), 1)
    parts = []
    for row, letter in enumerate(letters):
        y = top + cell * row
        parts.append(text(edge - 8, y + cell / 2 + 4, letter, "end"))
        parts.append(text(edge + cell * (row + 0.5), 14, letter, "middle"))
        for column in range(len(letters)):
            parts.append(_cell(edge + cell * column, y, cell, float(values[row, column])))
    return svg(top + cell * len(letters) + 4, title, "".join(parts))


def _cell(x: float, y: float, cell: float, value: float) -> str:
    known = isfinite(value)
    # Never so strong that the figure on it cannot be read.
    kind, shade = ("like" if value > 0 else "unlike", 0.65 * min(abs(value), 1.0)) if known else ("grid", 0.0)
    words = (f"{value:.2f}".replace("0.", ".") if abs(value) >= 0.005 else "0") if known else ""
    square = f'<rect x="{x + 1:.1f}" y="{y + 1:.1f}" width="{cell - 2:.1f}" height="{cell - 2:.1f}" rx="2"'
    return f'{square} class="{kind}" fill-opacity="{shade:.2f}"/>' + text(
        x + cell / 2, y + cell / 2 + 4, words, "middle", "tick"
    )
