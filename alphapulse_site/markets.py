"""Which market a start follows, the recording or Binance, and its history: the steps of preparation that differ."""

from dataclasses import dataclass
from typing import Any

from django.utils.module_loading import import_string

from alphapulse_site.clock import advance_market_clock, is_recording, market_now, set_market_clock
from alphapulse_site.models import MarketClock
from alphapulse_site.places import Places
from alphapulse_site.preflight import RefusalError

BINANCE, RECORDING, AUTO = "binance", "recording", "auto"
MODES = {BINANCE: MarketClock.Mode.WALL, RECORDING: MarketClock.Mode.RECORDING}


@dataclass(frozen=True)
class Wanted:
    """What `up` was asked for that concerns the market."""

    market: str
    speed: float
    recording: str
    exchange_port: int


def choose_market(wanted: Wanted, places: Places) -> str:
    """Settle which market this database follows, for good, and where its exchange answers; what to print of it."""
    earlier = MarketClock.objects.exclude(closed_until=None).first()
    market = wanted.market if wanted.market != AUTO else _found(earlier)
    _refuse_another(market, wanted.recording, earlier)
    if market == BINANCE:
        places.exchange_file.unlink(missing_ok=True)
        set_market_clock(mode=MODES[BINANCE])
        return f"Binance, {_place()}"
    places.exchange_file.write_text(f"127.0.0.1:{wanted.exchange_port}\n", encoding="utf-8")
    set_market_clock(mode=MODES[RECORDING], speed=wanted.speed, detail=wanted.recording)
    return f"recording {wanted.recording} at {wanted.speed:g}x, {_place()}"


def _found(earlier: MarketClock | None) -> str:
    """The market that this database has followed before; at the first start Binance, if it answers."""
    if earlier is not None:
        return next(name for name, mode in MODES.items() if mode == earlier.mode)
    return BINANCE if exchange_answers() else RECORDING


def exchange_answers() -> bool:
    """Named, not imported: the frame lies below the apps, as in the schedule."""
    try:
        with import_string("ingestion.binance.SpotDoor")() as door:
            door.server_time_ms()
    except import_string("ingestion.rest.ExchangeError"):
        return False
    return True


def _refuse_another(market: str, recording: str, earlier: MarketClock | None) -> None:
    if earlier is None:
        return
    follows = f"the recording {earlier.detail!r}" if earlier.mode == MODES[RECORDING] else "Binance"
    asked = f"the recording {recording!r}" if market == RECORDING else "Binance"
    if follows != asked:
        raise RefusalError(
            f"This data directory follows {follows}, not {asked}; nothing was changed. Choose another --data for it."
        )


def _place() -> str:
    now = market_now()
    return f"at {now:%Y-%m-%d %H:%M} UTC" if now else "at its start"


# --- history ----------------------------------------------------------------------------------------------------------


def bring_history(recording: Any) -> str:
    """The candles from before the first live minute, once; the market clock starts where they end."""
    if now := market_now():
        return f"0 now, the history was brought before; the market stands at {now:%Y-%m-%d %H:%M} UTC"
    return _import_history(recording) if is_recording() else _fetch_history()


def _import_history(recording: Any) -> str:
    report = import_string("ingestion.recording.import_history")(recording)
    return f"{report['inserted']:,} now, {report['unchanged']:,} before, {report['symbols']} symbols to {report['end']}"


def _fetch_history() -> str:
    """List the symbols by rule and fill their history; only then the clock starts."""
    try:
        with import_string("ingestion.binance.SpotDoor")() as door:
            listed = import_string("ingestion.listing.refresh_universe")(door=door)
    except import_string("ingestion.rest.ExchangeError") as error:
        raise RefusalError(f"{error}. Try again later, or start with --market recording.") from error
    done = import_string("ingestion.gaps.check_gaps")(seconds=None)
    until = MarketClock.objects.values_list("exchange_until", flat=True).get()
    if until is None or done.open:
        raise RefusalError(
            f"The history is not complete: {done.open:,} minutes are missing, and {done.error or 'no answer came'}. "
            "What came is kept; start again to go on, or start with --market recording and another --data."
        )
    advance_market_clock(until)
    return f"{done.filled:,} now, {listed.scanned} symbols to {until:%Y-%m-%d %H:%M} UTC"
