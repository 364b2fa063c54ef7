"""The whole system on one machine."""

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError
from rich.console import Console

from alphapulse_site.checklist import Checklist
from alphapulse_site.embedded import EmbeddedServerError
from alphapulse_site.launch import Options, launch
from alphapulse_site.preflight import RefusalError

EXAMPLE = "Example: manage.py up --market recording --speed 60 --port 8000 --data var"


class Command(BaseCommand):
    """Thin door to `launch`."""

    help = (
        "Run the whole system on this machine until Ctrl-C; the next start goes on where this one stopped. " + EXAMPLE
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--market", choices=["auto", "binance", "recording"], default="auto")
        parser.add_argument("--speed", type=_speed, default=60.0, help="times faster than life (default: 60)")
        parser.add_argument("--port", type=_port, default=8000, help="of the web pages, on 127.0.0.1 (default: 8000)")
        # Read by manage.py before the settings are, because they name places under it.
        parser.add_argument("--data", metavar="DIR", default=str(settings.PLACES.root), help="default: var")

    def handle(self, *args: Any, **options: Any) -> None:
        checklist = Checklist(Console())
        try:
            code = launch(Options(options["market"], options["speed"], options["port"]), checklist)
        except (RefusalError, EmbeddedServerError) as error:
            raise CommandError(str(error)) from error
        except (OperationalError, OSError) as error:
            # A full disk or a database that went away; what was committed stays, and the next start goes on from it.
            raise CommandError(f"{_first_line(error)} (logs: {settings.PLACES.logs})") from error
        except KeyboardInterrupt:
            checklist.say("Stopped.")
            code = 130
        raise SystemExit(code)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 100_000:
        raise argparse.ArgumentTypeError("must be above 0 and at most 100000")
    return speed


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise argparse.ArgumentTypeError("must be from 1 to 65535")
    return port
