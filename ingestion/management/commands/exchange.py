"""The exchange simulator as a process: a local Binance on loopback."""

import argparse
import asyncio
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from datetime import datetime
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from alphapulse_site.arguments import symbol_list, utc_time
from alphapulse_site.models import MarketClock
from ingestion.candles import load_many, to_datetime, to_ms
from ingestion.csv_format import CandleFileError, load_recording
from ingestion.csv_rows import LATEST_MS
from ingestion.exchange.clock import ExchangeClock
from ingestion.exchange.limits import Limits
from ingestion.exchange.listings import Listing, listings_of
from ingestion.exchange.market import Market
from ingestion.exchange.server import Places, run
from ingestion.exchange.state import Exchange
from ingestion.models import Symbol

CLOCK = "clock"


class Command(BaseCommand):
    """`manage.py exchange`."""

    # They would load the pages of the site, which the exchange has nothing to do with.
    requires_system_checks = ()

    help = """Run a local look-alike of Binance: spot and public futures REST and the websocket streams on one port,
and on a second one, on loopback, an endpoint that makes it misbehave and tells what it was asked.

Its time begins at --start and runs --speed times as fast as the wall's, up to --end or the last candle, where it
stands still.
Request weight and bans are counted in the wall's minutes. A port of 0 is any that is free; the first line of the
output says which.

Example: manage.py exchange --candles ingestion/recordings/2021-06-10_2021-07-10 --start 2021-07-01 --speed 60"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--candles", nargs="+", metavar="PATH", help="1m candle files, or directories of them")
        source.add_argument("--database", action="store_true", help="the candles and symbols of our own database")
        parser.add_argument("--symbols", type=symbol_list, help="only these, separated by commas")
        parser.add_argument("--since", type=utc_time, help="leave out candles that open before this UTC time")
        parser.add_argument("--port", type=_port, default=9000, help="REST and websockets (9000)")
        parser.add_argument("--control-port", type=_port, default=0, help="the control endpoint (any free port)")
        parser.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
        parser.add_argument("--speed", type=_positive, default=1.0, help="how many times as fast as life (1)")
        parser.add_argument(
            "--start",
            type=_start,
            help="UTC time to begin at, or 'clock': where the market clock of our database stands (the first candle)",
        )
        parser.add_argument("--end", type=utc_time, help="UTC time to stand still at (the last candle's close)")
        parser.add_argument("--weight-limit", type=_weight, default=6000, help="request weight a minute (6000)")
        parser.add_argument("--latency", type=_latency, default=0.0, metavar="MS", help="delay of every answer (0)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["port"] and options["port"] == options["control_port"]:
            raise CommandError("--port and --control-port are the same; leave one out")
        market = self._market(options)
        exchange = Exchange(
            market,
            ExchangeClock(
                _start_ms(market, options["start"]), options["speed"], end_ms=_end_ms(market, options["end"])
            ),
            limits=Limits(options["weight_limit"]),
            latency=options["latency"] / 1000,
        )
        # What comes from now on comes from memory; an open connection would be in the way of a restart of the server.
        connection.close()
        places = {name: options[name] for name in ("host", "port", "control_port")}
        try:
            # Unlike asyncio.run, a runner with a factory leaves alone whatever loop this thread had before.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(run(exchange, **places, listening=partial(self._say_where, exchange)))
        except OSError as error:
            raise CommandError(f"cannot listen at {options['host']}:{options['port']}: {error.strerror}") from error

    def _market(self, options: dict[str, Any]) -> Market:
        since_ms = to_ms(options["since"]) if options["since"] else None
        market = (
            _stored_market(options["symbols"], since_ms)
            if options["database"]
            else _recorded_market(options["candles"], options["symbols"], since_ms)
        )
        if not market.end_ms:
            raise CommandError("there is not one candle to serve; look at --since and --symbols")
        return market

    def _say_where(self, exchange: Exchange, places: Places) -> None:
        market, clock = exchange.market, exchange.clock
        start, end, now = (to_datetime(ms) for ms in (market.start_ms, market.end_ms, clock.now_ms()))
        self.stdout.write(
            f"exchange at {places.rest_url} (streams at {places.stream_url}, control at {places.control_url}):"
            f" {len(market.symbols(market.end_ms))} symbols, {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M},"
            f" now {now:%Y-%m-%d %H:%M}, {clock.speed:g} times as fast as life"
        )
        self.stdout.flush()


def _recorded_market(paths: list[str], symbols: list[str] | None, since_ms: int | None) -> Market:
    try:
        return Market(load_recording(paths, symbols, start=since_ms))
    except CandleFileError as error:
        raise CommandError(str(error)) from error


def _stored_market(symbols: list[str] | None, since_ms: int | None) -> Market:
    known = {symbol.name: symbol for symbol in Symbol.objects.all()}
    if unknown := sorted(set(symbols or ()) - set(known)):
        raise CommandError(f"no symbol {', '.join(unknown)} in the database")
    found = load_many(symbols or sorted(known), since_ms or 0, LATEST_MS)
    candles = {name: series for name, series in found.items() if len(series)}
    return Market(candles, [_listing(known[each.symbol], each) for each in listings_of(candles)])


def _listing(symbol: Symbol, derived: Listing) -> Listing:
    """As the database knows the symbol; steps that it lacks are read off the candles."""
    return Listing(
        symbol=symbol.name,
        base=symbol.base_asset,
        quote=symbol.quote_asset,
        status=symbol.trading_status,
        tick_size=symbol.tick_size or derived.tick_size,
        step_size=symbol.step_size or derived.step_size,
        min_notional=derived.min_notional if symbol.min_notional is None else symbol.min_notional,
    )


def _start_ms(market: Market, start: datetime | str | None) -> int:
    if start is None:
        return market.start_ms
    moment = _market_clock() if isinstance(start, str) else start
    if not market.start_ms <= to_ms(moment) <= market.end_ms:
        first, last = to_datetime(market.start_ms), to_datetime(market.end_ms)
        raise CommandError(
            f"--start: {moment:%Y-%m-%d %H:%M} lies outside the candles, which go from {first:%Y-%m-%d %H:%M}"
            f" to {last:%Y-%m-%d %H:%M}"
        )
    return to_ms(moment)


def _end_ms(market: Market, end: datetime | None) -> int:
    return market.end_ms if end is None else min(to_ms(end), market.end_ms)


def _market_clock() -> datetime:
    """An exchange does not go back in time: what it has closed once stays closed."""
    clock = MarketClock.objects.first()
    moments = [] if clock is None else [each for each in (clock.closed_until, clock.exchange_until) if each is not None]
    if not moments:
        raise CommandError("--start clock: the market clock has not been set; manage.py up does it")
    return max(moments)


# --- arguments --------------------------------------------------------------------------------------------------------


def _start(text: str) -> datetime | str:
    return CLOCK if text == CLOCK else utc_time(text)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; it is a number from 0 to 65535")
    return int(text)


def _weight(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a limit; it is a whole number of at least 1")
    return int(text)


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed; it is a number above 0, at most 100000")
    return value


def _latency(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 60_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a delay; it is a number of milliseconds from 0 to 60000")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from error
