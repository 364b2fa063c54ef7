"""Whether a process has given a sign of life lately: the health check of containers that serve no page."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from alphapulse_site.models import Heartbeat


class Command(BaseCommand):
    """`manage.py heartbeat`."""

    help = "Exit code 0 if the heartbeat is younger than --within seconds. Example: manage.py heartbeat stream"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="stream, outcome_monitor, canary:maintenance, ...")
        parser.add_argument("--within", type=int, default=180, metavar="SECONDS")

    def handle(self, *args: Any, name: str, within: int, **options: Any) -> None:
        sign = Heartbeat.objects.filter(name=name).first()
        if sign is None:
            raise CommandError(f"{name} has never given a sign of life. Is its process running?")
        age = timezone.now() - sign.beat_at
        if age > timedelta(seconds=within):
            raise CommandError(f"{name} gave its last sign of life {age.total_seconds():.0f} s ago. Look at its log.")
        self.stdout.write(f"{name}: {age.total_seconds():.0f} s ago")
