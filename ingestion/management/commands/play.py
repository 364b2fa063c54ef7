"""The market of the recording profile: plays the recording on from the market clock."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.clock import is_recording
from ingestion.csv_format import CandleFileError
from ingestion.recording import NoHistoryError, play


class Command(BaseCommand):
    """`manage.py play`."""

    help = (
        "Play the recording on as if it were live, from where the market clock stands, until stopped."
        " Example: manage.py play --speed 60"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--speed", type=_positive, default=60.0, help="how many times as fast as life (60)")
        parser.add_argument(
            "--recording", type=Path, default=None, help="directory of candle files (setting ALPHAPULSE_RECORDING)"
        )

    def handle(self, *args: Any, speed: float, recording: Path | None, **options: Any) -> None:
        if not is_recording():
            raise CommandError("the market clock follows the wall, not a recording; start with manage.py up")
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            play(recording or settings.ALPHAPULSE_RECORDING, speed=speed, stop=stop)
        except (CandleFileError, NoHistoryError) as error:
            raise CommandError(str(error)) from error


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"{text} is not a speed above zero")
    return value
