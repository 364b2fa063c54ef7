"""The database made ready for the processes, where servers are one's own (docker/compose.yaml)."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from alphapulse_site.checklist import Checklist
from alphapulse_site.markets import BINANCE
from alphapulse_site.preflight import RefusalError, check_recording
from alphapulse_site.preparation import STEPS_WITHOUT_OPERATOR, Options, prepare


class Command(BaseCommand):
    """Thin door to `preparation`."""

    help = (
        "Migrate, bring the market's history and learn from it; what is done already is left as it is. "
        "`up` does this itself. Example: manage.py prepare --market recording --speed 60"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--market", choices=["auto", "binance", "recording"], default="binance")
        parser.add_argument("--speed", type=float, default=60.0, help="of a recording, times faster than life (60)")

    def handle(self, *args: Any, **options: Any) -> None:
        todo = Options(market=options["market"], speed=options["speed"], port=0)
        try:
            if todo.market != BINANCE:
                check_recording(todo.recording)
            prepare(todo, Checklist(Console()), STEPS_WITHOUT_OPERATOR)
        except RefusalError as error:
            raise CommandError(str(error)) from error
