"""A spell of closes made again as it was lived, and compared with what was stored."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import MINUTE_MS, Timeframe
from learning.comparison import Compared, Ends, compare_close, compare_empty, feed_differences, scans_at
from learning.spells import Event, Spell, span_of
from learning.views import Key, Market, View, keys_of, seen_by_digest
from learning.walk import NEVER_MS, Decided, Given, Seen, Teacher, Walk, look_over, walk_over
from signals.configuration import rules
from signals.first_touch import NEVER, FirstTouch, Order, first_touch
from signals.gates import PastSignal
from signals.heads import HEADS
from signals.models import ScanHistory, Signal, TrackedDecision
from signals.rows import order_of, to_ms, to_time
from signals.scan import Looks
from signals.segments import history_start_ms
from signals.selectors import past_signals


@dataclass(frozen=True)
class Bench:
    """What spells are made again from: what is stored now, what happened to it since, in order, feeds and versions.

    `late`: the scans that were made after their close was decided; they are compared on their own.
    """

    timeframe: Timeframe
    market: Market
    events: Sequence[Event]
    given: Given
    teacher: Teacher
    progress: Callable[[int], None]
    late: Container[Key] = frozenset()

    def compare(self, spell: Spell, closes: Sequence[int]) -> Compared:
        """Compare the spell's closes (ms); where it may have seen one thing or another, with what fits best."""
        unseen = spell.unseen()
        compared = self._compare(spell, unseen[:1], closes)
        if compared.differences and len(unseen) > 1:
            compared = self._compare(spell, unseen, closes)
        return compared

    def _compare(self, spell: Spell, unseen: Sequence[tuple[Event, ...]], closes: Sequence[int]) -> Compared:
        views = [self.market.before(events) for events in unseen]
        seen = [self._look(view, spell.symbols, closes) for view in views]
        feeds = min((self._feed_differences(each, closes) for each in seen), key=len)
        looks, incomplete = self._as_stored(seen, views, closes)
        trials = [self._decide(view, replace(seen[-1], looks=looks), closes) for view in views]
        best = min(range(len(views)), key=lambda at: len(trials[at].differences))
        compared = trials[best]
        compared.differences = feeds + compared.differences
        compared.moods, compared.incomplete = len(seen[-1].mood_ms), incomplete
        compared.restated |= set(closes) if unseen[best] else set()
        return compared

    def _feed_differences(self, seen: Seen, closes: Sequence[int]) -> list[str]:
        return list(feed_differences(seen, self.given, closes[0]))

    def _look(self, view: View, symbols: Sequence[str], closes: Sequence[int]) -> Seen:
        minutes = {symbol: view.minutes[symbol] for symbol in symbols if symbol in view.minutes}
        return look_over(minutes, self.timeframe, closes[0], closes[-1], HEADS, rules(), given=self.given)

    def _as_stored(self, seen: Sequence[Seen], views: Sequence[View], closes: Sequence[int]) -> tuple[Looks, int]:
        """The looks that were stored, with the missing minutes that they knew of; how many knew of unexplained ones."""
        stored = self._stored(closes, all_of_them=len(seen) > 1)
        looks = seen[0].looks
        if len(seen) > 1:
            digests = {key: bytes(scan.candle_digest) for key, scan in stored.items()}
            looks = seen_by_digest([each.looks for each in seen], digests)
        place = {key: row for row, key in enumerate(keys_of(looks))} if stored else {}
        incomplete = 0
        for key in stored.keys() & place.keys():
            unexplained = stored[key].missing_minutes - int(looks.missing_minutes[place[key]])
            if 0 < unexplained <= self._absent(views[-1], *key):
                looks.missing_minutes[place[key]] += unexplained
                incomplete += 1
        return looks, incomplete

    def _stored(self, closes: Sequence[int], *, all_of_them: bool) -> dict[Key, ScanHistory]:
        scans = ScanHistory.objects.filter(
            timeframe=self.timeframe.name, close_time__range=(to_time(closes[0]), to_time(closes[-1]))
        )
        found = scans if all_of_them else scans.filter(missing_minutes__gt=0)
        columns = ("symbol", "close_time", "missing_minutes", "candle_digest")
        return {(scan.symbol, to_ms(scan.close_time)): scan for scan in found.only(*columns, "timeframe")}

    def _absent(self, view: View, symbol: str, close_ms: int) -> int:
        """Minutes without a candle among those that a scan can look back to: no more can be unexplained."""
        start_ms = history_start_ms(self.timeframe, close_ms)
        return (close_ms - start_ms) // MINUTE_MS - len(view.minutes[symbol].between(start_ms, close_ms))

    def _decide(self, view: View, seen: Seen, closes: Sequence[int]) -> Compared:
        compared, expected = Compared(), set(closes)
        walk = Walk(view.minutes, self.timeframe, rules(), view.known, past=self._past(view, closes[0]))
        for decided in walk_over(seen, walk, self.teacher):
            scans, ends_of = self._scans_at([decided.close_ms]), self._ends_of(decided, view)
            compare_close(decided, scans, ends_of, self.timeframe, self.market.known_ms, compared)
            expected.discard(decided.close_ms)
            self.progress(decided.close_ms)
        compare_empty(self._scans_at(expected), compared)
        compared.closes = len(closes)
        return compared

    def _past(self, view: View, close_ms: int) -> list[PastSignal]:
        return past_in(view, self.timeframe, close_ms)

    def _scans_at(self, closes: Iterable[int]) -> list[ScanHistory]:
        return [row for row in scans_at(self.timeframe, closes) if (row.symbol, to_ms(row.close_time)) not in self.late]

    # --- what had ended by when ---------------------------------------------------------------------------------------

    def _ends_of(self, decided: Decided, view: View) -> Callable[[TrackedDecision], Iterator[Ends]]:
        place = {symbol: at for at, symbol in enumerate(decided.decisions.symbol.tolist())}

        def ends_of(row: TrackedDecision) -> Iterator[Ends]:
            followed = decided.followed[place[row.symbol]]
            if followed is not None and view.since.get(row.symbol, NEVER_MS) >= followed.order.expires_ms:
                yield followed.touch, followed.mirror
            yield from self._ends_over_time(row)

        return ends_of

    def _ends_over_time(self, row: TrackedDecision) -> Iterator[Ends]:
        """How the bracket ends now, and would have before the last thing that happened to its candles, and so on."""
        order, symbol = order_of(row), row.symbol
        voided = self.market.voids.get((symbol, order.opened_ms))
        mirror = order.mirror(row.reference_price, rules().bracket.target_r)
        happened = [event for event in self.events if event.symbol == symbol and _concerns(event, order)]
        for seen in range(len(happened), -1, -1):
            view = self.market.before(happened[seen:])
            ends = _end_in(view, symbol, order), _end_in(view, symbol, mirror)
            yield voided.over(ends[1]) if voided else ends


