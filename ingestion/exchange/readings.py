"""Readings of a futures market that nobody recorded, drawn from the symbol and the moment. Pure.

A stand-in: a recording of spot candles holds no funding, premium, open interest or account ratios. These are sums
of slow waves whose phases come from the symbol's name, so that the same question has the same answer on any day
and in any process, a series is smooth, and two symbols differ. Their ranges are those of a calm perpetual contract.
"""

import hashlib
import struct
from functools import lru_cache
from math import exp, log, pi, sin

from ingestion.exchange.intervals import DAY_MS, HOUR_MS
from ingestion.timeframes import MINUTE_MS

# Length of each wave in ms and its share of the whole.
WAVES = ((43 * MINUTE_MS, 0.12), (5 * HOUR_MS, 0.23), (26 * HOUR_MS, 0.35), (9 * DAY_MS, 0.30))
# Contracts of the exchange are worth from 40 million to 4 billion USDT.
SMALLEST_INTEREST, LARGEST_INTEREST = 4e7, 4e9
INTEREST_RATE = 0.0001


@lru_cache(maxsize=8192)
def _phases(symbol: str, name: str) -> tuple[float, ...]:
    """Where each wave of one series starts, from 0 to 1."""
    digest = hashlib.sha256(f"{symbol} {name}".encode()).digest()
    return tuple(part / 2**32 for part in struct.unpack(f">{len(WAVES)}I", digest[: 4 * len(WAVES)]))


def wave(symbol: str, name: str, at_ms: int) -> float:
    """A number from -1 to 1 that changes slowly."""
    phases = _phases(symbol, name)
    return sum(
        share * sin(2 * pi * (at_ms / length + phase)) for (length, share), phase in zip(WAVES, phases, strict=True)
    )


def premium(symbol: str, at_ms: int) -> float:
    """The contract's distance from the index, as a fraction of it: within a thousandth."""
    return 0.0001 + 0.0009 * wave(symbol, "premium", at_ms)


def funding_rate(symbol: str, at_ms: int) -> float:
    """What longs pay shorts at this moment: between the premium's mean of eight hours and the interest rate."""
    samples = [premium(symbol, at_ms - back * HOUR_MS // 2) for back in range(16)]
    mean = sum(samples) / len(samples)
    return (mean + INTEREST_RATE) / 2


def funding_stamp(paid_ms: int) -> int:
    """When a payment is stamped: a few milliseconds after the full hour, as on the exchange."""
    return paid_ms + paid_ms // HOUR_MS % 9


def interest_value(symbol: str, at_ms: int) -> float:
    """Open interest of the contract in USDT."""
    size = float(_phases(symbol, "size")[0])
    middle = SMALLEST_INTEREST * exp(log(LARGEST_INTEREST / SMALLEST_INTEREST) * size)
    return middle * (1 + 0.2 * wave(symbol, "interest", at_ms))


def long_share(symbol: str, at_ms: int) -> float:
    """The share of accounts that are long, from 0.4 to 0.7."""
    return 0.55 + 0.15 * wave(symbol, "accounts", at_ms)


def buyers_share(symbol: str, at_ms: int) -> float:
    """The share of what takers traded that they bought, from 0.4 to 0.6."""
    return 0.5 + 0.1 * wave(symbol, "takers", at_ms)


def turnover(symbol: str, at_ms: int, span_ms: int) -> float:
    """What takers traded within a span, in USDT: in a day about what the open interest is worth."""
    return interest_value(symbol, at_ms) * span_ms / DAY_MS * (1 + 0.6 * wave(symbol, "turnover", at_ms))
