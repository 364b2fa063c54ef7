"""The exchange as one object, which every handler finds in its application."""

from dataclasses import dataclass, field

from aiohttp import web

from ingestion.exchange.audience import Audience, StreamLimits
from ingestion.exchange.clock import ExchangeClock
from ingestion.exchange.faults import Faults
from ingestion.exchange.limits import Limits
from ingestion.exchange.log import RequestLog
from ingestion.exchange.market import Market


@dataclass
class Exchange:
    """What is traded, what time it is, who asked how much, and what goes wrong. `latency` is seconds an answer."""

    market: Market
    clock: ExchangeClock
    limits: Limits = field(default_factory=Limits)
    futures_limits: Limits = field(default_factory=lambda: Limits(2400))
    stream_limits: StreamLimits = field(default_factory=StreamLimits)
    audience: Audience = field(default_factory=Audience)
    faults: Faults = field(default_factory=Faults)
    log: RequestLog = field(default_factory=RequestLog)
    latency: float = 0.0


EXCHANGE: web.AppKey[Exchange] = web.AppKey("exchange", Exchange)


def exchange_of(request: web.Request) -> Exchange:
    return request.config_dict[EXCHANGE]
