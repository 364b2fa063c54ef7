"""Clients that others wrote for Binance hear the candles of the simulator's streams."""

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt.pro  # type: ignore[import-untyped]
import pytest
import requests
from binance import AsyncClient, BinanceSocketManager

from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import MARCH_24, made_candles

BTC, ETH = "BTCUSDT", "ETHUSDT"
BTC_1M, ETH_1M = "btcusdt@kline_1m", "ethusdt@kline_1m"
START_MS = MARCH_24 + 60 * MINUTE_MS


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    candles = {symbol: made_candles(count=1440) for symbol in (BTC, ETH)}
    with running_exchange(candles, start_ms=START_MS, frozen=True) as exchange:
        yield exchange


def test_python_binance_receives_klines(running: RunningExchange) -> None:
    async def listen() -> list[Any]:
        client = AsyncClient()
        manager = BinanceSocketManager(client)
        manager.STREAM_URL = running.stream_url + "/"
        sockets = manager.kline_socket(BTC), manager.multiplex_socket([BTC_1M, ETH_1M])
        for each in sockets:
            # So long it waits for a frame before it looks whether it is to close.
            each.TIMEOUT = 0.1
        async with sockets[0] as one, sockets[1] as several:
            running.exchange.clock.set(START_MS + MINUTE_MS)
            said = [await one.recv(), await several.recv(), await several.recv()]
        await client.close_connection()
        return said

    alone, *named = asyncio.run(listen())

    assert (alone["s"], alone["k"]["x"], alone["k"]["t"]) == (BTC, True, START_MS)
    assert {frame["stream"] for frame in named} == {BTC_1M, ETH_1M}


def test_ccxt_watches_candles(running: RunningExchange) -> None:
    async def watch() -> Any:
        exchange = ccxt.pro.binance({"options": {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}})
        exchange.urls["api"]["public"] = running.rest_url + "/api/v3"
        exchange.urls["api"]["ws"]["spot"] = running.stream_url + "/ws"
        try:
            watching = asyncio.create_task(exchange.watch_ohlcv("BTC/USDT", "1m"))
            while BTC_1M not in running.exchange.audience.channels:
                await asyncio.sleep(0.02)
            running.exchange.clock.set(START_MS + MINUTE_MS)
            return await asyncio.wait_for(watching, 5)
        finally:
            await exchange.close()

    ((open_ms, *figures),) = asyncio.run(watch())

    assert open_ms == START_MS
    query: dict[str, Any] = {"symbol": BTC, "interval": "1m", "startTime": START_MS, "limit": 1}
    (row,) = requests.get(running.rest_url + "/api/v3/klines", params=query, timeout=5).json()
    assert figures == [float(cell) for cell in row[1:6]]
