"""A small stored history of decisions, made without heads: two symbols over two nights and a Sunday."""

from datetime import datetime, timedelta

import numpy as np
from django.utils import timezone

from alphapulse_site.copying import copy_rows
from ingestion.timeframes import MINUTE_MS
from learning.versions import ensure_birth
from signals.configuration import rules
from signals.heads import HEADS
from signals.models import RejectedSignal, ScanClose, ScanHistory, Signal
from signals.rows import scan_rows, to_ms, to_time, tracked_rows
from signals.scan import decide, judge
from tests.signals.decided import EAGER, QUARTER, looks_at_close, store_market
from tests.signals.market import START_MS, random_walk

SYMBOLS = ("BTCUSDT", "ETHUSDT")
BEGAN = to_time(START_MS + QUARTER.ms)
# Friday 2021-06-11 to Sunday 03:00: nights of the 11th and 12th, and the week.
UNTIL = to_time(START_MS) + timedelta(hours=51)
DECISIONS = 40


def store_history(*, seed: int = 5, until: datetime = UNTIL) -> datetime:
    """Candles, and decisions of random votes every half an hour of the first day; nothing followed yet."""
    length = (until - to_time(START_MS)) // timedelta(minutes=1)
    minutes = {symbol: random_walk(length, number) for number, symbol in enumerate(SYMBOLS)}
    store_market(minutes, until=until)
    ensure_birth()
    draw = np.random.default_rng(seed)
    scans, tracked = [], []
    for number in range(DECISIONS):
        close_ms = to_ms(BEGAN) + number * 2 * QUARTER.ms
        prices = {symbol: float(walk.between(0, close_ms).close[-1]) for symbol, walk in minutes.items()}
        votes = {symbol: draw.integers(-1, 2, len(HEADS)).tolist() for symbol in SYMBOLS}
        looks = looks_at_close(close_ms, prices, votes, stop=0.006)
        judged = judge(looks, EAGER.weights, EAGER.thresholds, rules())
        found = decide(judged, [], EAGER.weights, EAGER.thresholds, rules())
        scans += list(scan_rows(found, QUARTER, version=1, waited_too_long=False, source="live"))
        tracked += list(tracked_rows(found, QUARTER, rules(), version=1, source="live"))
    copy_rows(ScanHistory, scans)
    copy_rows(Signal, [row for row in tracked if isinstance(row, Signal)])
    copy_rows(RejectedSignal, [row for row in tracked if isinstance(row, RejectedSignal)])
    for close in (BEGAN, until):
        ScanClose.objects.create(timeframe="15m", close_time=close, decided_at=timezone.now())
    assert len(tracked) > DECISIONS
    assert to_ms(until) % MINUTE_MS == 0
    return until
