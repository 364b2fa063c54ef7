"""Feeds come from the exchange's wire into the table: right in value, once, never early, and complete or explained."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.jobs import advisory_lock
from alphapulse_site.models import Heartbeat, MarketClock
from ingestion import feeds
from ingestion.candles import to_ms
from ingestion.feed_fetch import LOCK, FeedFetch, fetch_feeds
from ingestion.feeds import DAY_MS, FIVE_MINUTES_MS, HOUR_MS
from ingestion.models import FeedGap, FeedSeries, MarketFeed, QuarantinedMessage, RequestPause, Symbol
from ingestion.rest import ExchangeDownError
from ingestion.tasks import fetch_feeds as fetch_feeds_task
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES
from signals.derivatives import symbol_feeds
from signals.rows import to_ms as signal_ms
from signals.windows import all_readings, feeds_at
from tests.at_once import run_at_once
from tests.ingestion.futures import (
    FNG,
    FUNDING,
    INTEREST,
    NOON,
    NOON_MS,
    PATHS,
    PREMIUM,
    RATIO,
    TAKER,
    Answer,
    Clock,
    Exchange,
    as_json,
    fear_greed,
    moment,
    number_of,
)

BTC = "BTCUSDT"
START_MS = NOON_MS - 4 * DAY_MS

pytestmark = pytest.mark.django_db


@pytest.fixture
def bitcoin(exchange: Exchange) -> Exchange:
    """BTCUSDT on the exchange for days, and active with us."""
    listed(BTC)
    exchange.trade(BTC, START_MS, NOON_MS + 2 * DAY_MS)
    return exchange


def listed(*names: str) -> None:
    Symbol.objects.bulk_create(Symbol(name=name, base_asset=name[:3], quote_asset="USDT") for name in names)


def readings(name: str, symbol: str = BTC) -> dict[int, tuple[float, ...]]:
    rows = MarketFeed.objects.filter(name=name, symbol=symbol)
    return {to_ms(row.as_of): tuple(row.values) for row in rows}


def filling(name: str) -> list[tuple[int, int, int]]:
    """Gaps being filled, in minutes from noon, with their checks."""
    rows = FeedGap.objects.filter(name=name, status="filling").order_by("start")
    return [(minutes(row.start), minutes(row.end), row.checks) for row in rows]


def explained(name: str) -> list[tuple[int, int, str]]:
    rows = FeedGap.objects.filter(name=name, status="explained").order_by("start")
    return [(minutes(row.start), minutes(row.end), row.reason) for row in rows]


def minutes(at: datetime) -> int:
    return (to_ms(at) - NOON_MS) // MINUTE_MS


def run(clock: Clock, **after: float) -> FeedFetch:
    clock.move(**after)
    return fetch_feeds(clock=clock)


def state() -> list[list[tuple[Any, ...]]]:
    """All that fetching writes."""
    tables = (MarketFeed, FeedGap, FeedSeries, QuarantinedMessage, RequestPause)
    return [list(table.objects.order_by("pk").values_list()) for table in tables]


# --- what comes -------------------------------------------------------------------------------------------------------


def test_every_feed_is_stored_with_its_moment_and_its_figures(bitcoin: Exchange, clock: Clock) -> None:
    done = run(clock)

    noon, five = NOON_MS, FIVE_MINUTES_MS
    assert readings(feeds.PREMIUM)[noon] == (float(f"0.000{number_of(noon - five):02d}"),)
    assert readings(feeds.FUNDING)[NOON_MS - 4 * HOUR_MS] == (float(f"0.000{number_of(NOON_MS - 4 * HOUR_MS):02d}"),)
    assert readings(feeds.OPEN_INTEREST)[noon] == (20_000.5 + number_of(noon), (20_000 + number_of(noon)) * 7000 + 0.25)
    assert readings(feeds.LONG_SHORT)[noon] == (float(f"1.{number_of(noon):02d}"),)
    assert readings(feeds.TAKER_RATIO)[noon] == (number_of(noon - five) + 0.25, 0.0)
    assert set(MarketFeed.objects.values_list("available_at", flat=True)) == {NOON}
    assert (done.stored, done.open_gaps, done.still_due) == (MarketFeed.objects.count(), 0, 0)
    assert filling(feeds.PREMIUM) == explained(feeds.PREMIUM) == []


@pytest.mark.parametrize("name", [feeds.PREMIUM, feeds.OPEN_INTEREST, feeds.LONG_SHORT, feeds.TAKER_RATIO])
def test_two_days_of_a_regular_feed_are_there_and_nothing_that_still_runs(
    bitcoin: Exchange, clock: Clock, name: str
) -> None:
    run(clock)

    grid = set(range(NOON_MS - 2 * DAY_MS, NOON_MS + 1, FIVE_MINUTES_MS))
    assert set(readings(name)) - {min(grid) - FIVE_MINUTES_MS} == grid
    assert bitcoin.requests


def test_an_exchange_that_does_not_count_the_start_in_hides_no_reading(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.counts_start_in = False

    run(clock)
    run(clock, minutes=5)

    for source in feeds.FUTURES_FEEDS:
        assert source.first_moment(NOON_MS, 2 * DAY_MS) in readings(source.name), source.name
    assert not FeedGap.objects.exists()
    assert NOON_MS + FIVE_MINUTES_MS in readings(feeds.TAKER_RATIO)


def test_the_figures_reach_the_heads_in_their_units(bitcoin: Exchange, clock: Clock) -> None:
    """The layout that is stored is the one signals.derivatives reads."""
    run(clock)

    stored = all_readings([source.name for source in feeds.FUTURES_FEEDS])
    seen = symbol_feeds([BTC], stored).seen_at(np.array([BTC]), np.array([signal_ms(NOON)]), 15 * MINUTE_MS)

    assert {name: bool(np.isfinite(value[0])) for name, value in seen.items()} == {
        "crypto.funding": True,
        "crypto.basis": True,
        "crypto.open_interest_change": True,
        "crypto.price_change": True,
        "crypto.long_short": True,
        # The exchange of these tests knows buyers only, and nothing sold is no ratio.
        "crypto.taker_ratio": False,
    }
    now, before = (20_000.5 + number_of(NOON_MS - back) for back in (0, DAY_MS))
    assert seen["crypto.open_interest_change"][0] == pytest.approx(now / before - 1)


def test_funding_of_every_four_hours_is_told_per_eight(exchange: Exchange, clock: Clock) -> None:
    listed(BTC)
    exchange.trade(BTC, START_MS, NOON_MS + DAY_MS, every_hours=4)
    run(clock)

    _, own = feeds_at(TIMEFRAMES["15m"], NOON + timedelta(minutes=14), [BTC])

    rate = own.seen_at(np.array([BTC]), np.array([signal_ms(NOON)]), 15 * MINUTE_MS)["crypto.funding"][0]
    assert rate == pytest.approx(2 * float(f"0.000{number_of(NOON_MS):02d}"))


def test_a_fresh_reading_costs_one_small_request_for_each_feed(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)
    run(clock, minutes=5)
    bitcoin.requests.clear()

    done = run(clock, minutes=5)

    assert sorted(path for path, _ in bitcoin.requests) == sorted(set(PATHS) - {FUNDING})
    assert {query["limit"] for _, query in bitcoin.requests} == {"3"}
    assert done.stored == 4


def test_funding_is_asked_for_every_hour_since_its_rhythm_may_change(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)
    bitcoin.rows[FUNDING, BTC][NOON_MS + HOUR_MS] = bitcoin.rows[FUNDING, BTC][NOON_MS - 4 * HOUR_MS + 3] | {
        "fundingTime": NOON_MS + HOUR_MS
    }

    run(clock, minutes=65)

    assert NOON_MS + HOUR_MS in readings(feeds.FUNDING)


def test_an_index_from_outside_is_stored_if_there_is_an_address(bitcoin: Exchange, clock: Clock, settings: Any) -> None:
    settings.ALPHAPULSE_FEAR_GREED_URL = bitcoin.url + FNG
    bitcoin.rows[FNG, ""] = fear_greed(9)

    run(clock)

    midnight = NOON_MS - 12 * HOUR_MS
    assert readings(feeds.EXTERNAL, "")[midnight] == (48.0,)
    assert set(readings(feeds.EXTERNAL, "")) >= {midnight - days * DAY_MS for days in range(3)}
    market, _ = feeds_at(TIMEFRAMES["15m"], NOON + timedelta(minutes=14), [BTC])
    assert market[feeds.EXTERNAL].values[-1] == 48.0


def test_without_an_address_there_is_no_index(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)

    assert bitcoin.asked(FNG) == []
    assert not FeedSeries.objects.filter(name=feeds.EXTERNAL).exists()


# --- when it may be used ----------------------------------------------------------------------------------------------


def test_a_running_kline_is_stored_only_once_it_has_closed(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)
    stamp = NOON_MS
    running = bitcoin.rows[PREMIUM, BTC][stamp]
    assert any(int(query["endTime"]) < stamp for query in bitcoin.asked(PREMIUM))
    bitcoin.instead = lambda path, query: as_json([running]) if path == PREMIUM else None

    run(clock, minutes=3, seconds=59)
    assert NOON_MS + FIVE_MINUTES_MS not in readings(feeds.PREMIUM)
    run(clock, minutes=1, seconds=1)
    assert NOON_MS + FIVE_MINUTES_MS in readings(feeds.PREMIUM)


def test_a_machine_whose_clock_is_ahead_does_not_take_a_running_kline_for_closed(
    bitcoin: Exchange, clock: Clock
) -> None:
    bitcoin.date = "Mon, 10 Mar 2025 11:58:00 GMT"

    run(clock)

    assert max(readings(feeds.PREMIUM)) == NOON_MS - FIVE_MINUTES_MS
    assert MarketFeed.objects.order_by("available_at")[0].available_at == NOON


def test_a_machine_whose_clock_is_behind_does_not_make_readings_usable_early(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.date = "Mon, 10 Mar 2025 13:00:00 GMT"

    run(clock)

    assert set(MarketFeed.objects.values_list("available_at", flat=True)) == {NOON + timedelta(minutes=59)}
    assert max(readings(feeds.OPEN_INTEREST)) == NOON_MS


def test_the_database_refuses_a_reading_that_was_there_before_its_moment() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        MarketFeed.objects.create(name="x", as_of=NOON, available_at=NOON - timedelta(seconds=1), values=[1.0])


def test_a_hole_in_the_middle_is_filled_and_seen_by_no_decision_before(bitcoin: Exchange, clock: Clock) -> None:
    lost = [NOON_MS - 4 * FIVE_MINUTES_MS, NOON_MS - 3 * FIVE_MINUTES_MS]
    kept = [bitcoin.lose(RATIO, BTC, stamp) for stamp in lost]
    run(clock)
    assert filling(feeds.LONG_SHORT) == [(-20, -10, 1)]
    bitcoin.rows[RATIO, BTC].update(zip(lost, kept, strict=True))

    run(clock, minutes=5)

    late = MarketFeed.objects.filter(name=feeds.LONG_SHORT, as_of__in=[moment(each) for each in lost])
    assert set(late.values_list("available_at", flat=True)) == {NOON + timedelta(minutes=5)}
    assert (filling(feeds.LONG_SHORT), explained(feeds.LONG_SHORT)) == ([], [])
    for close, expected in ((NOON + timedelta(minutes=4), set()), (NOON + timedelta(minutes=5), set(lost))):
        _, own = feeds_at(TIMEFRAMES["15m"], close, [BTC])
        assert set(own.feeds["crypto.long_short"].as_of_ms.tolist()) & set(lost) == expected


def test_what_was_stored_first_counts(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)
    first = readings(feeds.OPEN_INTEREST)[NOON_MS]
    bitcoin.rows[INTEREST, BTC][NOON_MS] |= {"sumOpenInterest": "1.0"}

    run(clock, minutes=5)

    assert readings(feeds.OPEN_INTEREST)[NOON_MS] == first
    assert MarketFeed.objects.get(name=feeds.OPEN_INTEREST, as_of=moment(NOON_MS)).available_at == NOON


def test_a_row_that_comes_twice_is_stored_once(bitcoin: Exchange, clock: Clock) -> None:
    row = bitcoin.rows[INTEREST, BTC][NOON_MS]
    bitcoin.instead = lambda path, query: as_json([row, row]) if path == INTEREST else None

    run(clock)

    assert readings(feeds.OPEN_INTEREST) == {
        NOON_MS: (20_000.5 + number_of(NOON_MS), float(row["sumOpenInterestValue"]))
    }


# --- what does not come -----------------------------------------------------------------------------------------------


def test_a_reading_that_never_comes_is_explained_after_three_checks(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.lose(TAKER, BTC, NOON_MS - HOUR_MS)

    for checks in (1, 2):
        run(clock, minutes=5)
        assert filling(feeds.TAKER_RATIO) == [(-55, -50, checks)]
    done = run(clock, minutes=5)

    assert (done.explained, filling(feeds.TAKER_RATIO)) == (1, [])
    assert explained(feeds.TAKER_RATIO) == [(-55, -50, "source_has_no_reading")]
    gap = FeedGap.objects.get()
    assert (gap.checks, gap.evidence["endpoint"]) == (3, "futures_taker_longshort_ratio")
    assert gap.evidence["before"]["as_of"] < "2025-03-10T11:05" < gap.evidence["after"]["as_of"]
    bitcoin.requests.clear()
    run(clock, minutes=5)
    assert [query["limit"] for query in bitcoin.asked(TAKER)] == ["3"]


def test_a_reading_that_is_late_is_waited_for_and_then_looked_for(bitcoin: Exchange, clock: Clock) -> None:
    late = bitcoin.lose(INTEREST, BTC, NOON_MS)
    run(clock)
    assert filling(feeds.OPEN_INTEREST) == []
    run(clock, minutes=10)
    assert filling(feeds.OPEN_INTEREST) == [(0, 5, 1)]
    bitcoin.rows[INTEREST, BTC][NOON_MS] = late

    run(clock, minutes=5)

    assert NOON_MS in readings(feeds.OPEN_INTEREST)
    assert filling(feeds.OPEN_INTEREST) == explained(feeds.OPEN_INTEREST) == []


def test_a_feed_that_falls_silent_becomes_one_gap_that_grows(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)
    for stamp in [stamp for stamp in bitcoin.rows[RATIO, BTC] if stamp > NOON_MS]:
        bitcoin.lose(RATIO, BTC, stamp)

    for _ in range(12):
        run(clock, minutes=5)

    assert explained(feeds.LONG_SHORT) == [(5, 45, "source_has_no_reading")]
    assert filling(feeds.LONG_SHORT) == [(45, 50, 2), (50, 55, 1)]


def test_a_payment_that_lacks_is_found_by_the_rhythm_of_its_contract(exchange: Exchange, clock: Clock) -> None:
    listed(BTC)
    exchange.trade(BTC, START_MS, NOON_MS + DAY_MS, every_hours=4)
    paid = exchange.lose(FUNDING, BTC, NOON_MS - 8 * HOUR_MS + 3)
    run(clock)
    assert filling(feeds.FUNDING) == [(-480, -240, 1)]
    exchange.rows[FUNDING, BTC][NOON_MS - 8 * HOUR_MS + 3] = paid

    run(clock, hours=1)

    assert NOON_MS - 8 * HOUR_MS in readings(feeds.FUNDING)
    assert filling(feeds.FUNDING) == explained(feeds.FUNDING) == []


def test_eight_hours_without_a_payment_are_no_hole(bitcoin: Exchange, clock: Clock) -> None:
    for _ in range(13):
        run(clock, hours=2)

    assert filling(feeds.FUNDING) == explained(feeds.FUNDING) == []
    assert {as_of % DAY_MS for as_of in readings(feeds.FUNDING)} == {0, 8 * HOUR_MS, 16 * HOUR_MS}


def test_what_the_exchange_does_not_keep_that_long_is_explained_without_asking(
    bitcoin: Exchange, clock: Clock, settings: Any
) -> None:
    settings.ALPHAPULSE_FEED_HISTORY_DAYS = 40

    run(clock)

    (start, end, reason) = explained(feeds.OPEN_INTEREST)[0]
    assert (start, end, reason) == (-40 * 1440, -28 * 1440 + 5, "beyond_retention")
    assert min(int(query["startTime"]) for query in bitcoin.asked(INTEREST)) >= NOON_MS - 28 * DAY_MS
    assert explained(feeds.PREMIUM) == []


def test_a_long_hole_is_asked_for_in_pages_the_newest_first(bitcoin: Exchange, clock: Clock, settings: Any) -> None:
    settings.ALPHAPULSE_FEED_HISTORY_DAYS = 4
    bitcoin.trade(BTC, START_MS - DAY_MS, START_MS)

    run(clock)

    asked = [(int(query["startTime"]), int(query["limit"])) for query in bitcoin.asked(INTEREST)]
    assert [limit for _, limit in asked] == sorted((limit for _, limit in asked))
    assert asked == sorted(asked, reverse=True)
    assert max(limit for _, limit in asked) == 500
    assert len(readings(feeds.OPEN_INTEREST)) >= 4 * 288
    assert filling(feeds.OPEN_INTEREST) == []


def test_a_run_that_is_cut_short_goes_on_where_it_stopped(bitcoin: Exchange, clock: Clock, settings: Any) -> None:
    settings.ALPHAPULSE_FEED_HISTORY_DAYS = 4
    settings.ALPHAPULSE_FEED_REQUESTS = 1
    bitcoin.trade(BTC, START_MS - DAY_MS, START_MS)

    first = run(clock)
    for _ in range(30):
        run(clock, minutes=5)
    settings.ALPHAPULSE_FEED_REQUESTS = 300
    last = run(clock, minutes=5)

    assert (first.requests, first.still_due) == (1, 5)
    assert (last.still_due, last.open_gaps) == (0, 0)
    assert FeedGap.objects.count() == 0
    for source in feeds.FUTURES_FEEDS:
        assert len(readings(source.name)) >= 4 * DAY_MS // source.longest_ms


# --- symbols without a contract ---------------------------------------------------------------------------------------


def test_a_symbol_without_a_contract_is_not_asked_for_again_for_a_day(bitcoin: Exchange, clock: Clock) -> None:
    listed("SPOTUSDT")

    first = run(clock)
    for _ in range(4):
        run(clock, minutes=5)
    asked = [query for _, query in bitcoin.requests if query["symbol"] == "SPOTUSDT"]

    assert (len(asked), first.not_listed) == (1, 1)
    gaps = FeedGap.objects.filter(symbol="SPOTUSDT")
    assert {gap.reason for gap in gaps} == {"not_listed"}
    assert gaps.count() == 5
    assert readings(feeds.PREMIUM)


def test_a_symbol_that_gets_a_contract_is_found_the_next_day(bitcoin: Exchange, clock: Clock) -> None:
    listed("SPOTUSDT")
    run(clock)
    bitcoin.trade("SPOTUSDT", NOON_MS + 12 * HOUR_MS, NOON_MS + 2 * DAY_MS)

    run(clock, days=1)

    assert len(readings(feeds.PREMIUM, "SPOTUSDT")) == 12 * 12
    assert len(readings(feeds.TAKER_RATIO, "SPOTUSDT")) == 12 * 12


def test_a_symbol_that_is_still_unknown_lengthens_its_gap(bitcoin: Exchange, clock: Clock) -> None:
    listed("SPOTUSDT")
    run(clock)
    run(clock, days=1)

    gap = FeedGap.objects.get(symbol="SPOTUSDT", name=feeds.PREMIUM)
    assert (gap.reason, gap.checks, gap.end - gap.start) == ("not_listed", 2, timedelta(days=3, minutes=-5))


# --- answers of no use ------------------------------------------------------------------------------------------------


def told(path: str, answer: Answer) -> Callable[[str, dict[str, str]], Answer | None]:
    return lambda got, query: answer if got == path else None


@pytest.mark.parametrize(
    ("figure", "reason"),
    [
        ("NaN", "sumOpenInterest is not a finite number"),
        (float("inf"), "sumOpenInterest is not a finite number"),
        ("1e400", "sumOpenInterest is not a finite number"),
        ("1_000", "sumOpenInterest is not a finite number"),
        (None, "sumOpenInterest is not a finite number"),
        (True, "sumOpenInterest is not a finite number"),
        ("", "sumOpenInterest is not a finite number"),
        ("-5", "sumOpenInterest is zero or negative"),
        (0, "sumOpenInterest is zero or negative"),
    ],
)
def test_a_figure_that_cannot_be_is_quarantined_and_its_moment_stays_open(
    bitcoin: Exchange, clock: Clock, figure: Any, reason: str
) -> None:
    stamp = NOON_MS - HOUR_MS
    bitcoin.rows[INTEREST, BTC][stamp] |= {"sumOpenInterest": figure}

    done = run(clock)

    kept = QuarantinedMessage.objects.get()
    assert (kept.reason, kept.file, kept.source) == (reason, "crypto.open_interest BTCUSDT", "rest")
    assert str(stamp) in kept.payload
    assert (done.refused_rows, filling(feeds.OPEN_INTEREST)) == (1, [(-60, -55, 1)])
    assert stamp not in readings(feeds.OPEN_INTEREST)


def test_a_row_that_stays_refused_is_quarantined_once_and_explained_by_that(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.rows[INTEREST, BTC][NOON_MS - HOUR_MS] |= {"sumOpenInterest": "NaN"}

    for _ in range(4):
        run(clock, minutes=5)

    assert QuarantinedMessage.objects.count() == 1
    assert explained(feeds.OPEN_INTEREST) == [(-60, -55, "reading_quarantined")]


@pytest.mark.parametrize(
    "body",
    [b'[{"symbol":"BTCUSDT","sumOpenInt', b'{"a":1}', b"", b"null", b"[" * 5000, b"\x00\xff", b"[[1,2],3,null]"],
)
def test_an_answer_that_cannot_be_read_is_kept_and_stops_nobody_else(
    bitcoin: Exchange, clock: Clock, body: bytes
) -> None:
    bitcoin.instead = told(INTEREST, (200, {}, body))

    done = run(clock)

    assert done.useless_answers + (done.refused_rows > 0) == 1
    assert QuarantinedMessage.objects.exists()
    assert readings(feeds.OPEN_INTEREST) == {}
    assert len(readings(feeds.LONG_SHORT)) > 500
    bitcoin.instead = lambda path, query: None
    run(clock, minutes=5)
    assert len(readings(feeds.OPEN_INTEREST)) > 500


def test_a_refused_request_is_told_and_stops_nobody_else(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.instead = told(INTEREST, as_json({"code": -1130, "msg": "parameter 'startTime' is invalid."}, 400))

    done = run(clock)

    assert (done.useless_answers, len(readings(feeds.TAKER_RATIO)) > 500) == (1, True)
    assert "startTime" in FeedSeries.objects.get(name=feeds.OPEN_INTEREST).error
    # Nobody has confirmed that the readings do not exist.
    assert {checks for _, _, checks in filling(feeds.OPEN_INTEREST)} == {0}


def test_fields_nobody_knows_change_nothing(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.rows[RATIO, BTC][NOON_MS] |= {"aNewField": {"deep": [1, 2, 3]}}
    bitcoin.rows[PREMIUM, BTC][NOON_MS - FIVE_MINUTES_MS] += ["one more", 5]

    run(clock)

    assert NOON_MS in readings(feeds.LONG_SHORT)
    assert NOON_MS in readings(feeds.PREMIUM)
    assert not QuarantinedMessage.objects.exists()


def test_a_source_that_is_down_does_not_keep_the_others_waiting(bitcoin: Exchange, clock: Clock, settings: Any) -> None:
    """Nor does one feed of the exchange that fails every time: the next run begins with those after it."""
    settings.ALPHAPULSE_FEAR_GREED_URL = bitcoin.url.replace("127.0.0.1", "localhost") + FNG
    bitcoin.rows[FNG, ""] = fear_greed(9)
    bitcoin.instead = told(PREMIUM, (502, {}, b"<html>bad gateway</html>"))

    first, second = run(clock), run(clock, seconds=1)

    assert (len(first.down), second.down) == (1, [])
    assert readings(feeds.EXTERNAL, "")
    assert len(readings(feeds.TAKER_RATIO)) > 500
    assert filling(feeds.PREMIUM)[0][2] == 0


# --- pauses -----------------------------------------------------------------------------------------------------------


def test_while_a_host_wants_quiet_no_process_asks_it(bitcoin: Exchange, clock: Clock) -> None:
    bitcoin.instead = lambda path, query: as_json({"code": -1003, "msg": "Too much."}, 429, Retry_After="600")

    first = run(clock)
    bitcoin.instead = lambda path, query: None
    quiet = [run(clock, minutes=each) for each in (1, 4, 4)]

    assert len(bitcoin.requests) == 1
    assert [each.requests for each in quiet] == [0, 0, 0]
    assert first.paused == quiet[0].paused
    assert RequestPause.objects.get().until == NOON + timedelta(seconds=600)
    # What lacks is on record meanwhile.
    assert filling(feeds.LONG_SHORT) == [(-2880, 5, 0)]
    run(clock, minutes=2)
    assert len(readings(feeds.LONG_SHORT)) > 500


@pytest.mark.django_db(transaction=True)
def test_a_pause_holds_for_processes_that_did_not_see_it(
    bitcoin: Exchange, clock: Clock, process_environment: dict[str, str]
) -> None:
    bitcoin.instead = lambda path, query: as_json({"code": -1003, "msg": "Too much."}, 418, Retry_After="7200")
    run(clock)

    answers = run_at_once(in_a_process(clock), process_environment | in_environment(bitcoin), count=2)

    assert len(bitcoin.requests) == 1
    assert answers == [0, 0]


def in_environment(exchange: Exchange) -> dict[str, str]:
    return {"ALPHAPULSE_FEEDS": "auto", "ALPHAPULSE_FUTURES_URL": exchange.url}


def in_a_process(clock: Clock) -> str:
    return f"""
