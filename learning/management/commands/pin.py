"""manage.py pin: put a version of the head weights in force and hold it."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.by_hand import pin
from learning.versions import VersionError


class Command(BaseCommand):
    help = (
        "Put a version of the head weights in force from the next market minute on and hold it until manage.py "
        "release, or until the live guard puts equal weights back. The nights go on learning beside it. "
        "Example: manage.py pin 12"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = pin(version=options["version"], by="command line")
        except VersionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"head_weights version {row.version} holds what version {options['version']} held; it decides from "
            f"{row.effective_from:%Y-%m-%d %H:%M} UTC on and no night replaces it until manage.py release"
        )
