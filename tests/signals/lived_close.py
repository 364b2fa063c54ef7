"""One close of real markets, looked at and decided as the running system does it."""

from datetime import UTC, datetime

from ingestion.timeframes import Candles
from learning.models import LearningState
from learning.selectors import version_for, version_of, weights_from
from learning.versions import ensure_birth
from signals import services
from signals.consensus import Weights
from signals.models import ScanHistory
from signals.rows import to_ms
from tests.signals.decided import store_market
from tests.signals.frames import recording

# Five, so that the market has a mood.
SYMBOLS = ("AAVEUSDT", "ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT")
CLOSE = datetime(2021, 6, 22, tzinfo=UTC)


def markets() -> dict[str, Candles]:
    return {symbol: recording()[symbol].between(0, to_ms(CLOSE)) for symbol in SYMBOLS}


def live_close() -> datetime:
    """Store the candles, look and decide at the end of them; the close."""
    close = store_market(markets(), until=CLOSE)
    ensure_birth()
    version = version_for(close, tried_since=services.first_try(close=close))
    assert version is not None
    for chunk in services.open_close(close=close, version=version):
        services.look_chunk(close=close, chunk=chunk, version=version_of(services.opened(close=close)))
    assert services.decide_close(close=close, version=version) is not None
    return close


def weights_of(scan: ScanHistory) -> Weights:
    state = LearningState.objects.get(state_type="head_weights", version=scan.weight_version)
    return weights_from(state.content)
