"""Where the marks of a drawn plot stand; the templates draw them as SVG in the colours of the look. Pure geometry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROW_WIDTH, ROW_HEIGHT = 160, 16
EDGE = 6
SQUARE, MARGIN = 300, 40


@dataclass(frozen=True)
class Axis:
    """Values from `low` to `high` on pixels from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def axis_around_zero(values: Iterable[float | None], width: float = ROW_WIDTH) -> Axis:
    """An axis that shows every value, and zero."""
    known = [0.0, *(value for value in values if value is not None)]
    low, high = min(known), max(known)
    return Axis(low, high if high > low else low + 1.0, EDGE, width - EDGE)


@dataclass(frozen=True)
class Whisker:
    """A value with its interval on one row, beside the rule of zero."""

    zero: float
    at: float
    low: float | None
    high: float | None


def whiskers(rows: Sequence[Mapping[str, Any]], name: str, prefix: str) -> list[Whisker | None]:
    """One a row, all on one scale; None where the figure is not known."""
    low, high = f"{prefix}ci_low", f"{prefix}ci_high"
    axis = axis_around_zero(row[column] for row in rows for column in (name, low, high))
    return [
        None
        if row[name] is None
        else Whisker(axis.at(0.0), axis.at(row[name]), _at(axis, row[low]), _at(axis, row[high]))
        for row in rows
    ]


def _at(axis: Axis, value: float | None) -> float | None:
    return None if value is None else axis.at(value)


@dataclass(frozen=True)
class Bar:
    """A bar from zero to a value."""

    zero: float
    start: float
    width: float
    is_up: bool


def bars(values: Sequence[float | None]) -> list[Bar | None]:
    """One a value, all on one scale; None where there is none."""
    axis = axis_around_zero(values)
    return [None if value is None else _bar(axis, value) for value in values]


def _bar(axis: Axis, value: float) -> Bar:
    zero, end = axis.at(0.0), axis.at(value)
    return Bar(zero, min(zero, end), round(abs(end - zero), 1), value >= 0)


@dataclass(frozen=True)
class Dot:
    """A bin of a calibration plot: stated across, what happened upward, with its interval and a radius by its size."""

    x: float
    y: float
    low: float | None
    high: float | None
    radius: float
    says: str


@dataclass(frozen=True)
class CalibrationPlot:
    """A square; what lies on the diagonal came true as often as it was said."""

    size: int
    start: int
    end: int
    ticks: list[tuple[float, float, str]]
    dots: list[Dot]


def calibration_plot(bins: Sequence[Mapping[str, Any]]) -> CalibrationPlot:
    """From the bins of a calibration; empty ones are left out."""
    start, end = MARGIN, SQUARE - 8
    across, up = Axis(0, 1, start, end), Axis(0, 1, SQUARE - MARGIN, 8)
    known = [part for part in bins if part["won"] is not None]
    most = max((part["n"] for part in known), default=1)
    ticks = [(across.at(tick / 4), up.at(tick / 4), f"{25 * tick} %") for tick in range(5)]
    return CalibrationPlot(SQUARE, start, end, ticks, [_dot(part, most, across, up) for part in known])


def _dot(part: Mapping[str, Any], most: int, across: Axis, up: Axis) -> Dot:
    return Dot(
        x=across.at(part["stated"]),
        y=up.at(part["won"]),
        low=_at(up, part["ci_low"]),
        high=_at(up, part["ci_high"]),
        radius=round(2.5 + 4.5 * (part["n"] / most) ** 0.5, 1),
        says=f"stated {part['stated']:.0%}, won {part['won']:.0%}, n {part['n']}",
    )
