"""Curves over days as inline SVG, one or two of which a reader compares at a glance; colours from the page's style."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from learning.head_plots import Axis, line, steps, svg, text

WIDE, HIGH, LEFT, RIGHT, TOP, FOOT = 560, 280, 44, 10, 10, 30


@dataclass(frozen=True)
class Curve:
    """A value a day from day 0 on, with the band in which most seeds lie; `kind` is its class in the page's style."""

    name: str
    kind: str
    values: Sequence[float]
    band: tuple[Sequence[float], Sequence[float]] | None = None


def curves(title: str, drawn: Sequence[Curve], *, low: float, high: float, marks: Sequence[int] = (), form: str) -> str:
    """All curves on one scale from low to high, which cuts off what lies beyond; `marks` are days to point out."""
    days = max((len(curve.values) for curve in drawn), default=0)
    across, up = Axis(0, max(days - 1, 1), LEFT, WIDE - RIGHT), Axis(low, high, HIGH - FOOT, TOP)
    parts = [_grid(across, up, form)]
    parts += [line(across.at(day), TOP, across.at(day), HIGH - FOOT, "base") for day in marks if day < days]
    parts += [_band(curve, across, up) for curve in drawn if curve.band]
    parts += [_path(curve, across, up) for curve in drawn]
    return svg(HIGH, title, "".join(parts), WIDE)


def _grid(across: Axis, up: Axis, form: str) -> str:
    parts = []
    for tick in steps(up.low, up.high):
        parts.append(line(LEFT, up.at(tick), WIDE - RIGHT, up.at(tick), "grid"))
        parts.append(text(LEFT - 6, up.at(tick) + 4, f"{tick:{form}}", "end", "tick"))
    for day in steps(across.low, across.high, 7):
        parts.append(text(across.at(day), HIGH - FOOT + 16, f"{day:g}", "middle", "tick"))
    return "".join(parts) + text(WIDE - RIGHT, HIGH - 2, "day", "end", "tick quiet")


def _points(values: Sequence[float], across: Axis, up: Axis) -> list[str]:
    inside = [(day, min(max(value, up.low), up.high)) for day, value in enumerate(values) if isfinite(value)]
    return [f"{across.at(day):.1f},{up.at(value):.1f}" for day, value in inside]


def _path(curve: Curve, across: Axis, up: Axis) -> str:
    return f'<polyline class="curve {curve.kind}" points="{" ".join(_points(curve.values, across, up))}"/>'


def _band(curve: Curve, across: Axis, up: Axis) -> str:
    below, above = curve.band or ((), ())
    around = [*_points(above, across, up), *reversed(_points(below, across, up))]
    return f'<polygon class="band {curve.kind}" points="{" ".join(around)}"/>'
