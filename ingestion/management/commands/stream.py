"""The market as it happens, from the exchange's websocket."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from ingestion.stream.process import stream
from ingestion.stream.rules import rules


class Command(BaseCommand):
    """`manage.py stream`."""

    help = (
        "Stream the 1m candles of all listed symbols from the exchange (setting ALPHAPULSE_STREAM_URL) into the"
        " database until stopped. A second one stands by and takes over if it dies. Example: manage.py stream"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_until_signalled())


async def _until_signalled() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stream(rules(), stop)
