"""manage.py replay: the decisions of live over recorded candles, without a database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.arguments import progress_bar, symbol_list, utc_time
from ingestion.csv_format import CandleFileError, load_recording
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles
from learning.lessons import born_version
from learning.replay import replay, report
from learning.school import School
from learning.walk import Constant, Teacher
from signals.configuration import rules
from signals.rows import to_ms

EXAMPLE = "example: manage.py replay --candles ingestion/recordings/2021-06-10_2021-07-10 --learn --json"


class Command(BaseCommand):
    help = f"Make the decisions of live over recorded candles and say what they came to. {EXAMPLE}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--candles", nargs="+", required=True, metavar="PATH", help="candle files or directories")
        parser.add_argument("--symbols", type=symbol_list, help="only these, separated by commas")
        parser.add_argument("--from", dest="since", type=utc_time, help="first close to decide (UTC)")
        parser.add_argument("--to", dest="until", type=utc_time, help="last close to decide (UTC)")
        parser.add_argument("--timeframe", default="15m", choices=sorted(TIMEFRAMES), help="scan timeframe")
        parser.add_argument("--learn", action="store_true", help="learn every night and week, as live does")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
        parser.add_argument("--report", metavar="DIR", help="also write the figures to DIR/replay.json")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            minutes = load_recording(options["candles"], options["symbols"])
        except CandleFileError as error:
            raise CommandError(str(error)) from error
        figures = self._replay(minutes, options)
        if options["report"]:
            folder = Path(options["report"])
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "replay.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        self.stdout.write(json.dumps(figures, indent=None if options["json"] else 2))

    def _replay(self, minutes: dict[str, Candles], options: dict[str, Any]) -> dict[str, Any]:
        timeframe = TIMEFRAMES[options["timeframe"]]
        filled = [candles for candles in minutes.values() if len(candles)]
        if not filled:
            raise CommandError("the files hold no candles; see the README of the recording for their format")
        first_ms = min(int(candles.open_ms[0]) for candles in filled)
        last_ms = max(int(candles.open_ms[-1]) for candles in filled) + MINUTE_MS
        since, until = options["since"], options["until"]
        teacher: Teacher = School() if options["learn"] else Constant(born_version())
        with progress_bar(quiet=options["json"]) as progress:
            replayed = replay(
                minutes,
                timeframe=timeframe,
                rules=rules(),
                teacher=teacher,
                first_close_ms=max(first_ms, to_ms(since) if since else first_ms),
                last_close_ms=min(last_ms, to_ms(until) if until else last_ms) // timeframe.ms * timeframe.ms,
                progress=progress,
            )
        return report(replayed)
