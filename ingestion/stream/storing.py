"""A batch of what was heard into the database, in one transaction; a row that PostgreSQL refuses is put aside."""

import json
import logging
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from django.db import DataError, IntegrityError, transaction

from ingestion.candles import store_candles, to_datetime
from ingestion.kline import Kline, candles
from ingestion.market_clock import advance
from ingestion.models import CandleSource
from ingestion.quarantine import quarantine
from ingestion.refused import Refused
from ingestion.stream.inbox import Item

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """How many candles were new, how many said something else than the one that stays, how many items were refused."""

    candles: int = 0
    disagreeing: int = 0
    quarantined: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def store_batch(items: Sequence[Item], *, until_ms: int | None) -> Stored:
    """Store the candles, keep the refused messages, move the market clock to at most `until_ms`. Safe to do twice."""
    klines = [item for item in items if isinstance(item, Kline)]
    refused = [item for item in items if isinstance(item, Refused)]
    try:
        return _store(klines, refused, until_ms)
    except (DataError, IntegrityError) as error:
        if not klines:
            raise
        logger.warning("PostgreSQL refuses a batch of %d candles, which are stored by halves: %s", len(klines), error)
        return _store_by_halves(klines) + _store([], refused, until_ms)


def _store(klines: Sequence[Kline], refused: Sequence[Refused], until_ms: int | None) -> Stored:
    with transaction.atomic():
        # The first word on a minute stays, within a batch as in the table.
        report = store_candles(candles(reversed(klines)), source=CandleSource.STREAM)
        quarantine(CandleSource.STREAM, refused)
        if until_ms is not None:
            advance(to_datetime(until_ms))
    return Stored(report.inserted, report.disagreeing, len(refused))


def _store_by_halves(klines: Sequence[Kline]) -> Stored:
    """All that can be stored; what cannot, alone as it is, goes into quarantine."""
    try:
        return _store(klines, [], None)
    except (DataError, IntegrityError) as error:
        if len(klines) == 1:
            return _store([], [_refused(klines[0], error)], None)
    half = len(klines) // 2
    return _store_by_halves(klines[:half]) + _store_by_halves(klines[half:])


def _refused(kline: Kline, error: Exception) -> Refused:
    payload = json.dumps([kline.symbol, kline.open_ms, *kline.figures])
    return Refused.of(payload, f"PostgreSQL refuses the candle: {error}")
