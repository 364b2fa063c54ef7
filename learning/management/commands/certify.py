"""manage.py certify: recompute stored decisions from stored candles and compare bit for bit."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from alphapulse_site.arguments import progress_bar, utc_time
from learning.certify import certify

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Recompute every stored decision and outcome from the stored candles and compare bit for bit; "
        "exit code 1 if anything differs. Example: manage.py certify --from 2021-07-04"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="since", type=utc_time, help="first close to certify (UTC)")
        parser.add_argument("--to", dest="until", type=utc_time, help="last close to certify (UTC)")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with progress_bar(quiet=options["json"]) as progress:
            found = certify(since=options["since"], until=options["until"], progress=progress)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found)))
        else:
            self._tell(found.closes, found.scans, found.outcomes, found.differences)
            if found.by_other_heads:
                self.stdout.write(f"{found.by_other_heads:,} closes left out: another release decided them")
            self.stdout.write(f"decisions_digest {found.decisions_digest}")
        if found.differences:
            sys.exit(1)

    def _tell(self, closes: int, scans: int, outcomes: int, differences: list[str]) -> None:
        self.stdout.write(
            f"{closes:,} closes, {scans:,} scans, {outcomes:,} brackets compared: {len(differences):,} differences"
        )
        for line in differences[:SHOWN]:
            self.stdout.write(f"- {line}")
        if len(differences) > SHOWN:
            self.stdout.write(f"(+{len(differences) - SHOWN:,} more; --json lists all)")
