"""The data block of a chart, as charts.js reads it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

Points = Iterable[tuple[int, float | None]]


def curve(name: str, color: str, points: Points, *, kind: str = "line", dashed: bool = False) -> dict[str, Any]:
    """One series; `color` is a custom property of the look, `kind` line, steps, area or bars."""
    return {"name": name, "color": color, "type": kind, "dashed": dashed, "points": [list(point) for point in points]}


def day_of(period: str) -> int:
    """The unix second at which a day such as 2021-07-02 began (UTC)."""
    return int(datetime.fromisoformat(period).replace(tzinfo=UTC).timestamp())
