"""manage.py why: what a version was learned from, what moved, who judged it, and what it was worth."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from learning.models import STATE_TYPES
from learning.versions import VersionError
from learning.why import why


class Command(BaseCommand):
    help = (
        "Say in words and numbers why a version is what it is: its outcomes, what moved, the guards, the certificate "
        "and the effect on outcomes it had not seen; by default of the head weights in force. "
        "Example: manage.py why head_weights 12"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("state_type", nargs="?", default="head_weights", choices=[name for name, _ in STATE_TYPES])
        parser.add_argument("version", nargs="?", type=int)
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = why(state_type=options["state_type"], version=options["version"])
        except VersionError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(told, default=str))
            return
        for words in told["words"]:
            self.stdout.write(words)
