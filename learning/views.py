"""The market as it was seen when something was decided or ended: what came later, undone. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingestion.revisions import Change, Delisting, undone
from ingestion.timeframes import Candles
from learning.follow import Known, Voids
from learning.spells import Event, Gone, span_of
from signals.scan import Looks


@dataclass(frozen=True)
class View:
    """Candles by symbol, and how far they were known. `since`: from when on (ms) a symbol's are others now."""

    minutes: Mapping[str, Candles]
    known: Known
    since: Mapping[str, int]


@dataclass(frozen=True)
class Market:
    """What is stored now. `holes`: the first minute of each symbol that is neither a candle nor explained.

    `voids`: the decisions that people declared void, which no candle says.
    """

    minutes: Mapping[str, Candles]
    known_ms: int
    holes: Mapping[str, int]
    delistings: Mapping[str, Sequence[Delisting]]
    voids: Voids = field(default_factory=dict)

    def before(self, events: Sequence[Event]) -> View:
        """The market as it was known before these events."""
        changes = [event for event in events if isinstance(event, Change)]
        unknown = {(event.symbol, event.delisting) for event in events if isinstance(event, Gone)}
        holes = [(change.symbol, change.start_ms) for change in changes if change.before is None]
        less_far = _earliest([*self.holes.items(), *holes])
        delisted = {
            symbol: np.array([each.at_ms for each in found if (symbol, each) not in unknown], dtype=np.int64)
            for symbol, found in self.delistings.items()
        }
        since = _earliest((event.symbol, span_of(event)[0]) for event in events)
        return View(undone(self.minutes, changes), Known(self.known_ms, less_far, delisted, self.voids), since)


def _earliest(moments: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for symbol, at_ms in moments:
        found[symbol] = min(at_ms, found.get(symbol, at_ms))
    return found


Key = tuple[str, int]  # symbol, close (ms)


def seen_by_digest(looks: Sequence[Looks], digests: Mapping[Key, bytes]) -> Looks:
    """Of several looks at the same closes, each row from the one with its digest; from the first if none has it.

    What only some of them saw and nobody stored is left out.
    """
    places = [{key: row for row, key in enumerate(keys_of(each))} for each in looks]
    chosen: list[list[int]] = [[] for _ in looks]
    for key in set().union(*places):
        having = [at for at, rows in enumerate(places) if key in rows]
        if key not in digests and len(having) < len(looks):
            continue
        alike = (at for at in having if bytes(looks[at].digest[places[at][key]]) == digests.get(key))
        at = next(alike, having[0])
        chosen[at].append(places[at][key])
    parts = [each.take(np.array(rows, dtype=np.int64)) for each, rows in zip(looks, chosen, strict=True)]
    found = Looks.concatenate(parts)
    return found.take(np.lexsort((found.symbol, found.close_ms)))


def keys_of(looks: Looks) -> list[Key]:
    return list(zip(looks.symbol.tolist(), looks.close_ms.tolist(), strict=True))
