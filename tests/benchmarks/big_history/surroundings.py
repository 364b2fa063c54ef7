"""What stands around the decisions: symbols, candles of some, gaps, positions, signs of life, what went wrong."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from django.utils import timezone

from alphapulse_site.celery import QUEUES
from alphapulse_site.models import Heartbeat, JobRun, MarketClock, ParkedTask
from analytics.selectors.signs import OUTCOME_MONITOR, SCAN, SHADOW_MONITOR, STREAM, canary
from ingestion.candles import candles_of, store_candles
from ingestion.models import BackfillRun, CandleGap, CandleSource, QuarantinedMessage, Symbol
from ingestion.timeframes import MINUTE_MS, Candles, FloatArray
from signals.models import Position, Signal
from signals.portfolio import AccountRules
from tests.benchmarks.big_history.decisions import Market

if TYPE_CHECKING:
    from tests.benchmarks.big_history.filling import Size

CHARTED = 10  # symbols that have candles
MINUTES = 15
GAPS, BACKFILLS, REFUSED, PARKED, OTHER_RUNS = 2_000, 2_000, 5_000, 300, 5_000


def fill_surroundings(size: "Size", market: Market, draw: np.random.Generator) -> None:
    now = size.until + timedelta(minutes=5)
    listed = now - timedelta(days=400)
    MarketClock.objects.update(closed_until=now, exchange_until=now, detail="drawn")
    Symbol.objects.bulk_create(
        Symbol(name=name, base_asset=name[:-4], quote_asset="USDT", listed_at=listed, complete_until=now)
        for name in market.symbols.tolist()
    )
    _fill_candles(size, market, draw)
    CandleGap.objects.bulk_create(_gaps(market, now, draw))
    BackfillRun.objects.bulk_create(_backfills(market, now))
    QuarantinedMessage.objects.bulk_create(_refused(now))
    ParkedTask.objects.bulk_create(_parked())
    JobRun.objects.bulk_create(_runs(now))
    _fill_positions()
    give_signs_of_life(now)


def give_signs_of_life(market_at: datetime) -> None:
    """Heartbeats of now, as a running system has them."""
    names = [OUTCOME_MONITOR, SHADOW_MONITOR, SCAN, STREAM, *(canary(queue) for queue in QUEUES)]
    for name in names:
        Heartbeat.objects.update_or_create(
            name=name, defaults={"beat_at": timezone.now(), "market_at": market_at, "beats": 100_000}
        )


def _fill_candles(size: "Size", market: Market, draw: np.random.Generator) -> None:
    """Minutes that walk from close to close, of the last days of the first symbols."""
    first = max(size.closes - 96 * size.candle_days, 1)
    for column in range(min(CHARTED, size.symbols)):
        candles = _minutes(market, market.prices[first - 1 :, column], first, draw)
        store_candles({str(market.symbols[column]): candles}, source=CandleSource.STREAM)


def _minutes(market: Market, closes: FloatArray, first: int, draw: np.random.Generator) -> Candles:
    share = np.arange(1, MINUTES + 1) / MINUTES
    straight = closes[:-1, None] + np.diff(closes)[:, None] * share
    noise = straight * draw.normal(0, 0.0005, straight.shape)
    noise[:, -1] = 0  # a quarter of an hour ends where its close says
    close = (straight + noise).reshape(-1)
    opened = np.concatenate([closes[:1], close[:-1]])
    reach = close * np.abs(draw.normal(0, 0.0003, len(close)))
    volume = draw.gamma(2.0, 50.0, len(close))
    begins_ms = int(market.begins.astype("datetime64[ms]").astype(np.int64)) + first * MINUTES * MINUTE_MS
    figures = {
        "open": opened,
        "high": np.maximum(opened, close) + reach,
        "low": np.minimum(opened, close) - reach,
        "close": close,
        "volume": volume,
        "quote_volume": volume * close,
        "trades": np.floor(volume),
        "taker_base": volume / 2,
        "taker_quote": volume * close / 2,
    }
    return candles_of(begins_ms + np.arange(len(close)) * MINUTE_MS, figures)


def _gaps(market: Market, now: datetime, draw: np.random.Generator) -> Iterator[CandleGap]:
    """One in a hundred is still being filled."""
    for number in range(GAPS):
        start = now.replace(second=0) - timedelta(minutes=37 * (number + 1))
        filling = number % 100 == 0
        yield CandleGap(
            symbol=str(market.symbols[number % len(market.symbols)]),
            start=start,
            end=start + timedelta(minutes=int(draw.integers(1, 30))),
            status="filling" if filling else "explained",
            reason="" if filling else "source_has_no_candle",
            evidence={} if filling else {"asked": ["rest", "archive"], "rows": 0},
            checks=3,
            first_seen=start,
            last_checked=start + timedelta(hours=1),
        )


def _backfills(market: Market, now: datetime) -> Iterator[BackfillRun]:
    for number in range(BACKFILLS):
        at = now - timedelta(minutes=60 * number)
        yield BackfillRun(
            symbol=str(market.symbols[number % len(market.symbols)]),
            start=at - timedelta(days=1),
            end=at,
            status="failed" if number % 50 == 49 else "done",
            error="the exchange did not answer" if number % 50 == 49 else "",
            candles=1440,
            requests=2,
            weight=4,
            started_at=at,
            progress_at=at,
            finished_at=at + timedelta(seconds=2),
        )


def _refused(now: datetime) -> Iterator[QuarantinedMessage]:
    for number in range(REFUSED):
        yield QuarantinedMessage(
            source=CandleSource.STREAM,
            file="",
            line=number,
            payload='{"e":"kline","k":{"h":"1.0","l":"2.0"}}',
            payload_digest=f"{number:064x}",
            reason="high is below low",
            received_at=now - timedelta(minutes=number),
        )


def _parked() -> Iterator[ParkedTask]:
    for number in range(PARKED):
        yield ParkedTask(
            task_id=f"drawn-{number}",
            name=("signals.track_signals", "signals.track_shadows", "ingestion.check_gaps")[number % 3],
            error="ExchangeDownError: no answer within 10 s",
            parked_at=timezone.now() - timedelta(hours=3 * number),
        )


def _runs(now: datetime) -> Iterator[JobRun]:
    """Runs of the jobs that the nights did not write."""
    for number in range(OTHER_RUNS):
        at = now - timedelta(hours=6 * number)
        yield JobRun(
            job="partition_upkeep",
            period=f"{at:%Y-%m-%dT%H}",
            status="done",
            started_at=at,
            finished_at=at + timedelta(seconds=1),
            attempts=1,
            market_at=at,
            report={"partitions_made": 0},
        )


def _fill_positions() -> None:
    """The account of one signal after the other."""
    rules, equity, rows = AccountRules(), AccountRules().start_equity, []
    for signal in Signal.objects.order_by("opened_at", "id"):
        quantity = equity * rules.risk_per_trade / signal.risk
        paid = 0.0 if signal.net_r is None else quantity * signal.risk * signal.net_r
        profit = paid if signal.outcome else None
        rows.append(
            Position(
                signal=signal,
                quantity=quantity,
                equity_before=equity,
                opened_at=signal.opened_at,
                closed_at=signal.exit_at,
                profit=profit,
            )
        )
        equity = max(equity + (profit or 0.0), rules.start_equity / 10)
    Position.objects.bulk_create(rows, batch_size=1000)
