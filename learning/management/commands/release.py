"""manage.py release: let the nights move the head weights again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.by_hand import release
from learning.versions import VersionError


class Command(BaseCommand):
    help = "Let the next night move the head weights again after a pin or freeze. Example: manage.py release"

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            row = release(by="command line")
        except VersionError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{row.notes} It is head_weights version {row.version}.")
