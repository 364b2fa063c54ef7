"""The plots of a report as SVG made here, from the same primitives as those of the learning reports."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString

from learning.evaluating.plots import lines
from learning.evaluation import Estimate
from learning.head_plots import Whisker, whiskers

Row = Mapping[str, Any]
MOST_POINTS = 400


def equity_plot(equity: Row) -> SafeString | None:
    """Paper equity from one closed position to the next; None where none closed."""
    curve: Sequence[Row] = equity["curve"]
    if not curve:
        return None
    thinned = curve[:: -(-len(curve) // MOST_POINTS)]
    values = [equity["start"], *(point["equity"] for point in thinned)]
    labels = [""] + [_day(point, before) for before, point in zip([None, *thinned], thinned, strict=False)]
    return SafeString(lines("Paper equity after each closed position", {"equity": values}, labels, form=",.0f"))


def _day(point: Row, before: Row | None) -> str:
    """The day of a point, where it is the first of its day."""
    day = f"{point['at']:%m-%d}"
    return day if before is None or f"{before['at']:%m-%d}" != day else ""


def gates_plot(gates: Sequence[Row]) -> SafeString | None:
    """What refusing was worth, gate by gate, with its interval; None where nothing has matured."""
    rows = [
        Whisker(row["reason"].replace("_", " "), Estimate(row["gate_value_r"], row["n"], row["ci_low"], row["ci_high"]))
        for row in gates
        if row["count"]
    ]
    return SafeString(whiskers("Value of each gate's refusals in net R a lean", rows)) if rows else None
