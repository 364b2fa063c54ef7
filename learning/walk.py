"""The walk over history: the decisions that live makes, close after close, with the weights of each moment. Pure.

Replay, bootstrap and certify all walk; they differ in where the candles come from and in who teaches.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ingestion.timeframes import Candles, FloatArray, IntArray, Timeframe
from learning.calendar import DAY_MS
from learning.follow import Followed, follow
from learning.labels import Label, uniqueness_within
from signals import mood_feed
from signals.consensus import evidence
from signals.gates import PastSignal, has_quorum
from signals.heads.base import Head
from signals.scan import Decisions, Judged, Looks, Rules, decide, judge, look, segments
from signals.version import Version


class Teacher(Protocol):
    """Who says what is in force: constant weights, the learner itself, or the versions that were stored."""

    def version_at(self, close_ms: int, walk: "Walk") -> Version:
        """The version of this close; may first learn from what ended before it."""
        ...


@dataclass(frozen=True)
class Constant:
    """A teacher who never learns."""

    version: Version

    def version_at(self, close_ms: int, walk: "Walk") -> Version:
        return self.version


@dataclass(frozen=True)
class Decided:
    """One close: its decisions, what became of each lean (None where there is none), and the version they used."""

    close_ms: int
    decisions: Decisions
    followed: list[Followed | None]
    version: Version


@dataclass
class Walk:
    """The state of a walk: what it decided so far. `past` primes the serial gates when it starts in mid-history."""

    minutes: Mapping[str, Candles]
    timeframe: Timeframe
    rules: Rules
    known_until_ms: int
    past: list[PastSignal] = field(default_factory=list)
    closes: list[Decided] = field(default_factory=list)
    _labelled: int = 0
    _open: list[tuple[Decided, int, Followed]] = field(default_factory=list)
    _spans: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def step(self, judged: Judged, version: Version) -> Decided:
        """Decide one close and follow its leans to the end of the history."""
        close_ms = int(judged.close_ms[0])
        decisions = decide(judged, self._remembered(close_ms), version.weights, version.thresholds, self.rules)
        followed = [self._follow(decisions, row) for row in range(len(decisions))]
        decided = Decided(close_ms, decisions, followed, version)
        self.closes.append(decided)
        self._remember(decided)
        return decided

    def _follow(self, decisions: Decisions, row: int) -> Followed | None:
        if decisions.lean[row] == 0:
            return None
        minutes = self.minutes[str(decisions.symbol[row])]
        return follow(decisions, row, minutes, self.known_until_ms, self.timeframe, self.rules)

    def _remembered(self, close_ms: int) -> list[PastSignal]:
        since = close_ms - (self.rules.gates.drawdown_days + 1) * DAY_MS
        self.past = [
            signal
            for signal in self.past
            if signal.exit_ms is None or signal.exit_ms > since or signal.opened_ms > since
        ]
        return self.past

    def _remember(self, decided: Decided) -> None:
        decisions = decided.decisions
        for row, followed in enumerate(decided.followed):
            if followed is None:
                continue
            self._open.append((decided, row, followed))
            end_ms = max(
                side.exit_ms if side else followed.order.expires_ms for side in (followed.touch, followed.mirror)
            )
            if not _is_void(followed):
                self._spans.setdefault(str(decisions.symbol[row]), []).append((decided.close_ms, end_ms))
            if decisions.reason[row] == "":
                self.past.append(_past_signal(decisions, row, followed))

    def labels_until(self, at_ms: int) -> list[Label]:
        """The leans that ended by `at_ms` and were not given before, as the ledger would hold them."""
        ended = [entry for entry in self._open if entry[2].ended_by(at_ms)]
        self._open = [entry for entry in self._open if not entry[2].ended_by(at_ms)]
        spans = {symbol: np.array(known, dtype=np.int64).T for symbol, known in self._spans.items()}
        return [self._label(*entry, spans) for entry in ended]

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
            is_void=void or followed.touch.missing_minutes > 0 or followed.mirror.missing_minutes > 0,
            evidence=tuple(votes.tolist()),
            win_probability=float(decisions.win_probability[row]),
            expected_r=float(decisions.expected_r[row]),
            cost_r=float(self.rules.costs.round_trip * decisions.reference[row] / decisions.risk[row]),
            net_r=None if void else followed.touch.net_r,
            mirror_net_r=None if void else followed.mirror.net_r,
            uniqueness=1.0 if void else uniqueness_within(decided.close_ms, end_ms, *spans[symbol]),
            weight_version=decided.version.weight_version,
        )


def _is_void(followed: Followed) -> bool:
    return followed.touch is not None and followed.touch.outcome == "void"


def _past_signal(decisions: Decisions, row: int, followed: Followed) -> PastSignal:
    touch = followed.touch
    return PastSignal(
        symbol=str(decisions.symbol[row]),
        side=int(decisions.lean[row]),
        regime=int(decisions.regime[row]),
        opened_ms=followed.order.opened_ms,
        exit_ms=touch.exit_ms if touch else None,
        net_r=None if touch is None or _is_void(followed) else touch.net_r,
    )


@dataclass(frozen=True)
class Seen:
    """What a history showed before any weight: all looks in order of close and symbol, and the mood of every close."""

    looks: Looks
    mood_ms: IntArray
    mood: FloatArray


def look_over(
    minutes: Mapping[str, Candles],
    timeframe: Timeframe,
    first_close_ms: int,
    last_close_ms: int,
    heads: tuple[Head, ...],
    rules: Rules,
    progress: Callable[[str], None] = lambda symbol: None,
    given_mood: tuple[IntArray, FloatArray] | None = None,
) -> Seen:
    """Look at every ready close of every symbol. The mood starts with the history, also when looking starts later.

    `given_mood`: times and rows that were stored; the mood of each of those closes is then made with them as its past.
    """
    found = {
        symbol: list(segments(candles, timeframe, int(candles.open_ms[0]), last_close_ms))
        for symbol, candles in sorted(minutes.items())
        if len(candles)
    }
    mood_ms, mood = mood_feed.mood_over(found) if given_mood is None else mood_feed.mood_again(found, *given_mood)
    feeds = mood_feed.feeds(mood_ms, mood)
    parts = []
    for symbol, segments_found in found.items():
        parts.append(look(symbol, segments_found, feeds, heads, rules))
        progress(symbol)
    looks = Looks.concatenate(parts or [look("", [], {}, heads, rules)])
    looks = looks.take(np.lexsort((looks.symbol, looks.close_ms)))
    return Seen(looks.take(looks.close_ms >= first_close_ms), mood_ms, mood)


def walk_over(seen: Seen, walk: Walk, teacher: Teacher) -> Iterator[Decided]:
    """Decide every close in order, asking the teacher each time what is in force."""
    closes, starts = np.unique(seen.looks.close_ms, return_index=True)
    ends = [*starts[1:].tolist(), len(seen.looks)][: len(closes)]
    for close_ms, first, last in zip(closes.tolist(), starts.tolist(), ends, strict=True):
        version = teacher.version_at(close_ms, walk)
        yield walk.step(
            judge(seen.looks.take(np.arange(first, last)), version.weights, version.thresholds, walk.rules), version
        )