from datetime import datetime
from ingestion.feed_fetch import fetch_feeds
now = datetime.fromisoformat({clock.now.isoformat()!r})
answer = fetch_feeds(clock=lambda: now).stored
"""


# --- twice, and not at all --------------------------------------------------------------------------------------------


def test_a_second_run_at_the_same_time_changes_nothing(bitcoin: Exchange, clock: Clock) -> None:
    listed("SPOTUSDT")
    bitcoin.lose(TAKER, BTC, NOON_MS - HOUR_MS)
    bitcoin.rows[INTEREST, BTC][NOON_MS - HOUR_MS] |= {"sumOpenInterest": "NaN"}
    run(clock)
    before, asked = state(), len(bitcoin.requests)

    again = run(clock, seconds=10)

    assert (again.requests, len(bitcoin.requests)) == (0, asked)
    assert state() == before


@pytest.mark.django_db(transaction=True)
def test_runs_in_several_processes_at_once_store_everything_once(
    bitcoin: Exchange, clock: Clock, process_environment: dict[str, str]
) -> None:
    answers = run_at_once(in_a_process(clock), process_environment | in_environment(bitcoin), count=3)

    assert sum(answers) == MarketFeed.objects.count()
    assert len(bitcoin.requests) == len(set(map(str, bitcoin.requests))) == 9
    assert not FeedGap.objects.exists()
    assert run(clock, seconds=1).requests == 0


@pytest.mark.django_db(transaction=True)
def test_a_run_beside_another_leaves_it_the_work(
    bitcoin: Exchange, clock: Clock, process_environment: dict[str, str]
) -> None:
    with advisory_lock(LOCK):
        (answer,) = run_at_once(in_a_process(clock), process_environment | in_environment(bitcoin), count=1)

    assert (answer, bitcoin.requests) == (0, [])


def test_in_a_recording_nothing_is_fetched_and_the_sign_of_life_says_so(bitcoin: Exchange) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(datetime.fromisoformat("2021-07-01T00:00:00+00:00"))

    fetch_feeds_task()

    assert Heartbeat.objects.get(name="feed_fetch").figures == {"why_not": "the market is a recording"}
    assert (bitcoin.requests, FeedSeries.objects.count()) == ([], 0)


def test_feeds_can_be_switched_off_and_on(bitcoin: Exchange, clock: Clock, settings: Any) -> None:
    settings.ALPHAPULSE_FEEDS = "off"
    assert run(clock).figures() == {"why_not": "feeds are switched off"}
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    settings.ALPHAPULSE_FEEDS = "on"
    assert run(clock).stored > 0


def test_the_task_leaves_a_sign_of_life_with_its_figures(exchange: Exchange) -> None:
    fetch_feeds_task()

    figures = Heartbeat.objects.get(name="feed_fetch").figures
    assert (figures["requests"], figures["stored"], figures["paused"]) == (0, 0, {})


def test_only_an_exchange_that_is_down_makes_the_task_try_again(bitcoin: Exchange) -> None:
    bitcoin.instead = lambda path, query: (503, {}, b"")

    with pytest.raises(ExchangeDownError):
        fetch_feeds_task()

    assert "answers 503" in Heartbeat.objects.get(name="feed_fetch").figures["down"][0]
    bitcoin.instead = lambda path, query: as_json({"code": -1003, "msg": "Too much."}, 429)
    fetch_feeds_task()
    assert len(Heartbeat.objects.get(name="feed_fetch").figures["paused"]) == 1
    assert fetch_feeds_task.autoretry_for == (ExchangeDownError,)


def test_a_symbol_that_is_scanned_no_more_is_fetched_no_more(bitcoin: Exchange, clock: Clock) -> None:
    run(clock)
    Symbol.objects.update(is_active=False)
    bitcoin.requests.clear()

    run(clock, minutes=5)

    assert bitcoin.requests == []
