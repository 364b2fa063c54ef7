"""A spot exchange with a short history, and what tests of the gap keeper ask about it and about what we stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from ingestion import backfill
from ingestion.candles import NULLABLE, load_candles, to_datetime, to_ms
from ingestion.exchange.faults import Fault
from ingestion.importing import list_symbol
from ingestion.models import CandleGap, Symbol
from ingestion.timeframes import FIGURES, MINUTE_MS, Candles
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import MARCH_24, made_candles

BTC, ETH, ADA = "BTCUSDT", "ETHUSDT", "ADAUSDT"
KLINES, TIME = "/api/v3/klines", "/api/v3/time"


Spot = Callable[..., RunningExchange]


def at(minute: int) -> int:
    return MARCH_24 + minute * MINUTE_MS


def history(*names: str, count: int = 100, without: Iterable[int] = ()) -> dict[str, Candles]:
    """Candles of some symbols, each its own; all lack the same minutes."""
    lacking = list(without)
    return {name: made_candles(count=count, without=lacking, seed=seed) for seed, name in enumerate(names)}


@contextmanager
def spot(
    settings: Any, monkeypatch: pytest.MonkeyPatch, market: Mapping[str, Candles], *, now: int, **parts: Any
) -> Iterator[RunningExchange]:
    """The exchange at the address of the settings. Its clock stands 30 seconds into the minute `now`."""
    with running_exchange(market, start_ms=at(now) + 30_000, frozen=True, **parts) as running:
        settings.ALPHAPULSE_SPOT_URL = running.rest_url
        settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 5.0
        settings.ALPHAPULSE_ARCHIVE = ""
        monkeypatch.setattr(backfill, "RETRY_AFTER", (0.01, 0.02))
        yield running


def listed(*names: str, since: int = 0) -> None:
    for name in names:
        list_symbol(name, to_datetime(at(since)))


def asking(running: RunningExchange, code: str) -> str:
    """The code for another process, which asks this exchange."""
    return f"from django.conf import settings\nsettings.ALPHAPULSE_SPOT_URL = {running.rest_url!r}\n{code}"


def asked(running: RunningExchange, path: str = KLINES) -> int:
    return len(running.exchange.log.lines(path))


def misbehave(running: RunningExchange, kind: str, *, paths: Iterable[str] = (KLINES,), **details: Any) -> None:
    count, symbols = details.pop("count", None), details.pop("symbols", ())
    running.exchange.faults.add(Fault(kind, frozenset(symbols), frozenset(paths), count=count, parameters=details))


def assert_stored(name: str, expected: Candles) -> None:
    """Every minute is stored as the exchange tells it, in the eight decimals that it writes."""
    stored = load_candles(name, 0, at(10_000_000))
    assert stored.open_ms.tolist() == expected.open_ms.tolist()
    # Volume without a trade is the mark of a source that lacks the last four figures.
    is_lacking = (expected.volume > 0) & (expected.trades == 0)
    for figure in FIGURES:
        told = np.array([float(f"{value:.8f}") for value in getattr(expected, figure)])
        told[is_lacking & (figure in NULLABLE)] = np.nan
        np.testing.assert_array_equal(getattr(stored, figure), told, figure)


def gaps(status: str = "explained") -> list[tuple[str, int, int, str]]:
    """Symbol, start and end in minutes, reason."""
    rows = CandleGap.objects.filter(status=status).order_by("symbol", "start")
    return [(row.symbol, minute(row.start), minute(row.end), row.reason) for row in rows]


def minute(moment: Any) -> int:
    return (to_ms(moment) - MARCH_24) // MINUTE_MS


def complete_until() -> dict[str, int | None]:
    known = Symbol.objects.values_list("name", "complete_until")
    return {name: None if moment is None else minute(moment) for name, moment in known}
