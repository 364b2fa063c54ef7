"""What every head said at every ready bar of a recording, and what both brackets there came to. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import MINUTE_MS, BoolArray, Candles, FloatArray, IntArray, Timeframe
from learning.calendar import DAY_MS
from learning.follow import Known, follow
from learning.labels import uniqueness_within
from learning.walk import Seen, look_over
from signals.columns import Rows
from signals.consensus import SideArray, Weights, evidence
from signals.derivatives import ALT_SEASON
from signals.first_touch import OPEN, VOID, Touches
from signals.gates import Thresholds
from signals.heads.base import Head, Needs, Votes
from signals.mood import MOOD_FIELDS
from signals.scan import Looks, Rules, judge
from signals.segments import slower_than
from signals.window import Window


class TooShortError(Exception):
    """The candles end before a head was ready, or before the first bracket was over."""


@dataclass(frozen=True)
class Bars(Rows):
    """Ready bars of one timeframe: votes (n, H), evidence (n, H) toward up, and the rest (n,).

    `labelled`: the time limit lies behind, both brackets could be entered and no minute of theirs is missing; net R of
    both sides is NaN elsewhere. `uniqueness`: mean of 1 / (bars of the symbol whose brackets were open at once).
    """

    symbol: npt.NDArray[np.str_]
    close_ms: IntArray
    direction: SideArray
    evidence: FloatArray
    labelled: BoolArray
    long_r: FloatArray
    short_r: FloatArray
    uniqueness: FloatArray


@dataclass
class Timed:
    """A head that counts the seconds its votes take by `clock`; what it needs is there before the clock starts.

    So indicators, which heads share, are nobody's cost. What frames derive is paid by the head that asks first.
    """

    head: Head
    clock: Callable[[], float]
    seconds: float = 0.0
    bars: int = 0
    name: str = field(init=False)
    letter: str = field(init=False)
    needs: Needs = field(init=False)

    def __post_init__(self) -> None:
        self.name, self.letter, self.needs = self.head.name, self.head.letter, self.head.needs

    def vote(self, window: Window) -> Votes:
        for name in self.needs.indicators:
            _ = window.base[name]
        began = self.clock()
        votes = self.head.vote(window)
        self.seconds += self.clock() - began
        self.bars += len(window.wanted)
        return votes

    @property
    def ms_per_1000_bars(self) -> float | None:
        return 1e6 * self.seconds / self.bars if self.bars else None


@dataclass(frozen=True)
class Watched:
    """A recording as the heads saw it: its bars, and the names of the feeds that said anything at all."""

    bars: Bars
    feeds: frozenset[str]


def watch(
    minutes: Mapping[str, Candles],
    timeframe: Timeframe,
    heads: Sequence[Head],
    rules: Rules,
    progress: Callable[[str], None] = lambda symbol: None,
) -> Watched:
    """Let the heads look at a whole recording as replay does, mood included, and follow both sides of every bar."""
    filled = {symbol: candles for symbol, candles in minutes.items() if len(candles)}
    first_ms = min(int(candles.open_ms[0]) for candles in filled.values())
    known_until_ms = max(int(candles.open_ms[-1]) for candles in filled.values()) + MINUTE_MS
    last_close_ms = known_until_ms // timeframe.ms * timeframe.ms
    seen = look_over(filled, timeframe, first_ms, last_close_ms, tuple(heads), rules, progress)
    return Watched(labelled_bars(seen.looks, filled, known_until_ms, timeframe, heads, rules), feeds_heard(seen))


def labelled_bars(
    looks: Looks,
    minutes: Mapping[str, Candles],
    known_until_ms: int,
    timeframe: Timeframe,
    heads: Sequence[Head],
    rules: Rules,
) -> Bars:
    """Follow the long and the short bracket of every look, whatever anybody leans to."""
    judged = judge(looks, Weights.at_birth(tuple(head.name for head in heads)), Thresholds(), rules)
    ends = follow(replace(judged, lean=np.ones(len(looks), np.int8)), minutes, Known(known_until_ms), timeframe, rules)
    long, short = ends.touch, ends.mirror
    # Those that resolved before the time limit are mostly losses: a bar counts once its whole limit lies behind.
    matured = ends.orders.expires_ms <= known_until_ms
    labelled = matured & _clean(long) & _clean(short)
    return Bars(
        symbol=looks.symbol,
        close_ms=looks.close_ms,
        direction=looks.direction,
        evidence=evidence(looks.direction, looks.probability, looks.confidence),
        labelled=labelled,
        long_r=np.where(labelled, long.net_r, np.nan),
        short_r=np.where(labelled, short.net_r, np.nan),
        uniqueness=_uniqueness(
            looks, np.maximum(long.exit_ms, short.exit_ms), labelled, timeframe.ms * rules.bracket.limit_bars
        ),
    )


def _clean(touches: Touches) -> BoolArray:
    clean: BoolArray = (touches.outcome != OPEN) & (touches.outcome != VOID) & (touches.missing_minutes == 0)
    return clean


def _uniqueness(looks: Looks, end_ms: IntArray, labelled: BoolArray, limit_ms: int) -> FloatArray:
    """`uniqueness_within` of each labelled bar; no bracket lasts beyond its limit, so only near ones are asked."""
    found = np.full(len(looks), np.nan)
    for symbol in np.unique(looks.symbol).tolist():
        rows = np.flatnonzero((looks.symbol == symbol) & labelled)
        starts, ends = looks.close_ms[rows], end_ms[rows]
        first = np.searchsorted(starts, starts - limit_ms)
        last = np.searchsorted(starts, ends)
        for place, row in enumerate(rows.tolist()):
            near = slice(int(first[place]), int(last[place]))
            found[row] = uniqueness_within(int(starts[place]), int(ends[place]), starts[near], ends[near])
    return found


def feeds_heard(seen: Seen) -> frozenset[str]:
    """The feeds made from the candles themselves that had a reading at one close at least."""
    names = {f"mood.{name}" for name, column in zip(MOOD_FIELDS, seen.mood.T, strict=True) if np.isfinite(column).any()}
    return frozenset(names | ({ALT_SEASON} if np.isfinite(seen.season).any() else set()))


def why_silent(needs: Needs, timeframe: Timeframe, feeds: frozenset[str]) -> str:
    """What a head that never voted lacked, in words; empty where nothing it needs is known to be missing."""
    missing = [name for name in needs.feeds if name not in feeds]
    if missing:
        return f"it reads feeds, and these candles do not hold {', '.join(missing)}"
    slower = {each.name for each in slower_than(timeframe)}
    if needs.timeframes and not slower & set(needs.timeframes):
        return f"it needs a timeframe above the scan's own: {' or '.join(needs.timeframes)}"
    return ""


def pooled(watched: Sequence[Watched], timeframe: Timeframe, rules: Rules) -> Watched:
    """The bars of several recordings as one table; raises TooShortError where there is nothing to measure."""
    bars = Bars.concatenate([each.bars for each in watched])
    if not len(bars):
        days = timeframe.block * timeframe.ms / DAY_MS
        raise TooShortError(
            f"{timeframe.name}: no bar is ready: heads wait for {timeframe.block} bars ({days:.1f} days) of candles in"
            " their window, which takes up to twice as long; name a longer recording or a shorter timeframe"
        )
    if not bars.labelled.any():
        days = rules.bracket.limit_bars * timeframe.ms / DAY_MS
        raise TooShortError(
            f"{timeframe.name}: no bracket was followed to its end: its limit is {rules.bracket.limit_bars} bars"
            f" ({days:.1f} days) after a ready bar; name a longer recording or a shorter timeframe"
        )
    return Watched(bars, frozenset().union(*(each.feeds for each in watched)))
