"""manage.py freeze: hold the head weights that are in force."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.by_hand import freeze
from learning.versions import VersionError


class Command(BaseCommand):
    help = (
        "Hold the head weights that are in force until manage.py release, or until the live guard puts equal weights "
        "back. The nights go on learning beside them. Example: manage.py freeze"
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = freeze(by="command line")
        except VersionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{row.notes} As head_weights version {row.version} no night replaces it.")
