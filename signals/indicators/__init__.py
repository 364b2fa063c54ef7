"""The 69 indicators by name, in the order of their families. Pure: candle columns in, one series out, nothing kept."""

from collections.abc import Mapping

from signals.indicators import momentum, moving_averages, trend, volatility, volume
from signals.indicators.base import FloatArray, Indicator

__all__ = ["INDICATORS", "SERIES", "Indicator", "computed"]

FAMILIES = (moving_averages, trend, momentum, volatility, volume)

INDICATORS: dict[str, Indicator] = {indicator.name: indicator for family in FAMILIES for indicator in family.INDICATORS}
# With those that indicators are made of but that nobody looks at.
SERIES = INDICATORS | {part.name: part for family in (momentum, volatility) for part in family.PARTS}


def computed(name: str, columns: Mapping[str, FloatArray]) -> FloatArray:
    """An indicator over candle columns by name, each of shape (n,); shape (n,). KeyError if there is none."""
    if name in columns:
        return columns[name]
    indicator = SERIES[name]
    found: FloatArray = indicator.compute(*(computed(each, columns) for each in indicator.inputs))
    return found
