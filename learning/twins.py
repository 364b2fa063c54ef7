"""The twin test: every signal beside its own shadow, the same bracket followed anew in one go (learning.md 2). Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np

from ingestion.timeframes import FloatArray
from learning.calendar import DAY_MS
from learning.config import Config
from learning.follow import Followed
from learning.promotion import Twins, compare_twins
from learning.walk import Walk
from signals.first_touch import NEVER, FirstTouch, first_touch


def asked_since(cut_off_ms: int, config: Config) -> int:
    """The first decision (ms) whose signal is asked: as far back as the nightly veto looks."""
    return cut_off_ms - config.veto_days_max * DAY_MS


def has_result(touch: FirstTouch | None) -> bool:
    """Whether a bracket ended with a result that may be learned from: not void, no minute of its life missing."""
    return touch is not None and touch.missing_minutes == 0 and not np.isnan(touch.net_r)


@dataclass
class WalkedTwins:
    """The twins along a walk; each is followed once, since the candles of a walk never change."""

    _shadow_r: dict[UUID, float] = field(default_factory=dict)

    def compared(self, walk: Walk, cut_off_ms: int, config: Config) -> Twins | None:
        """The matured signals of the last days, one by one, against what all brackets together came to."""
        found = sorted(self._results(walk, cut_off_ms, asked_since(cut_off_ms, config)))
        results: FloatArray = np.array([pair for *_, pair in found], dtype=np.float64).reshape(-1, 2)
        return compare_twins(results[:, 0], results[:, 1])

    def _results(self, walk: Walk, cut_off_ms: int, since_ms: int) -> Iterator[tuple[int, str, tuple[float, float]]]:
        """Close, symbol, and both net R of each signal that is asked."""
        for decided in reversed(walk.closes):
            if decided.close_ms < since_ms:
                return
            for row in np.flatnonzero(decided.decisions.reason == "").tolist():
                followed, symbol = decided.followed[row], str(decided.decisions.symbol[row])
                if followed is None or followed.touch is None or followed.order.expires_ms > cut_off_ms:
                    continue
                shadow_r = self._followed_anew(walk, symbol, followed, decided.decisions.scan_id[row])
                if has_result(followed.touch) and not np.isnan(shadow_r):
                    yield decided.close_ms, symbol, (followed.touch.net_r, shadow_r)

    def _followed_anew(self, walk: Walk, symbol: str, followed: Followed, scan_id: UUID) -> float:
        if scan_id not in self._shadow_r:
            known = walk.known
            until_ms, delisted_ms = known.less_far.get(symbol, known.until_ms), known.delisted_ms.get(symbol, NEVER)
            found = first_touch(followed.order, walk.minutes[symbol], until_ms, walk.rules.costs, delisted_ms)
            self._shadow_r[scan_id] = found.net_r if found and has_result(found) else np.nan
        return self._shadow_r[scan_id]
