"""Look, decide, track against the database: each step once, whoever runs it, however late."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import models
from django.utils import timezone

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import JobRun, MarketClock
from ingestion.candles import store_candles
from ingestion.models import CandleGap, CandleSource, MarketFeed, Symbol
from ingestion.timeframes import MINUTE_MS, Candles
from learning import selectors as learning
from learning.versions import create_version, ensure_birth, weights_content
from signals import services
from signals.consensus import Weights
from signals.gates import Thresholds
from signals.heads import HEADS
from signals.models import Position, RejectedSignal, ScanClose, ScanHistory, Signal
from signals.rows import set_outcome, to_ms, to_time
from signals.selectors import decided_until
from signals.services.decide import store_decisions
from signals.services.positions import ACCOUNT, equity
from signals.services.track import track_together
from signals.version import Version
from tests.at_once import run_at_once
from tests.signals.decided import EAGER, HEAD_NAMES, QUARTER, decided_at, end_of, store_market
from tests.signals.market import START_MS, candles, random_walk

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
SIX_DAYS = 6 * 1440
WEIGHTS = Version(Weights.at_birth(HEAD_NAMES), Thresholds(), 1, 1)
LIMIT = timedelta(hours=24)
DECISIONS: tuple[type[models.Model], ...] = (ScanHistory, Signal, RejectedSignal, Position, MarketFeed, ScanClose)


def market(minutes: int = SIX_DAYS, symbols: tuple[str, ...] = SYMBOLS) -> dict[str, Candles]:
    return {symbol: random_walk(minutes, seed) for seed, symbol in enumerate(symbols)}


def looked_at(close: datetime, version: Version = WEIGHTS) -> list[bool]:
    """Open a close and look at all its chunks."""
    services.first_try(close=close)
    chunks = services.open_close(close=close, version=version)
    return [services.look_chunk(close=close, chunk=chunk, version=version) for chunk in chunks]


def contents(*tables: type[models.Model]) -> dict[str, list[str]]:
    """All that the tables say, in one order; as texts, since NaN is not equal to itself."""
    found = {}
    for table in tables or DECISIONS:
        rows = [
            {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}
            for row in table._default_manager.values()
        ]
        found[table.__name__] = sorted(map(repr, rows))
    return found


def start_closes(*closes: datetime) -> None:
    for close in closes:
        ScanClose.objects.create(timeframe="15m", close_time=close, decided_at=timezone.now())


# --- look and decide --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_step_of_a_close_may_be_done_twice(settings: Any) -> None:
    settings.ALPHAPULSE_SCAN_CHUNK = 2
    close = store_market(market())

    looked_at(close)
    after_look = contents()
    again = [services.look_chunk(close=close, chunk=chunk, version=WEIGHTS) for chunk in (0, 1, 0)]
    assert services.open_close(close=close, version=EAGER) == []
    assert (again, contents()) == ([False] * 3, after_look)

    assert services.decide_close(close=close, version=WEIGHTS) is not None
    after_decision = contents()
    assert services.decide_close(close=close, version=EAGER) is None
    assert services.open_close(close=close, version=EAGER) == []
    assert [services.look_chunk(close=close, chunk=chunk, version=EAGER) for chunk in (0, 1)] == [False, False]
    assert contents() == after_decision
    assert ScanHistory.objects.filter(scan_id__isnull=False, rejection__isnull=False).count() == 3


@pytest.mark.django_db
def test_the_last_of_two_chunks_says_that_the_close_is_looked_at(settings: Any) -> None:
    settings.ALPHAPULSE_SCAN_CHUNK = 2
    close = store_market(market())

    said = looked_at(close)

    assert said == [False, True]
    assert services.opened(close=close).chunks == [["BTCUSDT", "ETHUSDT"], ["SOLUSDT"]]
    assert list(ScanHistory.objects.order_by("symbol").values_list("symbol", flat=True)) == list(SYMBOLS)


@pytest.mark.django_db
def test_nothing_is_decided_before_every_chunk_has_looked(settings: Any) -> None:
    settings.ALPHAPULSE_SCAN_CHUNK = 2
    close = store_market(market())
    services.first_try(close=close)
    assert services.decide_close(close=close, version=WEIGHTS) is None
    services.open_close(close=close, version=WEIGHTS)
    services.look_chunk(close=close, chunk=1, version=WEIGHTS)

    assert services.decide_close(close=close, version=WEIGHTS) is None

    assert ScanHistory.objects.filter(rejection=None).count() == 1
    assert not Signal.objects.exists()
    assert not RejectedSignal.objects.exists()
    assert services.open_close(close=close, version=WEIGHTS) == [0]


@pytest.mark.django_db
def test_closes_are_due_one_after_the_other_as_far_as_the_clock_has_come() -> None:
    assert services.next_due_close() is not None  # on the wall clock
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    assert services.next_due_close() is None
    noon = to_time(START_MS + 12 * 60 * MINUTE_MS)

    advance_market_clock(noon + timedelta(minutes=14))
    assert services.next_due_close() == noon
    start_closes(noon)
    assert services.next_due_close() is None
    advance_market_clock(noon + timedelta(minutes=50))

    assert services.next_due_close() == noon + timedelta(minutes=15)


@pytest.mark.django_db
def test_each_chunk_follows_the_shadows_of_its_symbols_and_leaves_none_for_the_decision(settings: Any) -> None:
    settings.ALPHAPULSE_SCAN_CHUNK = 2
    minutes = market()
    close = store_market(minutes)
    earlier = close - timedelta(hours=30)
    hold(minutes, earlier, version=SHY)
    services.first_try(close=close)
    services.open_close(close=close, version=WEIGHTS)

    services.look_chunk(close=close, chunk=1, version=WEIGHTS)
    read = dict(RejectedSignal.objects.values_list("symbol", "checked_until"))
    assert read == {"BTCUSDT": earlier, "ETHUSDT": earlier, "SOLUSDT": close}

    services.look_chunk(close=close, chunk=0, version=WEIGHTS)
    followed = ends(RejectedSignal)
    assert all(dict(row)["outcome"] for row in followed)
    assert services.track(RejectedSignal, until=close) == 0
    assert ends(RejectedSignal) == followed


@pytest.mark.django_db
def test_a_new_system_scans_a_month_for_which_nobody_has_made_room_yet() -> None:
    minutes = market(symbols=("BTCUSDT",))
    ahead = 40 * 365 * 96 // 512 * 512 * QUARTER.ms  # whole blocks, so that as much history stands behind the close
    later = {symbol: replace(walk, open_ms=walk.open_ms + ahead) for symbol, walk in minutes.items()}
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    Symbol.objects.create(
        name="BTCUSDT", base_asset="BTC", quote_asset="USDT", listed_at=to_time(later["BTCUSDT"].open_ms[0])
    )
    store_candles(later, source=CandleSource.STREAM)

    looked_at(end_of(later))

    assert ScanHistory.objects.count() == 1


@pytest.mark.django_db
def test_a_close_without_any_symbol_is_decided_with_nothing() -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    close = to_time(START_MS)

    assert looked_at(close) == []
    assert services.decide_close(close=close, version=WEIGHTS) == 0
    assert decided_until("15m") == close


@pytest.mark.django_db(transaction=True)
def test_four_processes_at_once_decide_a_close_once(process_environment: dict[str, str]) -> None:
    close = store_market(market())
    ensure_birth()
    looked_at(close)
    ScanHistory.objects.update(lean=1, log_odds=0.3, win_probability=0.5, expected_r=0.4)

    answers = run_at_once(
        f"""
