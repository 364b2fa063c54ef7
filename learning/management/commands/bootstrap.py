"""manage.py bootstrap: learn from replayed history before the first live day."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from alphapulse_site.arguments import progress_bar, utc_time
from learning.bootstrap import bootstrap


class Command(BaseCommand):
    help = (
        "Replay the stored candles, learn from them and store scans, outcomes, events and versions. "
        "Does nothing once the system has scanned. Example: manage.py bootstrap --since 2021-06-16"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--since", type=utc_time, help="first close to decide (UTC); default: the first possible")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        with progress_bar(quiet=options["json"]) as progress:
            written = bootstrap(since=options["since"], progress=progress)
        if options["json"]:
            self.stdout.write(json.dumps(asdict(written)))
        elif written.closes:
            self.stdout.write(
                f"bootstrapped {written.closes:,} closes: {written.scans:,} scans, {written.signals:,} signals, "
                f"{written.shadows:,} shadows, {written.events:,} learning events, {written.versions:,} versions"
            )
        else:
            self.stdout.write("nothing to bootstrap: there are no candles, or the system has scanned already")
