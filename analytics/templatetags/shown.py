"""How values are written on pages: unknown is a dash, times are UTC, a rate never stands without its interval."""

from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString

# What stands in long tables is written here, as text of which no part comes from outside: through a template of its own
# each cell would take ten times as long.
register = template.Library()
DASH, MINUS = SafeString("\u2013"), "\u2212"
GOOD, BAD, EVEN = SafeString("good"), SafeString("bad"), SafeString("even")
SIDES = {
    1: SafeString('<span class="pill good">long</span>'),
    -1: SafeString('<span class="pill warn">short</span>'),
    0: SafeString('<span class="pill">none</span>'),
}


def is_known(value: Any) -> bool:
    return value is not None and value != "" and not (isinstance(value, float) and not isfinite(value))


def written(value: float, digits: int, *, sign: bool = False) -> SafeString:
    # z: what rounds to nothing has no minus.
    return SafeString(f"{value:{'+' if sign else '-'}z,.{digits}f}".replace("-", MINUS))


@register.filter
def number(value: float | None, digits: int = 2) -> str:
    """1234.5 -> 1,234.50."""
    return written(value, int(digits)) if value is not None and is_known(value) else DASH


@register.filter
def count(value: int | None) -> str:
    """1234 -> 1,234."""
    return number(value, 0)


@register.filter
def figure(value: float | None) -> str:
    """A figure of whatever kind: 8826 -> 8,826, and 0.04231 -> 0.0423."""
    return count(value) if isinstance(value, int) else number(value, 4)


@register.filter
def signed(value: float | None, digits: int = 2) -> str:
    """0.5 -> +0.50."""
    return written(value, int(digits), sign=True) if value is not None and is_known(value) else DASH


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    """0.345 -> 34.5 %."""
    return SafeString(f"{written(100 * value, int(digits))} %") if value is not None and is_known(value) else DASH


@register.filter
def price(value: float | None) -> str:
    """As many digits as a price of its size needs: 34567.10, 0.0001234."""
    if value is None or not is_known(value):
        return DASH
    return SafeString(f"{value:,.2f}" if abs(value) >= 100 else f"{value:.6g}")


@register.filter
def tone(value: float | None) -> str:
    """The class of a figure that is good above zero and bad below."""
    if value is None or not is_known(value) or value == 0:
        return EVEN
    return GOOD if value > 0 else BAD


@register.filter
def words(name: str | None) -> str:
    """smart_money -> smart money."""
    return str(name).replace("_", " ") if name else DASH


@register.filter
def side(direction: int | None) -> SafeString:
    """A direction as a pill."""
    return SIDES.get(direction or 0, SIDES[0])


@register.filter
def moment(at: datetime | None, form: str = "%Y-%m-%d %H:%M") -> SafeString | str:
    """A time element, in UTC. What a template could not find is empty, and a dash like what is unknown."""
    if not at:
        return DASH
    return SafeString(f'<time datetime="{at.isoformat()}">{at:{form}}</time>')


@register.filter
def clock_time(at: datetime | None) -> SafeString | str:
    return moment(at, "%H:%M")


@register.filter
def lasting(span: timedelta | None) -> str:
    """How long: 45 s, 12 min, 3.5 h, 2.1 d."""
    if span is None:
        return DASH
    seconds = span.total_seconds()
    for unit, most, size in (("s", 120, 1), ("min", 7200, 60), ("h", 172_800, 3600)):
        if abs(seconds) < most:
            return f"{seconds / size:.0f} {unit}" if size < 3600 else f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86_400:.1f} d"


@register.filter
def ago(at: datetime | None) -> str:
    """How long ago on the wall clock."""
    return DASH if not at else f"{lasting(timezone.now() - at)} ago"


@register.simple_tag
def estimate(
    value: float | None, low: float | None, high: float | None, n: int | None, kind: str = "percent", digits: int = -1
) -> SafeString:
    """A rate with its 95 % interval and sample size; `kind`: percent (0..1), signed, or number."""
    write = {"percent": percent, "signed": signed, "number": number}[kind]
    places = digits if digits >= 0 else (1 if kind == "percent" else 2)
    interval = "" if low is None or high is None else f" <small>[{write(low, places)}, {write(high, places)}]</small>"
    figure = f"<strong>{write(value, places)}</strong>{interval}"
    return SafeString(f'<span class="estimate">{figure} <small class="n">n {count(n)}</small></span>')