def past_in(view: View, timeframe: Timeframe, close_ms: int) -> list[PastSignal]:
    """The signals of before as they were known then: what came later may have ended one at an earlier time."""
    past = past_signals(timeframe, to_time(close_ms), rules().gates)
    doubtful = {
        (signal.symbol, signal.opened_ms)
        for signal in past
        if signal.exit_ms is None or signal.exit_ms >= view.since.get(signal.symbol, NEVER_MS)
    }
    doubtful -= view.known.voids.keys()  # no candle ended these
    if not view.since or not doubtful:
        return past
    opened = [to_time(opened_ms) for _, opened_ms in doubtful]
    rows = Signal.objects.filter(timeframe=timeframe.name, symbol__in=list(view.since), opened_at__in=opened)
    ends = {(row.symbol, to_ms(row.opened_at)): _end_in(view, row.symbol, order_of(row)) for row in rows}
    return [_ended(signal, ends) if (signal.symbol, signal.opened_ms) in doubtful else signal for signal in past]


def _concerns(event: Event, order: Order) -> bool:
    begins_ms, ends_ms, _, _ = span_of(event)
    return begins_ms < order.expires_ms and (ends_ms is None or ends_ms > order.opened_ms)


def _end_in(view: View, symbol: str, order: Order) -> FirstTouch | None:
    known_ms = view.known.less_far.get(symbol, view.known.until_ms)
    delisted_ms = view.known.delisted_ms.get(symbol, NEVER)
    return first_touch(order, view.minutes[symbol], known_ms, rules().costs, delisted_ms)


def _ended(signal: PastSignal, ends: dict[Key, FirstTouch | None]) -> PastSignal:
    key = (signal.symbol, signal.opened_ms)
    if key not in ends:
        return signal
    touch = ends[key]
    if touch is None:
        return replace(signal, exit_ms=None, net_r=None)
    return replace(signal, exit_ms=touch.exit_ms, net_r=None if np.isnan(touch.net_r) else touch.net_r)
