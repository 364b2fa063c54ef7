"""manage.py heads: what each head is worth on recorded candles, without a database."""

import json
import time
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.arguments import progress_bar, symbol_list
from ingestion.csv_format import CandleFileError
from ingestion.timeframes import TIMEFRAMES, Timeframe
from learning.head_looks import TooShortError
from learning.head_page import page
from learning.head_report import as_json
from learning.head_study import recordings, study
from learning.head_table import table
from signals.configuration import rules

EXAMPLE = "example: manage.py heads --candles ingestion/recordings/2021-06-10_2021-07-10 --report var/heads"


def timeframe_list(text: str) -> list[Timeframe]:
    """Timeframes between commas: 15m,1h."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in TIMEFRAMES]
    if unknown or not names:
        said = f"unknown timeframe {', '.join(unknown)}" if unknown else "no timeframe named"
        raise ArgumentTypeError(f"{said}; name some of {', '.join(TIMEFRAMES)}, separated by commas")
    return [TIMEFRAMES[name] for name in names]


class Command(BaseCommand):
    help = f"Measure every head on recorded candles and say in words whether it has an edge. {EXAMPLE}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--candles", nargs="+", required=True, metavar="PATH", help="directories of recordings, or candle files"
        )
        parser.add_argument("--symbols", type=symbol_list, help="only these, separated by commas")
        parser.add_argument("--timeframes", type=timeframe_list, default="15m", help="separated by commas: 15m,1h")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
        parser.add_argument("--report", metavar="DIR", help="also write DIR/heads.html and DIR/heads.json")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with progress_bar(quiet=options["json"]) as progress:
                found = recordings(options["candles"], options["symbols"])
                report = study(found, options["timeframes"], rules(), time.process_time, progress)
        except (CandleFileError, TooShortError) as error:
            raise CommandError(str(error)) from error
        figures = json.dumps(as_json(report), indent=None if options["json"] else 2, allow_nan=False)
        if options["report"]:
            self._write(Path(options["report"]), page(report), figures)
        self.stdout.write(figures if options["json"] else "\n".join(table(report)))

    def _write(self, folder: Path, html: str, figures: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "heads.html").write_text(html, encoding="utf-8")
            (folder / "heads.json").write_text(figures + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{folder}: cannot be written to: {error.strerror}; name another --report") from error
