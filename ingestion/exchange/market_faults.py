"""Faults that change the market itself: halts, maintenance and delistings, begun and ended as the faults are."""

from ingestion.exchange.faults import Fault
from ingestion.exchange.listings import BREAK
from ingestion.exchange.state import Exchange


class MarketFaults:
    """Sees to it that the market is as the faults in force say. Not until the loop's next turn, so within 50 ms."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._halted: set[str] = set()

    def apply(self) -> None:
        """Halt what should be halted, resume what need not be any more, take off what is delisted."""
        exchange, now_ms = self._exchange, self._exchange.clock.now_ms()
        active = exchange.faults.active()
        if not active and not self._halted:
            return
        listed = exchange.market.symbols(now_ms)
        exchange.market.remove(_named(listed, [fault for fault in active if fault.kind == "delisting"]))
        listed = exchange.market.symbols(now_ms)
        wanted = set(_named(listed, [fault for fault in active if fault.kind in ("halt", "maintenance")]))
        exchange.market.halt(sorted(wanted - self._halted), now_ms, status=BREAK)
        exchange.market.resume(sorted(symbol for symbol in self._halted - wanted if symbol in listed), now_ms)
        self._halted = wanted


def _named(listed: list[str], faults: list[Fault]) -> list[str]:
    return [symbol for symbol in listed if any(fault.concerns(symbol=symbol) for fault in faults)]
