"""The websocket streams, raw under /ws and combined under /stream."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import NoReturn

from aiohttp import WSMessage, WSMsgType, web

from ingestion.exchange.answers import answer
from ingestion.exchange.audience import POLICY_VIOLATION, Connection
from ingestion.exchange.broadcast import Broadcast
from ingestion.exchange.dialogue import MOST_STREAMS, Objection, Subscriptions, reply
from ingestion.exchange.frames import PONG, frame, text_frame
from ingestion.exchange.log import Logged
from ingestion.exchange.state import EXCHANGE, Exchange, exchange_of

# Seconds a client has to answer a goodbye.
CLOSES_WITHIN = 2.0

logger = logging.getLogger(__name__)


def add_to(app: web.Application) -> None:
    """Routes of this module, and what has to be started and ended with the application."""
    app.router.add_get("/ws", raw)
    app.router.add_get("/ws/{streams:.*}", raw)
    app.router.add_get("/stream", combined)
    app.cleanup_ctx.append(_broadcasting)


async def raw(request: web.Request) -> web.StreamResponse:
    names = request.match_info.get("streams", "").split("/")
    return await _listen(request, Subscriptions(combined=False), names)


async def combined(request: web.Request) -> web.StreamResponse:
    return await _listen(request, Subscriptions(combined=True), request.query.get("streams", "").split("/"))


async def _broadcasting(app: web.Application) -> AsyncIterator[None]:
    broadcast = asyncio.create_task(Broadcast(app[EXCHANGE]).run())
    broadcast.add_done_callback(_report)
    yield
    broadcast.cancel()
    await asyncio.wait([broadcast])


def _report(broadcast: asyncio.Task[NoReturn]) -> None:
    """An exchange that has fallen silent by a mistake of its own has to say so at once, and not when it is stopped."""
    if not broadcast.cancelled() and (error := broadcast.exception()) is not None:
        logger.critical("the streams have stopped", exc_info=error)


async def _listen(request: web.Request, subscriptions: Subscriptions, names: list[str]) -> web.StreamResponse:
    exchange = exchange_of(request)
    refusal = _refusal(exchange, request) or _too_many(subscriptions, names)
    _log(exchange, request, 101 if refusal is None else refusal.status)
    if refusal is not None:
        return refusal
    # Pings are pongs' business here, since both count as messages; nothing is compressed, as at Binance.
    socket = web.WebSocketResponse(autoping=False, compress=False, timeout=CLOSES_WITHIN)
    await socket.prepare(request)
    if request.transport is None:
        return socket
    connection = Connection(socket, request.transport, request.remote or "", subscriptions)
    exchange.audience.enter(connection)
    try:
        async for message in socket:
            _hear(exchange, connection, message)
    finally:
        exchange.audience.leave(connection)
    return socket


def _refusal(exchange: Exchange, request: web.Request) -> web.Response | None:
    """The answer to a handshake that is not let through; None if it is."""
    fault = exchange.faults.first("refuse_streams", path=request.path)
    if fault is not None and fault.parameters.get("how") == "abort":
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=503)
    if fault is not None or exchange.faults.first("maintenance") is not None:
        return web.Response(status=503, text="Service Unavailable")
    if not exchange.audience.is_let_in(request.remote or "", exchange.stream_limits):
        wait = {"Retry-After": str(int(exchange.stream_limits.attempts_within))}
        return answer({"code": -1003, "msg": "Too many connection attempts."}, status=429, headers=wait)
    return None


def _too_many(subscriptions: Subscriptions, names: list[str]) -> web.Response | None:
    """Subscribe to what the address names. Unlike in a message, a senseless name is let pass here."""
    try:
        subscriptions.add([name for name in names if name])
    except Objection:
        return web.Response(status=400, text=f"at most {MOST_STREAMS} streams a connection")
    return None


def _log(exchange: Exchange, request: web.Request, status: int) -> None:
    exchange.log.add(Logged(time.time(), request.remote or "", request.path, dict(request.query), 0, status))


def _hear(exchange: Exchange, connection: Connection, message: WSMessage) -> None:
    if connection.is_talkative(exchange.stream_limits):
        exchange.audience.close(connection, POLICY_VIOLATION, "Too many requests")
    elif message.type is WSMsgType.PING:
        connection.write(frame(message.data, PONG))
    elif message.type is WSMsgType.PONG:
        connection.hear_pong(bytes(message.data))
    elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
        text = message.data if message.type is WSMsgType.TEXT else message.data.decode(errors="replace")
        connection.write(text_frame(reply(text, connection.subscriptions)))
        exchange.audience.follow(connection)
