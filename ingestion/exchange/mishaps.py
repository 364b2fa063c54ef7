"""Closing frames as the faults in force let them out: changed, doubled, held back, in the wrong order or not at all."""

import heapq
import time
from itertools import count

from ingestion.exchange.distortions import DISTORTIONS
from ingestion.exchange.faults import OUT_OF_ORDER, SILENCE, Fault, Faults
from ingestion.exchange.frames import Event


class Mishaps:
    """What lies between the frames of the market and what is sent of them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        # Frames that wait for the next one of their stream, and those that wait for a moment of the wall clock.
        self._held: dict[str, Event] = {}
        self._delayed: list[tuple[float, int, Event]] = []
        self._numbers = count()

    def audible(self, events: list[Event]) -> list[Event]:
        """The events that are not kept silent."""
        silent = [fault for fault in self._faults.active() if fault.kind in SILENCE]
        return [event for event in events if not any(fault.concerns(symbol=event.symbol) for fault in silent)]

    def distorted(self, events: list[Event]) -> list[Event]:
        """What is sent now in place of these closing frames."""
        overtaken = {event.stream: self._held.pop(event.stream) for event in events if event.stream in self._held}
        for fault in self._faults.active():
            if fault.kind in DISTORTIONS:
                events = [each for event in events for each in self._struck(fault, event)]
            elif fault.kind == OUT_OF_ORDER:
                events = [event for event in events if event.stream in overtaken or not self._is_held(fault, event)]
        return [*self._in_time(events), *overtaken.values()]

    def due(self) -> list[Event]:
        """What was delayed until now."""
        found = []
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            found.append(heapq.heappop(self._delayed)[2])
        return found

    def _struck(self, fault: Fault, event: Event) -> list[Event]:
        is_hit = fault.strikes(symbol=event.symbol)
        return DISTORTIONS[fault.kind](event, fault.parameters) if is_hit else [event]

    def _is_held(self, fault: Fault, event: Event) -> bool:
        """Keep the frame until the one that should follow it has gone first."""
        is_hit = fault.strikes(symbol=event.symbol)
        if is_hit:
            self._held[event.stream] = event
        return is_hit

    def _in_time(self, events: list[Event]) -> list[Event]:
        for event in events:
            if event.delay:
                heapq.heappush(self._delayed, (time.monotonic() + event.delay, next(self._numbers), event))
        return [event for event in events if not event.delay]
