"""The twin test on stored rows: each signal's own shadow, followed anew in one go, however polls cut up its life."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

import numpy as np

from ingestion.candles import load_candles
from ingestion.selectors import delisted_at_ms, known_until
from ingestion.timeframes import IntArray
from learning.config import Config
from learning.promotion import Twins, compare_twins
from learning.twins import asked_since, has_result
from signals.configuration import rules, scan_timeframe
from signals.first_touch import NEVER, Orders, first_touches
from signals.models import RejectedSignal, Signal
from signals.rows import order_of, set_outcome, to_ms, to_time

BRACKET = (
    *("scan_id", "symbol", "timeframe", "direction", "reference_price", "risk", "stop_loss", "take_profit"),
    *("opened_at", "expires_at"),
)


def twins_at(at: datetime, config: Config) -> Twins | None:
    """The signals of the last days that matured by then, net R as stored against that of their twins; None without."""
    asked = Signal.objects.filter(
        timeframe=scan_timeframe().name,
        opened_at__gte=to_time(asked_since(to_ms(at), config)),
        expires_at__lte=at,
        missing_minutes=0,
        net_r__isnull=False,
    )
    signals = list(asked.order_by("symbol", "opened_at"))
    symbols = {signal.symbol for signal in signals}
    known, delisted = known_until(symbols, to_ms(at)), delisted_at_ms(symbols)
    pairs = [
        (signal.opened_at, symbol, signal.net_r, shadow.net_r)
        for symbol, group in groupby(signals, key=lambda signal: signal.symbol)
        for signal, shadow in _followed_anew(list(group), known[symbol], delisted.get(symbol, NEVER))
    ]
    results = np.array([pair[2:] for pair in sorted(pairs)], dtype=np.float64).reshape(-1, 2)
    return compare_twins(results[:, 0], results[:, 1])


def _followed_anew(
    signals: list[Signal], known_ms: int, delisted_ms: IntArray
) -> Iterator[tuple[Signal, RejectedSignal]]:
    """One symbol's signals, each beside its shadow with a result: unsaved, and never seen by a poll."""
    shadows = [RejectedSignal(**{name: getattr(signal, name) for name in BRACKET}) for signal in signals]
    orders = Orders.of([order_of(shadow) for shadow in shadows])
    minutes = load_candles(signals[0].symbol, int(orders.opened_ms[0]), int(orders.expires_ms.max()))
    touches = first_touches(orders, minutes, known_ms, rules().costs, delisted_ms)
    for row, (signal, shadow) in enumerate(zip(signals, shadows, strict=True)):
        touch = touches.at(row)
        if touch and has_result(touch):
            set_outcome(shadow, touch)
            yield signal, shadow
