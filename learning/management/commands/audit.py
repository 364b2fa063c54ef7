"""manage.py audit: make every version again from the ledger and compare byte for byte."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from alphapulse_site.arguments import progress_bar
from learning.audit import Audit, audit

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Verify the ledger's and the versions' hash chains, then learn again from the first event on and compare every "
        "version byte for byte; exit code 1 if anything differs. Example: manage.py audit --json"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with progress_bar(quiet=options["json"]) as progress:
            found = audit(progress=progress)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        else:
            self._tell(found)
        if found.differences:
            sys.exit(1)

    def _tell(self, found: Audit) -> None:
        self.stdout.write(
            f"{found.events:,} events ({found.outcomes:,} outcomes), {found.versions:,} versions, "
            f"{found.replayed:,} made again: {len(found.differences):,} differences"
        )
        for reason, count in sorted(found.not_replayed.items()):
            self.stdout.write(f"{count:,} not made again, taken as stored: {reason}")
        for line in found.differences[:SHOWN]:
            self.stdout.write(f"- {line}")
        if len(found.differences) > SHOWN:
            self.stdout.write(f"(+{len(found.differences) - SHOWN:,} more; --json lists all)")
