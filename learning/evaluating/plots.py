"""The plots of the evaluation as inline SVG, beside those of the head report."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isfinite

import numpy as np

from learning.head_plots import BOTTOM, ROW, TOP, Axis, line, steps, svg, text

BROAD = 720
EDGE, HEIGHT = 52, 240
BARS = 12


def lines(title: str, series: Mapping[str, Sequence[float]], labels: Sequence[str], *, form: str = ".2f") -> str:
    """One line a name over the same days, side by side whatever lies between them; gaps where a value is NaN.

    `labels`: of the first day of each stretch of days that follow one another, else empty; a rule stands there.
    """
    known = [value for values in series.values() for value in values if isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = 0.05 * (high - low) or 0.5
    up = Axis(low - room, high + room, HEIGHT - BOTTOM, TOP)
    across = Axis(0, max(len(labels) - 1, 1), EDGE, BROAD - 12)
    parts = [
        line(EDGE, up.at(tick), BROAD - 12, up.at(tick), "grid")
        + text(EDGE - 6, up.at(tick) + 4, f"{tick:{form}}", "end", "tick")
        for tick in steps(up.low, up.high)
    ]
    parts += _stretches(labels, across)
    parts += [_path(values, across, up, f"series s{number}") for number, values in enumerate(series.values())]
    return svg(HEIGHT, title, "".join(parts), BROAD)


def _stretches(labels: Sequence[str], across: Axis) -> list[str]:
    """The rule of every stretch, and its label where it does not run into the one before."""
    parts, free = [], 0.0
    for place, label in enumerate(labels):
        if label:
            x = across.at(place)
            parts.append(line(x, TOP, x, HEIGHT - BOTTOM, "zero" if place else "grid"))
            if x >= free:
                parts.append(text(x + 3, HEIGHT - 8, label, kind="tick quiet"))
                free = x + 76
    return parts


def _path(values: Sequence[float], across: Axis, up: Axis, kind: str) -> str:
    points, pen = [], "M"
    for place, value in enumerate(values):
        if not isfinite(value):
            pen = "M"
            continue
        points.append(f"{pen}{across.at(place):.1f} {up.at(value):.1f}")
        pen = "L"
    return f'<path d="{" ".join(points)}" class="{kind}"/>' if points else ""


def histogram(title: str, values: Sequence[float], mark: float | None, *, form: str = "+.3f") -> str:
    """How many values lie where, and a mark set against them; zero is always in sight."""
    seen = [0.0, *values, *([] if mark is None else [mark])]
    low, high = min(seen), max(seen)
    room = 0.05 * (high - low) or 0.5
    across = Axis(low - room, high + room, 24, 360 - 14)
    counts, edges = np.histogram(values, BARS, (low, high if high > low else low + 1.0))
    foot = TOP + 5 * ROW
    parts = [
        line(across.at(tick), TOP, across.at(tick), foot, "grid")
        + text(across.at(tick), foot + 16, f"{tick:{form}}" if tick else "0", "middle", "tick")
        for tick in steps(across.low, across.high, 4)
    ]
    for count, (begin, end) in zip(counts.tolist(), pairwise(edges.tolist()), strict=True):
        height = (foot - TOP) * count / max(int(counts.max()), 1)
        x, width = across.at(begin), across.at(end) - across.at(begin)
        parts.append(
            f'<rect x="{x + 0.5:.1f}" y="{foot - height:.1f}" width="{width - 1:.1f}" height="{height:.1f}"'
            ' class="long"/>'
        )
    parts.append(line(across.at(0.0), TOP, across.at(0.0), foot, "zero"))
    if mark is not None:
        parts.append(line(across.at(mark), TOP, across.at(mark), foot, "base"))
    return svg(foot + BOTTOM, title, "".join(parts))