from datetime import datetime
from learning import selectors
from signals import services
close = datetime.fromisoformat({close.isoformat()!r})
answer = services.decide_close(close=close, version=selectors.version_of(services.opened(close=close)))
""",
        process_environment,
    )

    assert answers.count(None) == 3
    assert Signal.objects.count() + RejectedSignal.objects.count() == 3
    assert (
        len({row.scan_id for row in RejectedSignal.objects.all()} | {row.scan_id for row in Signal.objects.all()}) == 3
    )


@pytest.mark.django_db(transaction=True)
def test_four_processes_at_once_look_at_a_chunk_once(process_environment: dict[str, str]) -> None:
    close = store_market(market())
    ensure_birth()
    services.first_try(close=close)
    services.open_close(close=close, version=WEIGHTS)

    answers = run_at_once(
        f"""
from datetime import datetime
from learning import selectors
from signals import services
close = datetime.fromisoformat({close.isoformat()!r})
answer = services.look_chunk(close=close, chunk=0, version=selectors.version_of(services.opened(close=close)))
""",
        process_environment,
    )

    assert sorted(answers) == [False, False, False, True]
    assert services.opened(close=close).looked == [0]
    assert ScanHistory.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_a_backlog_is_decided_in_order_by_however_many_workers(process_environment: dict[str, str]) -> None:
    """Chunks come shuffled and twice to four processes, which do what the tasks do until nothing is due."""
    until = store_market(market())
    ensure_birth()
    closes = [until - number * timedelta(minutes=15) for number in range(5, -1, -1)]
    start_closes(closes[0])

    run_at_once(
        """
