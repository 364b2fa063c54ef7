"""As many lines as the symbols need, kept in step with what is listed, and an eye on every minute's close."""

import asyncio
from collections.abc import Callable, Iterable

from ingestion.stream import plan
from ingestion.stream.close_out import CloseOut
from ingestion.stream.line import Line
from ingestion.stream.pace import ConnectionLimit
from ingestion.stream.reception import Reception
from ingestion.stream.rules import Rules


class Switchboard:
    """`call` has what is missing fetched over REST: after a connection was made, and when a candle does not come."""

    def __init__(self, reception: Reception, rules: Rules, limit: ConnectionLimit, call: Callable[[], None]) -> None:
        self._reception, self._rules, self._limit, self._call = reception, rules, limit, call
        self._close_out = CloseOut(reception, grace=rules.close_out, call=call)
        self._wanted: frozenset[str] = frozenset()
        self._changed = asyncio.Event()

    def want(self, symbols: Iterable[str]) -> None:
        """Stream these from now on; what runs goes on running."""
        self._wanted = frozenset(symbols)
        self._close_out.want(self._wanted)
        self._changed.set()

    async def run(self) -> None:
        """Never returns. Cancelled, it hangs up everywhere."""
        lines: dict[int, tuple[Line, asyncio.Task[None]]] = {}
        shares: plan.Shares = {}
        self._changed.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._close_out.run())
            while True:
                await self._changed.wait()
                self._changed.clear()
                shares = plan.share_out(shares, self._wanted, self._rules.streams)
                for number in lines.keys() - shares.keys():
                    lines.pop(number)[1].cancel()
                for number, symbols in shares.items():
                    if number in lines:
                        lines[number][0].want(symbols)
                    else:
                        line = Line(symbols, self._reception, self._rules, self._limit, self._call)
                        lines[number] = line, group.create_task(line.run())
