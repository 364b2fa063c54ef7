"""The walk over history: the decisions that live makes, close after close, with the weights of each moment. Pure.

Replay, bootstrap and certify all walk; they differ in where the candles come from and in who teaches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from ingestion.timeframes import Candles, FloatArray, IntArray, Timeframe
from learning.calendar import DAY_MS
from learning.follow import Ends, Followed, Known, follow
from learning.labels import Label, uniqueness_within
from signals import mood_feed
from signals.alt_season import seasons
from signals.columns import runs
from signals.consensus import evidence
from signals.derivatives import Stored, symbol_feeds
from signals.feeds import Feed, Readings
from signals.first_touch import FirstTouch
from signals.gates import PastSignal, has_quorum
from signals.heads.base import Head
from signals.scan import Decisions, Looks, Rules, decide, judge, look, serial_order, signal_at
from signals.segments import segments
from signals.version import Version


class Teacher(Protocol):
    """Who says what is in force: constant weights, the learner itself, or the versions that were stored."""

    def version_at(self, close_ms: int, walk: "Walk") -> Version:
        """The version of this close; may first learn from what ended before it."""
        ...

    def steady_until(self, close_ms: int) -> int:
        """The first close (ms) after this one at which the version may be another."""
        ...


NEVER_MS = 2**62


@dataclass(frozen=True)
class Constant:
    """A teacher who never learns."""

    version: Version

    def version_at(self, close_ms: int, walk: "Walk") -> Version:
        return self.version

    def steady_until(self, close_ms: int) -> int:
        return NEVER_MS


@dataclass(frozen=True)
class Decided:
    """One close: its decisions, what became of their brackets, and the version they used."""

    close_ms: int
    decisions: Decisions
    version: Version
    _ends: Ends  # those of many closes, this one's from row `_first` on: most are never asked for one by one
    _first: int

    @cached_property
    def followed(self) -> list[Followed | None]:
        """What became of each lean, None where there is none."""
        return [self._ends.at(self._first + row) if lean else None for row, lean in enumerate(self.decisions.lean)]

    @property
    def ends(self) -> Ends:
        return self._ends.take(slice(self._first, self._first + len(self.decisions)))


@dataclass
class Walk:
    """The state of a walk: what it decided so far. `past` primes the serial gates when it starts in mid-history."""

    minutes: Mapping[str, Candles]
    timeframe: Timeframe
    rules: Rules
    known: Known
    past: list[PastSignal] = field(default_factory=list)
    closes: list[Decided] = field(default_factory=list)
    _labelled: int = 0
    _open: list[tuple[Decided, int, Followed]] = field(default_factory=list)
    _spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def step(self, looks: Looks, version: Version) -> Iterator[Decided]:
        """Decide closes in order, all under one version, and follow their leans to the end of the history."""
        weights, thresholds = version.deciding, version.thresholds
        judged = judge(looks, weights, thresholds, self.rules)
        ends = follow(judged, self.minutes, self.known, self.timeframe, self.rules)
        self._forget(int(looks.close_ms[0]))
        decisions = decide(judged, self.past, weights, thresholds, self.rules, ends.results)
        ends = ends.take(serial_order(judged))
        results = ends.results
        self.past += [signal_at(decisions, int(row), results) for row in np.flatnonzero(decisions.reason == "")]
        for first, last in runs(decisions.close_ms):
            close_ms = int(decisions.close_ms[first])
            decided = Decided(close_ms, decisions.take(slice(first, last)), version, ends, first)
            self.closes.append(decided)
            yield decided

    def _forget(self, close_ms: int) -> None:
        """Drop the signals that no serial gate looks back to any more."""
        since = close_ms - (self.rules.gates.drawdown_days + 1) * DAY_MS
        self.past = [
            signal
            for signal in self.past
            if signal.exit_ms is None or signal.exit_ms > since or signal.opened_ms > since
        ]

    def labels_until(self, at_ms: int) -> list[Label]:
        """The leans that ended by `at_ms` and were not given before, as the ledger would hold them."""
        for decided in self.closes[self._labelled :]:
            self._note_leans(decided)
        self._labelled = len(self.closes)
        ended = [entry for entry in self._open if entry[2].ended_by(at_ms)]
        self._open = [entry for entry in self._open if not entry[2].ended_by(at_ms)]
        spans = {symbol: np.array(known, dtype=np.int64).T for symbol, known in self._spans.items()}
        return [self._label(*entry, spans) for entry in ended]

    def _note_leans(self, decided: Decided) -> None:
        for row, followed in enumerate(decided.followed):
            if followed is None:
                continue
            self._open.append((decided, row, followed))
            end_ms = max(
                side.exit_ms if side else followed.order.expires_ms for side in (followed.touch, followed.mirror)
            )
            if not _is_void(followed):
                self._spans.setdefault(str(decided.decisions.symbol[row]), []).append((decided.close_ms, end_ms))

    def _label(self, decided: Decided, row: int, followed: Followed, spans: Mapping[str, IntArray]) -> Label:
        decisions = decided.decisions
        if followed.touch is None or followed.mirror is None:
            raise ValueError("a label needs both sides of its bracket; wait until ended_by() is true")
        symbol, void = str(decisions.symbol[row]), _is_void(followed)
        end_ms = max(followed.touch.exit_ms, followed.mirror.exit_ms)
        votes = evidence(decisions.direction[row], decisions.probability[row], decisions.confidence[row])
        return Label(
            scan_id=decisions.scan_id[row],
            symbol=symbol,
            decided_ms=decided.close_ms,
            expires_ms=followed.order.expires_ms,
            ended_ms=end_ms,
            side=followed.order.side,
            is_signal=bool(decisions.reason[row] == ""),
            is_eligible=bool(
                decisions.passed[row, 0] and has_quorum(decisions.direction[row : row + 1], self.rules.gates)
            ),
            is_void=any(
                side.outcome == "void" or side.missing_minutes > 0 for side in (followed.touch, followed.mirror)
            ),
            evidence=tuple(votes.tolist()),
            win_probability=float(decisions.win_probability[row]),
            expected_r=float(decisions.expected_r[row]),
            cost_r=float(self.rules.costs.round_trip * decisions.reference[row] / decisions.risk[row]),
            net_r=_result(followed.touch),
            mirror_net_r=_result(followed.mirror),
            uniqueness=1.0 if void else uniqueness_within(decided.close_ms, end_ms, *spans[symbol]),
            weight_version=decided.version.weight_version,
        )


def _is_void(followed: Followed) -> bool:
    return followed.touch is not None and followed.touch.outcome == "void"


def _result(touch: FirstTouch) -> float | None:
    return None if touch.outcome == "void" else touch.net_r


@dataclass(frozen=True)
class Given:
    """What is known of a history beside its candles.

    `mood`, `season`: times and rows, and alt seasons, that were stored; None: they are made as live makes them, from
    the first close on. `external`: the index from outside. `readings`: those of the futures market, by name, symbol.
    """

    mood: tuple[IntArray, FloatArray] | None = None
    season: Feed | None = None
    external: Readings | None = None
    readings: Stored = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """What a history showed before any weight: all looks in order of close and symbol.

    Beside them the mood (closes, fields) and the alt season (closes,) of every close, made again where it was given.
    """

    looks: Looks
    mood_ms: IntArray
    mood: FloatArray
    season: FloatArray


def look_over(
    minutes: Mapping[str, Candles],
    timeframe: Timeframe,
    first_close_ms: int,
    last_close_ms: int,
    heads: tuple[Head, ...],
    rules: Rules,
    progress: Callable[[str], None] = lambda symbol: None,
    given: Given = Given(),
) -> Seen:
    """Look at every ready close of every symbol. The mood starts with the history, also when looking starts later.

    A mood that is given is what the heads see. It is made again too, for the closes that are asked for.
    """
    stored = given.mood
    found = {
        symbol: list(segments(candles, timeframe, first_close_ms if stored else int(candles.open_ms[0]), last_close_ms))
        for symbol, candles in sorted(minutes.items())
        if len(candles)
    }
    mood_ms, mood = (
        mood_feed.mood_again(found, *stored, first_close_ms, last_close_ms) if stored else mood_feed.mood_over(found)
    )
    season = seasons(minutes, mood_ms)
    known = given.season if stored else Feed(mood_ms, mood_ms, season)
    feeds = mood_feed.feeds(*(stored or (mood_ms, mood))) | mood_feed.external(given.external)
    parts = []
    for symbol, segments_found in found.items():
        parts.append(look(symbol, segments_found, feeds, heads, rules, symbol_feeds([symbol], given.readings, known)))
        progress(symbol)
    looks = Looks.concatenate(parts or [look("", [], {}, heads, rules)])
    looks = looks.take(np.lexsort((looks.symbol, looks.close_ms)))
    return Seen(looks.take(looks.close_ms >= first_close_ms), mood_ms, mood, season)


def walk_over(seen: Seen, walk: Walk, teacher: Teacher) -> Iterator[Decided]:
    """Decide every close in order, asking the teacher each time its answer may have changed."""
    close_ms, first = seen.looks.close_ms, 0
    while first < len(close_ms):
        version = teacher.version_at(int(close_ms[first]), walk)
        last = int(np.searchsorted(close_ms, teacher.steady_until(int(close_ms[first]))))
        yield from walk.step(seen.looks.take(slice(first, last)), version)
        first = last
