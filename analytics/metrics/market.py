"""The market: how far it is known, and how far each symbol lies behind it."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from analytics.frame import Frame
from analytics.metrics.counting import counted
from analytics.metrics.families import gauge, gauges
from analytics.selectors.newest import MINUTE, newest_candles
from ingestion.models import CandleGap, QuarantinedMessage


def market(frame: Frame) -> Iterator[Metric]:
    yield from gauge(
        "alphapulse_market_time_seconds",
        "The market's clock in unix seconds: every minute before it is stored or explained.",
        frame.at,
    )
    yield from gauge(
        "alphapulse_market_speed_ratio",
        "How many times as fast as life the market goes; 1 unless a recording is played.",
        None if frame.at is None else frame.speed or 1.0,
    )
    yield from gauge(
        "alphapulse_market_lag_seconds",
        "Seconds of the market from its clock to the exchange's.",
        frame.lag,
    )
    yield from candles(frame)


def candles(frame: Frame) -> Iterator[Metric]:
    """Beside the exchange's time where it is known: the clock itself waits for a symbol that is late."""
    if frame.at is None:
        return
    now = frame.at + frame.lag if frame.lag is not None else frame.at
    lags = {
        each.symbol: max((now - each.opened - MINUTE).total_seconds(), 0.0)
        for each in newest_candles()
        if each.is_active and each.opened is not None
    }
    yield from gauges(
        "alphapulse_candle_lag_seconds",
        "Seconds of the market from the close of a symbol's newest stored candle to the exchange's time.",
        "symbol",
        lags,
    )


def troubles() -> Iterator[Metric]:
    """What is missing, and what was refused."""
    filling = CandleGap.objects.filter(status=CandleGap.Status.FILLING)
    yield from gauge(
        "alphapulse_candle_gaps_filling", "Gaps in candles that are not yet filled or explained.", counted(filling)
    )
    yield from gauge(
        "alphapulse_quarantined_messages",
        "Rows and messages that were refused and are kept for people to look at; ten thousand means as many or more.",
        counted(QuarantinedMessage.objects.all()),
    )
