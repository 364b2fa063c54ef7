"""What happens to stored candles after decisions were made with them, and a system that lives on."""

from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from ingestion.candles import load_candles, store_candles
from ingestion.csv_format import load_recording
from ingestion.models import BackfillRun, CandleGap, CandleRevision, CandleSource, Symbol
from ingestion.timeframes import MINUTE_MS, Candles
from signals.models import ScanClose
from signals.rows import to_ms
from tests.learning.conftest import HISTORY_END, LIVED_UNTIL, QUARTER, RECORDING, SYMBOLS, live_one_close


def on_the_clock() -> None:
    """As if the market had been the wall clock: each close tried at its time and decided a second later."""
    for row in ScanClose.objects.all():
        at = max(row.close_time, HISTORY_END)
        ScanClose.objects.filter(timeframe=row.timeframe, close_time=row.close_time).update(
            first_tried_at=at, decided_at=at + timedelta(seconds=1)
        )


def restate(symbol: str, minute: datetime, *, noted: datetime | None = None, factor: float = 1.5) -> None:
    """The exchange says another volume, and a higher high, than it streamed."""
    candles = load_candles(symbol, to_ms(minute), to_ms(minute) + MINUTE_MS)
    candles.volume[:] *= factor
    candles.high[:] *= 1 + factor / 1000
    store_candles({symbol: candles}, source=CandleSource.REST)
    if noted:
        CandleRevision.objects.filter(symbol=symbol, open_time=minute).update(noted_at=noted)


def flatten(symbol: str, minute: datetime) -> None:
    """The exchange says that nothing happened in this minute: its highs and lows were the price at its opening."""
    candles = load_candles(symbol, to_ms(minute), to_ms(minute) + MINUTE_MS)
    for name in ("high", "low", "close"):
        getattr(candles, name)[:] = candles.open
    store_candles({symbol: candles}, source=CandleSource.REST)


def recorded_until(close_ms: int) -> dict[str, Candles]:
    return load_recording(RECORDING, SYMBOLS, start=close_ms - QUARTER, end=close_ms)


def live_on(closes: int, *, first: int = 1, without: dict[str, int] | None = None) -> None:
    """Further closes; `without`: how many of the last minutes of each quarter a symbol lacks."""
    for number in range(first, first + closes):
        close_ms = to_ms(LIVED_UNTIL) + number * QUARTER
        minutes = recorded_until(close_ms)
        for symbol, lacking in (without or {}).items():
            minutes[symbol] = minutes[symbol].between(0, close_ms - lacking * MINUTE_MS)
        live_one_close(close_ms, minutes)


def fill(symbol: str, close: datetime, minutes: int) -> None:
    """The last minutes before a close, fetched later, with the run that fetched them."""
    start, began = close - timedelta(minutes=minutes), timezone.now()
    found = recorded_until(to_ms(close))[symbol].between(to_ms(start), to_ms(close))
    inserted = store_candles({symbol: found}, source=CandleSource.REST).inserted
    BackfillRun.objects.create(
        symbol=symbol, start=start, end=close, status="done", candles=inserted,
        started_at=began, progress_at=timezone.now(), finished_at=timezone.now(),
    )  # fmt: skip


def delist(symbol: str, at: datetime, *, ago: float = 0.0) -> None:
    """The exchange does not know the symbol any more, which was noticed so many seconds ago."""
    now = timezone.now() - timedelta(seconds=ago)
    evidence = {"delisted_at": at.isoformat(), "noted_at": now.isoformat()}
    Symbol.objects.filter(name=symbol).update(delisted_at=at, is_active=False)
    CandleGap.objects.update_or_create(
        symbol=symbol,
        start=at,
        defaults={
            "end": at + timedelta(hours=1), "status": "explained", "reason": "not_listed", "evidence": evidence,
            "first_seen": now, "last_checked": now,
        },
    )  # fmt: skip


def explain(symbol: str, start: datetime, end: datetime) -> None:
    now = timezone.now()
    CandleGap.objects.create(
        symbol=symbol, start=start, end=end, status="explained", reason="source_has_no_candle",
        first_seen=now, last_checked=now,
    )  # fmt: skip


def long_ago(seconds: float = 60.0) -> None:
    """As if everything so far had happened that much earlier by the wall clock, so that nothing is in doubt."""
    back = timedelta(seconds=seconds)
    lived = ScanClose.objects.filter(close_time__gt=HISTORY_END)
    lived.update(first_tried_at=F("first_tried_at") - back, decided_at=F("decided_at") - back)
