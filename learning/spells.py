"""Decided closes in spells: runs of them that looked at the same symbols, in the same state of their candles. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from ingestion.revisions import Change, Delisting

# A change is seen once its transaction is over, and two machines' clocks differ: so near, it may have been seen or not.
DOUBT = timedelta(seconds=10)


@dataclass(frozen=True)
class Close:
    """One decided close: what it scanned, and between which moments of the wall clock it did."""

    close_ms: int
    tried_at: datetime
    decided_at: datetime
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Gone:
    """A symbol's delisting."""

    symbol: str
    delisting: Delisting


Event = Change | Gone


@dataclass(frozen=True)
class Spell:
    """Closes [first, last) of a list. `later`: what happened to their candles after they were decided.

    `meanwhile`: what happened so near that it may have been seen or not. Both in the order it happened.
    """

    first: int
    last: int
    symbols: tuple[str, ...]
    later: tuple[Event, ...] = ()
    meanwhile: tuple[Event, ...] = ()

    def unseen(self) -> list[tuple[Event, ...]]:
        """What has to be undone to see what the spell saw: one answer, or several, the likeliest first."""
        return [(*self.meanwhile[seen:], *self.later) for seen in range(len(self.meanwhile), -1, -1)]


def spells(closes: Sequence[Close], events: Iterable[Event], look_back_ms: int) -> list[Spell]:
    """The closes, in order of time, in as few spells as can be. A close looks back at most `look_back_ms`."""
    bounds = [(event, *_bounds(closes, event, look_back_ms)) for event in events]
    concerned = [(event, first, unseen, seen) for event, first, unseen, seen in bounds if first < seen]
    cuts = {0, len(closes), *(at for _, *places in concerned for at in places)}
    cuts |= {at for at in range(1, len(closes)) if closes[at].symbols != closes[at - 1].symbols}
    return [
        Spell(
            first,
            last,
            closes[first].symbols,
            tuple(event for event, begin, unseen, _ in concerned if begin <= first < unseen),
            tuple(event for event, begin, unseen, seen in concerned if max(begin, unseen) <= first < seen),
        )
        for first, last in pairwise(sorted(cuts))
    ]


def _bounds(closes: Sequence[Close], event: Event, look_back_ms: int) -> tuple[int, int, int]:
    """Places in the list: the first close that it concerns, the first that may have seen it, the first that did."""
    begins_ms, ends_ms, noted_from, noted_by = span_of(event)
    first = bisect_right(closes, begins_ms, key=_close_ms)
    if noted_from is None or noted_by is None:
        return first, first, first
    beyond = len(closes) if ends_ms is None else bisect_left(closes, ends_ms + look_back_ms, key=_close_ms)
    unseen = bisect_left(closes, noted_from - DOUBT, key=lambda close: close.decided_at)
    seen = bisect_left(closes, noted_by + DOUBT, key=lambda close: close.tried_at)
    return first, max(first, min(unseen, beyond)), min(seen, beyond)


def _close_ms(close: Close) -> int:
    return close.close_ms


def may_have_missed(closes: Sequence[Close], begins_ms: int, noted_by: datetime) -> bool:
    """Whether a close may have looked at a minute before everybody saw what came of it."""
    first = bisect_right(closes, begins_ms, key=_close_ms)
    return first < len(closes) and closes[first].tried_at < noted_by + DOUBT


def span_of(event: Event) -> tuple[int, int | None, datetime | None, datetime | None]:
    """From when to when (ms) the market was another than was known; between which moments that came to be known."""
    if isinstance(event, Change):
        return event.start_ms, event.end_ms, event.noted_from, event.noted_by
    return event.delisting.at_ms, None, event.delisting.noted_at, event.delisting.noted_at
