"""Small plots that stand in a line of a table: SVG whose places are shares of its width, so that it fits any screen."""

from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import escape
from django.utils.safestring import SafeString

from analytics.selectors.coverage import DayOfSymbol, Minutes
from analytics.templatetags.shown import words

register = template.Library()
MIDDLE, HALF = 50.0, 48.0


def percent(share: float) -> str:
    return f"{share:.2f}%"


def place(share: float) -> str:
    """Where a share of the reach lies, from -1 at the left edge to +1 at the right one."""
    return percent(MIDDLE + HALF * max(-1.0, min(share, 1.0)))


@register.inclusion_tag("dashboard/parts/pull.html")
def pull(value: float | None, largest: float) -> dict[str, Any]:
    """A bar from the middle, to the right above zero and to the left below, as long as `value` beside the largest."""
    length = HALF * min(abs(value or 0.0) / largest, 1.0) if largest else 0.0
    start = MIDDLE if (value or 0.0) > 0 else MIDDLE - length
    return {"start": percent(start), "length": percent(length), "tone": "good" if (value or 0.0) > 0 else "bad"}


@register.inclusion_tag("dashboard/parts/interval.html")
def interval(value: float | None, low: float | None, high: float | None, scale: float) -> dict[str, Any]:
    """A point with its whisker around a line at zero; what lies further out than the scale is cut at the edge."""
    start, end, point = (None if each is None else place(each / scale) for each in (low, high, value))
    excludes = low is not None and high is not None and (low > 0 or high < 0)
    tone = "muted" if not excludes else "good" if (value or 0.0) > 0 else "bad"
    return {"low": start, "high": end, "point": point, "tone": tone}


@register.filter
def marks(days: Iterable[DayOfSymbol]) -> SafeString:
    """The days of a symbol's row in the map that are not simply complete."""
    return SafeString(
        "".join(
            f'<rect class="{day.kind}" x="{day.place}" width="1" height="1">'
            f"<title>{day.day:%Y-%m-%d}: {told(day.minutes)}</title></rect>"
            for day in days
        )
    )


def told(minutes: Minutes) -> str:
    return escape(", ".join(f"{length} min {words(kind)}" for kind, length in minutes.items()))


@register.inclusion_tag("dashboard/parts/share.html")
def share(part: int, whole: int, tone: str = "accent") -> dict[str, Any]:
    """A bar from the left, as long as the part is of the whole."""
    return {"length": percent(100 * part / whole if whole else 0.0), "tone": tone}
