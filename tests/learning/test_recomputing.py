"""Which signals the serial gates knew to have ended, when that came to light later than it happened."""

from collections.abc import Sequence

import pytest
from django.utils import timezone

from ingestion.revisions import Change, Delisting
from ingestion.timeframes import FIGURES, MINUTE_MS, Candles
from learning.recomputing import past_in
from learning.spells import Event, Gone
from learning.views import Market
from signals import services
from signals.models import Signal
from signals.rows import to_time
from signals.services.decide import store_decisions
from tests.signals.decided import QUARTER, decided_at, store_market
from tests.signals.market import START_MS, Row, candles

FLAT: Row = (100.0, 100.05, 99.95, 100.0)
OPENED_MS = START_MS + 60 * MINUTE_MS
TOUCHED = 100
CLOSE_MS = START_MS + 120 * MINUTE_MS
NOTED = timezone.now()

pytestmark = pytest.mark.django_db


def lived() -> dict[str, Candles]:
    """A signal of minute 60 that reached its target in minute 100."""
    rows = [FLAT] * 180
    rows[TOUCHED] = (100.0, 101.5, 99.95, 100.0)
    minutes = {"BTCUSDT": candles(rows)}
    until = store_market(minutes)
    store_decisions(decided_at(OPENED_MS, {"BTCUSDT": 100.0}), QUARTER, 1)
    services.track(Signal, until=until)
    return minutes


def known_exit(minutes: dict[str, Candles], events: Sequence[Event], gone: Sequence[Delisting] = ()) -> int | None:
    """When the signal had ended, as far as that was known at minute 120 before these events."""
    market = Market(minutes, START_MS + 180 * MINUTE_MS, {}, {"BTCUSDT": gone} if gone else {})
    (signal,) = past_in(market.before(events), QUARTER, CLOSE_MS)
    return None if signal.exit_ms is None else (signal.exit_ms - START_MS) // MINUTE_MS


def fill(first: int, last: int) -> Change:
    return Change("BTCUSDT", START_MS + first * MINUTE_MS, START_MS + last * MINUTE_MS, NOTED, NOTED)


def test_without_late_news_it_ended_when_it_ended() -> None:
    assert known_exit(lived(), []) == TOUCHED + 1


def test_what_a_hole_hid_had_not_ended_yet() -> None:
    assert known_exit(lived(), [fill(95, 125)]) is None


def test_a_hole_that_came_later_hid_nothing() -> None:
    assert known_exit(lived(), [fill(101, 125)]) == TOUCHED + 1


def test_a_candle_corrected_later_may_have_ended_it_at_another_time() -> None:
    minutes = lived()
    before = tuple(float(getattr(minutes["BTCUSDT"], name)[90]) for name in FIGURES)
    higher = (before[0], 101.5, *before[2:])
    start_ms = START_MS + 90 * MINUTE_MS

    assert known_exit(minutes, [Change("BTCUSDT", start_ms, start_ms + MINUTE_MS, NOTED, NOTED, higher)]) == 91


def test_a_delisting_that_nobody_had_noticed_had_ended_nothing() -> None:
    minutes = lived()
    delisting = Delisting(START_MS + 80 * MINUTE_MS, NOTED)
    Signal.objects.update(outcome="void", exit_at=to_time(delisting.at_ms), net_r=None)
    until_delisting = {"BTCUSDT": minutes["BTCUSDT"].between(0, delisting.at_ms)}

    assert known_exit(until_delisting, [], [delisting]) == 80
    assert known_exit(until_delisting, [Gone("BTCUSDT", delisting)], [delisting]) is None
