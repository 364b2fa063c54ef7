"""The rules of the running system: the pure core's defaults, moved by settings."""

from dataclasses import replace

from django.conf import settings

from ingestion.timeframes import TIMEFRAMES, Timeframe
from signals.bracket import Costs
from signals.scan import Rules


def scan_timeframe() -> Timeframe:
    return TIMEFRAMES[settings.ALPHAPULSE_SCAN_TIMEFRAME]


def rules() -> Rules:
    return replace(Rules(), costs=Costs(fee=settings.ALPHAPULSE_FEE, slippage=settings.ALPHAPULSE_SLIPPAGE))
