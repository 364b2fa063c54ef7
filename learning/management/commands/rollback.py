"""manage.py rollback: put an old version in force again, as a new version."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.by_hand import rollback
from learning.models import STATE_TYPES
from learning.versions import VersionError


class Command(BaseCommand):
    help = (
        "Put the content of an old version in force again from the next market minute on. "
        "Example: manage.py rollback head_weights 12"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("state_type", choices=[name for name, _ in STATE_TYPES])
        parser.add_argument("version", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = rollback(state_type=options["state_type"], version=options["version"], by="command line")
        except VersionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{row.state_type} version {row.version} holds what version {options['version']} held; "
            f"it decides from {row.effective_from:%Y-%m-%d %H:%M} UTC on"
        )
