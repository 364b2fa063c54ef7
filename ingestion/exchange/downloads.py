"""The bulk archive over the wire, at /data as at data.binance.vision: zips made when they are asked for."""

import asyncio
import re
import time
from collections import OrderedDict

import numpy as np
from aiohttp import web

from ingestion.exchange.archive import Period, candles_of, checksum_line, falsified, period_of, zipped
from ingestion.exchange.log import Logged
from ingestion.exchange.series import Bars
from ingestion.exchange.state import Exchange, exchange_of

ROOT = "/data/"
PLACE = re.compile(
    r"spot/(?:monthly|daily)/klines/(?P<symbol>[^/]+)/1m/(?P=symbol)-1m-"
    r"(?P<label>\d{4}-\d{2}(?:-\d{2})?)\.zip(?P<checksum>\.CHECKSUM)?"
)
NO_SUCH_KEY = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code></Error>'
SHELF_ZIPS = 16
REPLACED_FACTOR = 1.001


class Shelf:
    """The latest zips, since after each one its checksum is asked for; a market that has changed gets a fresh one."""

    def __init__(self) -> None:
        self._zips: OrderedDict[tuple[str, str], tuple[Bars, bytes]] = OrderedDict()

    def zip_of(self, symbol: str, period: Period, bars: Bars) -> bytes:
        kept, content = self._zips.get((symbol, period.label), (None, b""))
        if kept is None or not _are_same(kept, bars):
            content = zipped(symbol, period, bars)
            self._zips[symbol, period.label] = bars, content
        if len(self._zips) > SHELF_ZIPS:
            self._zips.popitem(last=False)
        return content


def _are_same(one: Bars, other: Bars) -> bool:
    return np.array_equal(one.open_ms, other.open_ms) and np.array_equal(one.figures, other.figures, equal_nan=True)


SHELF: web.AppKey[Shelf] = web.AppKey("shelf", Shelf)


def add_to(app: web.Application) -> None:
    """The archive's root is /data, as at data.binance.vision."""
    app[SHELF] = Shelf()
    app.router.add_get(ROOT + "{place:.*}", download)


async def download(request: web.Request) -> web.Response:
    """A zip or its checksum, noted in the log."""
    response = await _found(request)
    line = Logged(time.time(), request.remote or "", request.path, dict(request.query), 0, response.status)
    exchange_of(request).log.add(line)
    return response


async def _found(request: web.Request) -> web.Response:
    exchange, found = exchange_of(request), PLACE.fullmatch(request.match_info["place"])
    symbol = found["symbol"] if found else ""
    if found is None or exchange.faults.first("archive_missing", path=request.path, symbol=symbol) is not None:
        return _not_found()
    # Making a month takes a few tenths of a second, in which frames have to go on.
    zip_path = request.path.removesuffix(".CHECKSUM")
    content = await asyncio.to_thread(_content, exchange, request.app[SHELF], found["label"], symbol, zip_path)
    if content is None:
        return _not_found()
    if not found["checksum"]:
        return web.Response(body=content, content_type="application/zip")
    is_wrong = exchange.faults.first("archive_checksum", path=request.path, symbol=symbol) is not None
    return web.Response(text=checksum_line(b"another file" if is_wrong else content, zip_path.rpartition("/")[2]))


def _content(exchange: Exchange, shelf: Shelf, label: str, symbol: str, path: str) -> bytes | None:
    """The zip; replaced by another, with its right checksum, if a fault says so."""
    try:
        period = period_of(label)
    except ValueError:
        return None
    if path != f"{ROOT}{period.place(symbol)}":
        return None
    bars = candles_of(exchange.market, symbol, period, now_ms=exchange.clock.now_ms())
    for fault in exchange.faults.active():
        if bars is not None and fault.kind == "archive_replaced" and fault.concerns(path, symbol):
            bars = falsified(bars, float(fault.parameters.get("factor", REPLACED_FACTOR)))
    return None if bars is None else shelf.zip_of(symbol, period, bars)


def _not_found() -> web.Response:
    return web.Response(text=NO_SUCH_KEY, status=404, content_type="application/xml")
