"""manage.py evaluate: does it have an edge? Walk-forward over recorded candles and a verdict in words, no database."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.arguments import progress_bar, symbol_list, utc_time
from ingestion.csv_format import CandleFileError
from ingestion.timeframes import TIMEFRAMES
from learning.evaluating.page import page
from learning.evaluating.permuting import SHUFFLES
from learning.evaluating.report import as_json
from learning.evaluating.study import evaluate
from learning.evaluating.table import table
from learning.head_looks import TooShortError
from learning.head_study import read_apart
from signals.configuration import rules
from signals.rows import to_ms

EXAMPLE = "example: manage.py evaluate --candles ingestion/recordings/2021-06-10_2021-07-10 --report var/evaluation"
MOST_SHUFFLES = 9999


def shuffle_count(text: str) -> int:
    """A number of shuffles."""
    if not text.isdecimal() or int(text) > MOST_SHUFFLES:
        raise ArgumentTypeError(f"{text!r} is not a number of shuffles; give one from 0 to {MOST_SHUFFLES}")
    return int(text)


class Command(BaseCommand):
    help = (
        "Score every scan of recorded candles by what was in force when it was decided, against rivals, and say in"
        " words whether there is an edge. A directory is a period of its own, with a learner that starts anew, and so"
        " are files given from one directory; periods are never joined into one history. Where two hold the same hour"
        f" of a symbol, it counts once in the pooled figures, in the period named first. {EXAMPLE}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--candles", nargs="+", required=True, metavar="PATH", help="directories of periods, or candle files"
        )
        parser.add_argument("--symbols", type=symbol_list, help="only these, separated by commas")
        parser.add_argument("--from", dest="since", type=utc_time, help="first close to decide (UTC)")
        parser.add_argument("--to", dest="until", type=utc_time, help="last close to decide (UTC)")
        parser.add_argument("--timeframe", default="15m", choices=sorted(TIMEFRAMES), help="scan timeframe")
        parser.add_argument(
            "--permutations", type=shuffle_count, default=SHUFFLES, metavar="N", help="shuffles (default %(default)s)"
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
        parser.add_argument("--report", metavar="DIR", help="also write DIR/evaluate.html and DIR/evaluate.json")

    def handle(self, *args: Any, **options: Any) -> None:
        since, until = options["since"], options["until"]
        if since and until and until < since:
            raise CommandError("--to lies before --from; give the earlier time to --from")
        try:
            with progress_bar(quiet=options["json"]) as progress:
                found = evaluate(
                    read_apart(options["candles"], options["symbols"]),
                    TIMEFRAMES[options["timeframe"]],
                    rules(),
                    since_ms=to_ms(since) if since else None,
                    until_ms=to_ms(until) if until else None,
                    shuffles=options["permutations"],
                    progress=progress,
                )
        except (CandleFileError, TooShortError) as error:
            raise CommandError(str(error)) from error
        figures = json.dumps(as_json(found), indent=None if options["json"] else 2, allow_nan=False)
        if options["report"]:
            self._write(Path(options["report"]), page(found), figures)
        self.stdout.write(figures if options["json"] else "\n".join(table(found)))

    def _write(self, folder: Path, html: str, figures: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "evaluate.html").write_text(html, encoding="utf-8")
            (folder / "evaluate.json").write_text(figures + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{folder}: cannot be written to: {error.strerror}; name another --report") from error
