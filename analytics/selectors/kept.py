"""Answers that this process keeps while what they were made of has not changed.

`@kept` is for figures of records: they are computed again when the stamp of the records moves. `@kept_for(2)` is for
what also shows signs of life: it is at most two seconds old, and its `timestamp` says of when it is. What comes back
is shared by whoever asks: read it, never change it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import wraps
from threading import Event, Lock
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from django.conf import settings

from analytics.selectors.stamps import read_stamp

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class _Place:
    """Where one answer under one stamp is put by the thread that computes it; empty if that failed."""

    stamp: Hashable
    done: Event = field(default_factory=Event)
    answer: tuple[Any, ...] = ()


class Shelf:
    """The answers that were asked for last, at most `most()` of them."""

    def __init__(self, most: Callable[[], int]) -> None:
        self._most = most
        self._lock = Lock()
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def answer(self, key: Hashable, stamp: Hashable, compute: Callable[[], R]) -> R:
        """The answer to `key` under `stamp`. One thread computes it, others who ask meanwhile wait for that one.

        An error is its own asker's and is not kept: those who waited compute for themselves, one after the other.
        """
        while True:
            place, is_ours = self._place(key, stamp)
            if is_ours:
                self._fill(key, place, compute)
            place.done.wait()
            if place.answer:
                found: R = place.answer[0]
                return found

    def forget(self) -> None:
        """Keep nothing of what was asked so far."""
        with self._lock:
            self._places.clear()

    def __len__(self) -> int:
        return len(self._places)

    def _place(self, key: Hashable, stamp: Hashable) -> tuple[_Place, bool]:
        with self._lock:
            known = self._places.get(key)
            is_ours = known is None or known.stamp != stamp
            place = _Place(stamp) if known is None or is_ours else known
            self._places[key] = place
            self._places.move_to_end(key)
            while len(self._places) > self._most():
                self._places.popitem(last=False)
            return place, is_ours

    def _fill(self, key: Hashable, place: _Place, compute: Callable[[], Any]) -> None:
        try:
            place.answer = (compute(),)
        finally:
            if not place.answer:
                self._drop(key, place)
            place.done.set()

    def _drop(self, key: Hashable, place: _Place) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]


SHELF = Shelf(lambda: int(settings.ALPHAPULSE_KEPT_ANSWERS))


def kept(compute: Callable[P, R]) -> Callable[P, R]:
    """Keep what the function answers to the same arguments until the records change."""
    return _kept_under(read_stamp, compute)


def kept_for(seconds: float) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what the function answers to the same arguments, for so long at most."""

    def keep(compute: Callable[P, R]) -> Callable[P, R]:
        return _kept_under(lambda: int(monotonic() / seconds), compute)

    return keep


def _kept_under(stamp: Callable[[], Hashable], compute: Callable[P, R]) -> Callable[P, R]:
    @wraps(compute)
    def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        if not settings.ALPHAPULSE_KEPT_ANSWERS:
            return compute(*args, **kwargs)
        key = (compute.__module__, compute.__qualname__, args, tuple(sorted(kwargs.items())))
        return SHELF.answer(key, stamp(), lambda: compute(*args, **kwargs))

    return answer