import random
from learning import selectors
from signals import services
random.seed(number)
answer = 0
while (close := services.next_due_close()) is not None:
    version = selectors.version_for(close, tried_since=services.first_try(close=close))
    chunks = 2 * services.open_close(close=close, version=version)
    random.shuffle(chunks)
    for chunk in chunks:
        if services.look_chunk(close=close, chunk=chunk, version=selectors.version_of(services.opened(close=close))):
            services.decide_close(close=close, version=version)
""",
        process_environment | {"ALPHAPULSE_SCAN_CHUNK": "1"},
    )

    rows = list(ScanClose.objects.filter(close_time__gt=closes[0]).order_by("close_time"))
    assert [row.close_time for row in rows] == closes[1:]
    decided = [row.decided_at for row in rows if row.decided_at]
    assert decided == sorted(decided)
    assert len(decided) == 5
    assert [(sorted(row.looked), row.scans) for row in rows] == [([0, 1, 2], 3)] * 5
    assert ScanHistory.objects.filter(rejection__isnull=False).count() == 5 * 3


# --- the weights of the night -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_scan_waits_for_the_night_and_after_the_deadline_says_that_it_did(settings: Any) -> None:
    ensure_birth()
    evening, morning = to_time(START_MS - 3_600_000), to_time(START_MS + QUARTER.ms)
    start_closes(evening)
    first_try = services.first_try(close=morning)

    too_early = learning.version_for(morning, tried_since=first_try)
    late = learning.version_for(
        morning, tried_since=first_try - timedelta(seconds=settings.ALPHAPULSE_WEIGHTS_DEADLINE)
    )

    assert too_early is None
    assert late is not None
    assert (late.weight_version, late.waited_too_long) == (1, True)


@pytest.mark.django_db
def test_the_nights_weights_are_used_as_soon_as_the_night_is_learned() -> None:
    ensure_birth()
    evening, morning = to_time(START_MS - 3_600_000), to_time(START_MS + QUARTER.ms)
    start_closes(evening)
    learned = Weights(HEAD_NAMES, np.linspace(0.1, 0.5, len(HEADS)), np.zeros(2))
    create_version(
        "head_weights",
        content=weights_content(learned),
        status="active",
        created_by="nightly",
        effective_from=morning,
    )
    now = timezone.now()
    run = JobRun.objects.create(job="daily_learning", period="2021-06-10", status="running", started_at=now)
    assert learning.version_for(morning, tried_since=now) is None

    JobRun.objects.filter(pk=run.pk).update(status="done")
    version = learning.version_for(morning, tried_since=now)
    before = learning.version_for(morning - timedelta(milliseconds=1), tried_since=now)

    assert version is not None
    assert before is not None
    assert (version.weight_version, version.waited_too_long) == (2, False)
    assert (version.weights.beta == learned.beta).all()
    assert before.weight_version == 1


@pytest.mark.django_db
def test_that_a_close_waited_too_long_stands_in_its_scans() -> None:
    close = store_market(market())

    looked_at(close, replace(WEIGHTS, waited_too_long=True))

    assert services.opened(close=close).waited_too_long
    assert ScanHistory.objects.filter(waited_too_long=True).count() == 3


@pytest.mark.django_db
def test_a_close_keeps_the_version_it_was_opened_with() -> None:
    close = store_market(market(symbols=("BTCUSDT",)))
    ensure_birth()
    services.first_try(close=close)
    services.open_close(close=close, version=WEIGHTS)
    learned = Weights(HEAD_NAMES, np.full(len(HEADS), 0.4), np.zeros(2))
    create_version(
        "head_weights", content=weights_content(learned), status="active", created_by="nightly", effective_from=close
    )

    version = learning.version_of(services.opened(close=close))

    assert version.weight_version == 1
    assert (version.weights.beta == 0.2).all()


@pytest.mark.django_db
@pytest.mark.parametrize("names", [HEAD_NAMES[::-1], HEAD_NAMES[:-1], (*HEAD_NAMES, "another")])
def test_weights_keyed_by_other_names_than_the_votes_are_refused(names: tuple[str, ...]) -> None:
    ensure_birth()
    stranger = Weights(names, np.full(len(names), 0.4), np.zeros(2))
    create_version(
        "head_weights",
        content=weights_content(stranger),
        status="active",
        created_by="nightly",
        effective_from=to_time(START_MS),
    )

    with pytest.raises(ValueError, match="version 2 of head_weights weighs the heads"):
        learning.version_for(to_time(START_MS), tried_since=timezone.now())


# --- track ------------------------------------------------------------------------------------------------------------


def hold(minutes: Mapping[str, Candles], opened: datetime, *, version: Version = EAGER, side: int = 1) -> None:
    """Decide for every symbol at `opened`, at the price of that minute; signals where the gates have room."""
    at = to_ms(opened)
    prices = {symbol: float(walk.between(at, at + 1).open[0]) for symbol, walk in minutes.items()}
    store_decisions(decided_at(at, prices, side=side, version=version), QUARTER, version.weight_version)


def ends(model: type[Signal] | type[RejectedSignal]) -> list[tuple[Any, ...]]:
    """How every decision of the table ended, without when it was looked at."""
    rows = model._default_manager.order_by("symbol", "opened_at").values()
    unlike = {"id", "checked_until", "rejection", "scan_id"}
    return [tuple(sorted((name, value) for name, value in row.items() if name not in unlike)) for row in rows]


SHY = replace(EAGER, thresholds=Thresholds(10.0))
OPENED = to_time(START_MS + 60 * MINUTE_MS)


@pytest.mark.django_db
def test_tracking_late_equals_tracking_minute_by_minute() -> None:
    minutes = market(26 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    hold(minutes, OPENED, version=SHY)

    for at in range(to_ms(OPENED), to_ms(until) + 1, MINUTE_MS):
        services.track(RejectedSignal, until=to_time(at))
    step_by_step = ends(RejectedSignal)
    RejectedSignal.objects.all().delete()
    hold(minutes, OPENED, version=SHY)
    services.track(RejectedSignal, until=until)

    assert ends(RejectedSignal) == step_by_step
    assert all(dict(row)["outcome"] and dict(row)["mirror_outcome"] for row in step_by_step)


@pytest.mark.django_db
@pytest.mark.parametrize("wick", ["target", "stop"])
def test_a_wick_during_downtime_ends_a_bracket(wick: str) -> None:
    flat = [(100.0, 100.05, 99.95, 100.0)] * 600
    flat[90] = (100.0, 101.5, 99.95, 100.0) if wick == "target" else (100.0, 100.05, 99.0, 100.0)
    minutes = {"BTCUSDT": candles(flat)}
    until = store_market(minutes)
    hold(minutes, OPENED)
    services.track(Signal, until=to_time(START_MS + 80 * MINUTE_MS))
    assert Signal.objects.get().is_open

    ended = services.track(Signal, until=until)

    signal = Signal.objects.get()
    assert (ended, signal.outcome, signal.exit_at) == (1, wick, to_time(START_MS + 91 * MINUTE_MS))
    assert signal.checked_until == until


@pytest.mark.django_db
def test_a_shadow_ends_as_the_same_lean_would_as_a_signal() -> None:
    minutes = market(30 * 60, ("BTCUSDT",))
    until = store_market(minutes)

    hold(minutes, OPENED)
    services.track(Signal, until=until)
    published = ends(Signal)
    Position.objects.all().delete()
    Signal.objects.all().delete()
    hold(minutes, OPENED, version=SHY)
    services.track(RejectedSignal, until=until)

    assert len(published) == 1
    assert ends(RejectedSignal) == published
    assert RejectedSignal.objects.get().rejection == "low_quality"


@pytest.mark.django_db
def test_what_is_still_open_at_its_limit_ends_by_time() -> None:
    minutes = {"BTCUSDT": candles([(100.0, 100.05, 99.95, 100.0)] * (26 * 60))}
    until = store_market(minutes)
    hold(minutes, OPENED, version=SHY)

    services.track(RejectedSignal, until=OPENED + LIMIT - timedelta(minutes=1))
    assert RejectedSignal.objects.get().is_open
    services.track(RejectedSignal, until=until)

    shadow = RejectedSignal.objects.get()
    assert (shadow.outcome, shadow.mirror_outcome) == ("time", "time")
    assert shadow.exit_at == shadow.mirror_exit_at == OPENED + LIMIT


@pytest.mark.django_db
def test_an_outcome_is_written_once_and_a_second_one_changes_nothing() -> None:
    minutes = market(30 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    hold(minutes, OPENED, version=SHY)
    services.track(RejectedSignal, until=until)
    first = contents(RejectedSignal)

    again = services.track(RejectedSignal, until=until + timedelta(hours=1))

    assert again == 0
    assert contents(RejectedSignal) == first


@pytest.mark.django_db
def test_an_unexplained_gap_stops_tracking_and_an_explained_one_does_not() -> None:
    rows = [(100.0, 100.05, 99.95, 100.0)] * 600
    rows[200] = (100.0, 101.5, 99.95, 100.0)
    minutes = {"BTCUSDT": candles(rows, missing=tuple(range(120, 130)))}
    until = store_market(minutes)
    hold(minutes, OPENED)

    services.track(Signal, until=until)
    stopped = Signal.objects.get()
    CandleGap.objects.create(
        symbol="BTCUSDT",
        start=to_time(START_MS + 120 * MINUTE_MS),
        end=to_time(START_MS + 130 * MINUTE_MS),
        status="explained",
        reason="exchange_outage",
        first_seen=until,
        last_checked=until,
    )
    services.track(Signal, until=until)

    assert stopped.is_open
    assert stopped.checked_until == to_time(START_MS + 120 * MINUTE_MS)
    signal = Signal.objects.get()
    assert (signal.outcome, signal.missing_minutes) == ("target", 10)
    assert signal.exit_at == to_time(START_MS + 201 * MINUTE_MS)


@pytest.mark.django_db
def test_a_bracket_whose_first_minute_does_not_exist_is_void_and_costs_nothing() -> None:
    minutes = {"BTCUSDT": candles([(100.0, 100.05, 99.95, 100.0)] * 300, missing=(60, 61))}
    until = store_market(minutes)
    store_decisions(decided_at(to_ms(OPENED), {"BTCUSDT": 100.0}), QUARTER, 1)
    CandleGap.objects.create(
        symbol="BTCUSDT",
        start=OPENED,
        end=OPENED + timedelta(minutes=2),
        status="explained",
        reason="exchange_outage",
        first_seen=until,
        last_checked=until,
    )

    services.track(Signal, until=until)

    signal = Signal.objects.get()
    assert (signal.outcome, signal.mirror_outcome, signal.entry, signal.net_r) == ("void", "void", None, None)
    assert Position.objects.get().profit == 0.0
    assert equity() == ACCOUNT.start_equity


@pytest.mark.django_db(transaction=True)
def test_four_processes_at_once_record_each_outcome_once(process_environment: dict[str, str]) -> None:
    minutes = market(30 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    opened = [OPENED + number * timedelta(minutes=15) for number in range(12)]
    for at in opened:
        hold(minutes, at, version=SHY, side=1 if at.minute else -1)
    services.track(RejectedSignal, until=until)
    alone = ends(RejectedSignal)
    RejectedSignal.objects.all().delete()
    for at in opened:
        hold(minutes, at, version=SHY, side=1 if at.minute else -1)

    # Polls that started at different times know different minutes and end different brackets first.
    answers = run_at_once(
        f"""
