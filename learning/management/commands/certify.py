"""manage.py certify: recompute stored decisions from stored candles and compare bit for bit."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from alphapulse_site.arguments import progress_bar, utc_time
from learning.certify import Certificate, certify

SHOWN = 20


class Command(BaseCommand):
    help = (
        "Recompute every stored decision and outcome from the candles it was made with and compare bit for bit; "
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
            self._tell(found)
        if found.differences:
            sys.exit(1)

    def _tell(self, found: Certificate) -> None:
        compared = f"{found.closes:,} closes, {found.scans:,} scans, {found.outcomes:,} brackets compared"
        self._list(f"{compared}: {len(found.differences):,} differences", found.differences)
        remarks = (
            (found.restated, "closes compared with their candles of then: some have changed since"),
            (found.incomplete, "scans knew of missing minutes that nobody had explained yet"),
            (found.late, "scans were made after their close, when their candles came"),
            (found.voided_by_hand, "brackets were voided by hand, and are compared with that"),
            (found.by_other_heads, "closes left out: another release decided them"),
        )
        for count, remark in remarks:
            if count:
                self.stdout.write(f"{count:,} {remark}")
        if found.unclear:
            told = "rows differ where candles came in during the look: nobody can say which they saw"
            self._list(f"{len(found.unclear):,} {told}", found.unclear)
        self.stdout.write(f"decisions_digest {found.decisions_digest}")

    def _list(self, heading: str, lines: list[str]) -> None:
        self.stdout.write(heading)
        for line in lines[:SHOWN]:
            self.stdout.write(f"- {line}")
        if len(lines) > SHOWN:
            self.stdout.write(f"(+{len(lines) - SHOWN:,} more; --json lists all)")
