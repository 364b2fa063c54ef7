"""Answers that this process keeps while what they were made of has not changed.

`@kept` is for figures of records up to the last decided close: they are computed again when the stamp of the records
moves. `@kept_between_outcomes` is for those that count a bracket as soon as it has ended. `@kept_for(2)` is for what
also shows signs of life: it is at most two seconds old, and its `timestamp` says of when it is. What comes back is
shared by whoever asks: read it, never change it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial, wraps
from threading import Event, Lock
from time import monotonic
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections

from analytics.selectors.stamps import read_outcome_stamp, read_stamp

P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[[], None]
# An answer of the stamp before is given once more while the next is computed, if it was made this lately.
GRACE_SECONDS = 60.0


@dataclass
class _Place:
    """Where one answer under one stamp is put by the thread that computes it; empty if that failed.

    `before`: the answer of the stamp before, for those who do not want to wait.
    """

    stamp: Hashable
    before: tuple[Any, ...] = ()
    done: Event = field(default_factory=Event)
    answer: tuple[Any, ...] = ()
    made_at: float = 0.0

    def younger_than(self, seconds: float) -> tuple[Any, ...]:
        """The answer if it was made that lately."""
        return self.answer if self.answer and monotonic() - self.made_at < seconds else ()


class Shelf:
    """The answers that were asked for last, at most `most()` of them; `refresh` does work in another thread."""

    def __init__(self, most: Callable[[], int], refresh: Callable[[Work], Any]) -> None:
        self._most, self._refresh = most, refresh
        self._lock = Lock()
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()

    def answer(self, key: Hashable, stamp: Hashable, compute: Callable[[], R], grace: float = 0.0) -> R:
        """The answer to `key` under `stamp`. One thread computes it, others who ask meanwhile wait for that one.

        With a `grace` nobody waits if the answer of the stamp before is at most so many seconds old: it is given once
        more, with the moment that it says it is of, while another thread computes.

        An error is its own asker's and is not kept: those who waited compute for themselves, one after the other.
        """
        while True:
            place, is_ours = self._place(key, stamp, grace)
            fill = partial(self._fill, key, place, compute)
            if place.before and is_ours:
                self._refresh(fill)
            elif is_ours:
                fill()
            if not place.before:
                place.done.wait()
            if found := place.answer or place.before:
                answer: R = found[0]
                return answer

    def forget(self) -> None:
        """Keep nothing of what was asked so far."""
        with self._lock:
            self._places.clear()

    def __len__(self) -> int:
        return len(self._places)

    def _place(self, key: Hashable, stamp: Hashable, grace: float) -> tuple[_Place, bool]:
        with self._lock:
            known = self._places.get(key)
            is_ours = known is None or known.stamp != stamp
            place = _Place(stamp, known.younger_than(grace) if known else ()) if known is None or is_ours else known
            self._places[key] = place
            self._places.move_to_end(key)
            while len(self._places) > self._most():
                self._places.popitem(last=False)
            return place, is_ours

    def _fill(self, key: Hashable, place: _Place, compute: Callable[[], Any]) -> None:
        try:
            place.answer = (compute(),)
            place.made_at = monotonic()
        finally:
            if not place.answer:
                self._drop(key, place)
            place.done.set()

    def _drop(self, key: Hashable, place: _Place) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]


def _in_background(work: Work) -> None:
    _ONE_MORE.submit(_with_own_connection, work)


def _with_own_connection(work: Work) -> None:
    """No request closes a connection of this thread when it is too old."""
    close_old_connections()
    try:
        work()
    finally:
        close_old_connections()


# One for all: what is refreshed must not take the processor from those who wait.
_ONE_MORE = ThreadPoolExecutor(1, "kept")
SHELF = Shelf(lambda: int(settings.ALPHAPULSE_KEPT_ANSWERS), _in_background)


def keep(key: Hashable, stamp: Callable[[], Hashable], compute: Callable[[], R], grace: float = 0.0) -> R:
    """The kept answer to `key` under the stamp of now, by `Shelf.answer`; computed anew where nothing is to be kept."""
    if not settings.ALPHAPULSE_KEPT_ANSWERS:
        return compute()
    return SHELF.answer(key, stamp(), compute, grace)


def every(seconds: float) -> Callable[[], int]:
    """A stamp that moves by itself, so often."""
    return lambda: int(monotonic() / seconds)


def kept(compute: Callable[P, R]) -> Callable[P, R]:
    """Keep what the function answers to the same arguments until the records change."""
    return _kept_under(read_stamp, compute)


def kept_between_outcomes(compute: Callable[P, R]) -> Callable[P, R]:
    """Keep what the function answers to the same arguments until records change or a poll looked for outcomes."""
    return _kept_under(read_outcome_stamp, compute)


def kept_for(seconds: float) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep what the function answers to the same arguments, for so long at most."""
    return partial(_kept_under, every(seconds))


def _kept_under(stamp: Callable[[], Hashable], compute: Callable[P, R]) -> Callable[P, R]:
    @wraps(compute)
    def answer(*args: P.args, **kwargs: P.kwargs) -> R:
        key = (compute.__module__, compute.__qualname__, args, tuple(sorted(kwargs.items())))
        return keep(key, stamp, lambda: compute(*args, **kwargs))

    return answer
