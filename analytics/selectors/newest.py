"""The newest candle of each symbol, read once for whoever asks within two seconds."""

from datetime import timedelta

from analytics.selectors.kept import kept_for
from ingestion import selectors
from ingestion.selectors import Newest

MINUTE = timedelta(minutes=1)


@kept_for(2)
def newest_candles() -> list[Newest]:
    """Of every symbol that is known; one step of an index each."""
    return selectors.newest_candles()