from datetime import datetime, timedelta
from signals import services
from signals.models import RejectedSignal
opened, until = datetime.fromisoformat({OPENED.isoformat()!r}), datetime.fromisoformat({until.isoformat()!r})
answer = 0
for minute in range(20 + 7 * number, int((until - opened).total_seconds() // 60), 31):
    answer += services.track(RejectedSignal, until=opened + timedelta(minutes=minute))
answer += services.track(RejectedSignal, until=until)
""",
        process_environment,
    )

    assert sum(answers) == 12
    assert ends(RejectedSignal) == alone


@pytest.mark.django_db(transaction=True)
def test_polls_that_know_different_minutes_do_not_block_each_other_for_good(
    process_environment: dict[str, str],
) -> None:
    rows = [(100.0, 100.05, 99.95, 100.0)] * 1440
    rows[990], rows[1000] = (100.0, 100.05, 99.8, 100.0), (100.0, 120.0, 99.95, 100.0)
    minutes = {"BTCUSDT": candles(rows)}
    store_market(minutes)
    for number in range(60):
        at = to_ms(OPENED) + number * QUARTER.ms
        # Only the youngest bracket ends at minute 990, the others ten minutes later.
        store_decisions(
            decided_at(at, {"BTCUSDT": 100.0}, version=SHY, stop=0.001 if number == 59 else 0.05), QUARTER, 1
        )
    services.track(RejectedSignal, until=to_time(START_MS + 985 * MINUTE_MS))

    answers = run_at_once(
        f"""
from signals import services
from signals.models import RejectedSignal
from signals.rows import to_time
answer = services.track(RejectedSignal, until=to_time({START_MS} + (995 + 10 * (number % 2)) * 60_000))
""",
        process_environment,
    )

    assert sum(answers) == 60
    assert set(RejectedSignal.objects.values_list("outcome", flat=True)) == {"stop", "target"}
    # A poll that knows more and begins when the youngest has ended has nothing to read for it.
    still_open_at_995 = RejectedSignal.objects.filter(outcome="target")
    assert set(still_open_at_995.values_list("checked_until", flat=True)) == {to_time(START_MS + 1005 * MINUTE_MS)}
    assert len(still_open_at_995) == 59


@pytest.mark.django_db
def test_a_slower_worker_cannot_write_over_an_outcome() -> None:
    minutes = market(30 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    hold(minutes, OPENED, version=SHY)
    stale = RejectedSignal.objects.get()
    services.track(RejectedSignal, until=until)
    first = contents(RejectedSignal)

    assert stale.is_open
    assert track_together(RejectedSignal, [stale], {"BTCUSDT": to_ms(until)}, {}) == 0
    assert contents(RejectedSignal) == first


# --- the paper account ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_positions_open_and_close_once_and_the_equity_adds_up() -> None:
    minutes = market(40 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    for hours in (0, 5, 10):
        at = OPENED + timedelta(hours=hours)
        services.track(Signal, until=at)
        hold(minutes, at)
        hold_again = Signal.objects.filter(opened_at=at)
        services.positions.open_positions([signal.scan_id for signal in hold_again])
    for _ in range(2):
        services.track(Signal, until=until)

    held = list(Position.objects.select_related("signal").order_by("opened_at"))
    assert len(held) == Signal.objects.count() == 3
    total = ACCOUNT.start_equity
    for position in held:
        signal = position.signal
        assert position.closed_at == signal.exit_at
        assert signal.entry is not None
        assert signal.exit_price is not None
        assert position.profit is not None
        by_hand = position.quantity * signal.direction * (signal.exit_price - signal.entry)
        by_hand -= position.quantity * 0.001 * (signal.exit_price + signal.entry)
        assert position.profit == pytest.approx(by_hand, rel=1e-9)
        assert position.quantity * signal.risk <= ACCOUNT.risk_per_trade * position.equity_before * (1 + 1e-12)
        total += position.profit
    assert equity() == pytest.approx(total, rel=1e-12)


@pytest.mark.django_db
def test_the_size_of_a_position_does_not_depend_on_when_a_poll_ran() -> None:
    minutes = market(40 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    hold(minutes, OPENED)
    services.track(Signal, until=until)  # a poll ahead of the scans: the first position's profit is known already
    first = Position.objects.get()
    assert first.closed_at is not None
    assert first.closed_at > OPENED + timedelta(minutes=15)

    hold(minutes, OPENED + timedelta(minutes=15))

    second = Position.objects.exclude(pk=first.pk).get()
    assert second.equity_before == ACCOUNT.start_equity


@pytest.mark.django_db
def test_outcomes_hold_what_first_touch_says() -> None:
    minutes = market(30 * 60, ("BTCUSDT",))
    until = store_market(minutes)
    hold(minutes, OPENED, version=SHY)
    services.track(RejectedSignal, until=until)
    row = RejectedSignal.objects.get()

    from signals.configuration import rules
    from signals.first_touch import first_touch
    from signals.rows import order_of

    touch = first_touch(order_of(row), minutes["BTCUSDT"], to_ms(until), rules().costs)
    mirror = first_touch(
        order_of(row).mirror(row.reference_price, 2.0), minutes["BTCUSDT"], to_ms(until), rules().costs
    )

    assert touch is not None
    assert mirror is not None
    told = RejectedSignal()
    set_outcome(told, touch)
    assert (row.outcome, row.net_r, row.exit_at, row.best_r) == (told.outcome, told.net_r, told.exit_at, told.best_r)
    assert (row.mirror_outcome, row.mirror_net_r) == (mirror.outcome.value, mirror.net_r)
