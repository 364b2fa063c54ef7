"""Switched off for six hours over a midnight and back: every table is that of a system that never stopped."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from alphapulse_site.clock import market_now
from ingestion.csv_format import load_recording
from ingestion.gaps import check_gaps
from ingestion.timeframes import MINUTE_MS, Candles
from learning import services
from learning.bootstrap import bootstrap
from signals import services as scans
from signals.models import RejectedSignal, Signal
from signals.rows import to_ms, to_time
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.learning.conftest import HISTORY_END, LIVED_UNTIL, QUARTER, RECORDING, SYMBOLS, decide, import_history
from tests.tables import Row, all_tables

HOUR = 60 * MINUTE_MS
STOPPED_AT, BACK_AT = to_ms(HISTORY_END) + HOUR // 2, to_ms(HISTORY_END) + HOUR // 2 + 6 * HOUR
# A gap check leaves out what closed a few seconds ago, which is the stream's to bring.
A_MOMENT = 30_000


def the_market() -> dict[str, Candles]:
    """Five symbols of the recording, of which an outage, one symbol's minutes and a minute in the night are missing."""
    minutes = load_recording(RECORDING, SYMBOLS)
    outage = (STOPPED_AT + 3 * HOUR, STOPPED_AT + 3 * HOUR + 10 * MINUTE_MS)
    alone = (STOPPED_AT + 5 * HOUR, STOPPED_AT + 5 * HOUR + 2 * MINUTE_MS)
    return {
        symbol: without(candles, outage, *([alone] if symbol == "ADAUSDT" else []))
        for symbol, candles in minutes.items()
    }


def without(candles: Candles, *spans: tuple[int, int]) -> Candles:
    kept = np.ones(len(candles), np.bool_)
    for start, end in spans:
        kept &= (candles.open_ms < start) | (candles.open_ms >= end)
    return replace(candles, **{name: getattr(candles, name)[kept] for name in Candles.__dataclass_fields__})


def look_in(exchange: RunningExchange, at_ms: int) -> None:
    """What the processes do at this moment: the gap keeper, then the tasks as long as there is something to do."""
    exchange.exchange.clock.set(at_ms + A_MOMENT)
    for _ in range(5):
        check_gaps()
    assert market_now() == to_time(at_ms)
    services.run_due_jobs()
    while (close := scans.next_due_close()) is not None:
        decide(close)
    for model in (Signal, RejectedSignal):
        scans.track(model, until=to_time(at_ms))
    services.run_due_jobs()


def lived_through(exchange: RunningExchange, moments: Iterator[int] | list[int]) -> dict[str, list[Row]]:
    """All tables after a life that is looked in at these moments; nothing is left behind."""
    # Either life numbers its rows from 1 on, whatever tests came before.
    call_command("flush", interactive=False, verbosity=0)
    exchange.exchange.clock.set(to_ms(HISTORY_END) + A_MOMENT)
    import_history(HISTORY_END)
    bootstrap()
    for at_ms in moments:
        look_in(exchange, at_ms)
    found = all_tables()
    call_command("flush", interactive=False, verbosity=0)
    return found


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_six_hours_of_downtime_leave_no_trace(
    transactional_db: None, django_db_blocker: DjangoDbBlocker, settings: Any
) -> None:
    settings.ALPHAPULSE_FEEDS = "off"
    closes = list(range(to_ms(HISTORY_END) + QUARTER, to_ms(LIVED_UNTIL) + 1, QUARTER))
    slept = [close for close in closes if not STOPPED_AT < close < BACK_AT]
    assert len(closes) - len(slept) == 23
    with running_exchange(the_market(), start_ms=to_ms(HISTORY_END), frozen=True) as exchange:
        settings.ALPHAPULSE_SPOT_URL = exchange.rest_url
        never_stopped = lived_through(exchange, closes)
        came_back = lived_through(exchange, slept)

    assert {name: len(rows) for name, rows in came_back.items()} == {
        name: len(rows) for name, rows in never_stopped.items()
    }
    for name, rows in never_stopped.items():
        assert came_back[name] == rows, name
    assert len(never_stopped["LearningEvent"]) > 500
    gaps = never_stopped["CandleGap"]
    assert sum("reason='exchange_outage'" in gap for gap in gaps) >= len(SYMBOLS)
    assert any("symbol='ADAUSDT'" in gap and "reason='source_has_no_candle'" in gap for gap in gaps)
