"""How the stream behaves, as the settings say."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Rules:
    """`silence` in wall seconds, `close_out` in seconds of the market; the rest in wall seconds and numbers."""

    url: str
    silence: float = 30.0
    close_out: float = 8.0
    streams: int = 1024
    renew_after: float = 23 * 3600.0
    queue: int = 20_000
    open_timeout: float = 10.0
    symbols_every: float = 60.0


def rules() -> Rules:
    return Rules(
        url=settings.ALPHAPULSE_STREAM_URL.rstrip("/"),
        silence=settings.ALPHAPULSE_STREAM_SILENCE,
        close_out=settings.ALPHAPULSE_STREAM_CLOSE_OUT,
        streams=settings.ALPHAPULSE_STREAMS_A_CONNECTION,
        renew_after=settings.ALPHAPULSE_STREAM_RENEW_HOURS * 3600,
        queue=settings.ALPHAPULSE_STREAM_QUEUE,
    )
