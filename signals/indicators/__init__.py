"""The 69 indicators by name, in the order of their families. Pure: candle columns in, one series out, nothing kept."""

from signals.indicators import momentum, moving_averages, trend, volatility, volume
from signals.indicators.base import Indicator

__all__ = ["INDICATORS", "Indicator"]

FAMILIES = (moving_averages, trend, momentum, volatility, volume)

INDICATORS: dict[str, Indicator] = {indicator.name: indicator for family in FAMILIES for indicator in family.INDICATORS}
