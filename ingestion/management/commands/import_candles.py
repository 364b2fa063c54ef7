"""Candle files into the database, by hand."""

import json
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from alphapulse_site.arguments import utc_time
from ingestion.candles import to_ms
from ingestion.csv_format import CandleFile, CandleFileError, candle_files, read_candle_file
from ingestion.importing import ImportReport, import_files

FILES_UNUSABLE = 1
ROWS_QUARANTINED = 3
INTERRUPTED = 130
ROWS_TO_NAME = 20


class Command(BaseCommand):
    """`manage.py import_candles`."""

    help = """Import 1m candle files: SYMBOL-1m.csv.gz or .csv, Binance archive zips or CSVs, directories of them.

Importing again adds nothing; an import that was broken off goes on when it is run again. Of two candles of one minute
the stored one stays. Bad rows go to the quarantine with file, line and reason; missing minutes are explained.

Exit code 0: every row was sound. 3: bad rows were quarantined, everything else is stored. 1: a file could not be used
(wrong name, header or symbol), the other files are stored. 130: interrupted.

Example: manage.py import_candles ingestion/recordings/2021-06-10_2021-07-10 --until 2021-07-01"""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="candle file, or directory of them")
        parser.add_argument("--until", type=utc_time, help="leave out candles that open at or after this UTC time")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON and nothing else")

    def handle(self, *args: Any, paths: list[Path], until: datetime | None, **options: Any) -> None:
        self.is_quiet: bool = options["json"]
        self.errors: list[str] = []
        self.report = ImportReport()
        began = time.monotonic()
        try:
            self._import(paths, until)
        except CandleFileError as error:
            raise CommandError(str(error), returncode=FILES_UNUSABLE) from error
        except KeyboardInterrupt:
            self.stderr.write(f"interrupted after {self.report.files} files, which are stored; run it again to go on")
            raise SystemExit(INTERRUPTED) from None
        self._tell(time.monotonic() - began)
        if self.errors:
            raise SystemExit(FILES_UNUSABLE)
        if self.report.bad_rows:
            raise SystemExit(ROWS_QUARANTINED)

    def _import(self, paths: list[Path], until: datetime | None) -> None:
        files = candle_files(paths)
        now_ms = to_ms(datetime.now(UTC))
        with _progress(quiet=self.is_quiet) as bar:
            task = bar.add_task("reading", total=sum(path.stat().st_size for path in files), rate="")
            began = time.monotonic()

            def show(report: ImportReport) -> None:
                self.report = report
                rows = report.stored.inserted + report.stored.unchanged
                done = sum(path.stat().st_size for path in files[: report.files + len(self.errors)])
                rate = f"{rows:,} candles, {rows / (time.monotonic() - began):,.0f} a second"
                bar.update(task, completed=done, rate=rate)

            import_files(
                self._sound_files(files, closed_by_ms=now_ms, bar=bar),
                until_ms=min(now_ms, to_ms(until)) if until else now_ms,
                progress=show,
            )

    def _sound_files(self, files: list[Path], *, closed_by_ms: int, bar: Progress) -> Iterator[CandleFile]:
        """Each file that can be used; what is wrong with the others, and with single rows, is said at once."""
        for path in files:
            try:
                file = read_candle_file(path, closed_by_ms=closed_by_ms)
            except CandleFileError as error:
                self.errors.append(str(error))
                self._say(bar, str(error))
                continue
            for row in file.bad_rows[:ROWS_TO_NAME]:
                self._say(bar, f"{path}:{row.line}: quarantined: {row.reason}")
            if len(file.bad_rows) > ROWS_TO_NAME:
                self._say(bar, f"{path}: {len(file.bad_rows) - ROWS_TO_NAME} more rows quarantined")
            yield file

    def _say(self, bar: Progress, line: str) -> None:
        if not self.is_quiet:
            bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _tell(self, seconds: float) -> None:
        figures = self.report.as_json() | {"errors": self.errors, "seconds": round(seconds, 3)}
        if self.is_quiet:
            self.stdout.write(json.dumps(figures))
            return
        self.stdout.write(
            f"{figures['files']} files in {seconds:.1f} s: {figures['inserted']:,} candles stored,"
            f" {figures['unchanged']:,} known before ({figures['disagreeing']:,} of them differ from the stored candle,"
            f" which stays), {figures['duplicates']:,} duplicate and"
            f" {figures['unordered']:,} unordered rows, {figures['zero_volume']:,} minutes without a trade"
        )
        self.stdout.write(
            f"{figures['bad_rows']:,} bad rows, {figures['newly_quarantined']:,} of them new in the quarantine;"
            f" {figures['explained_minutes']:,} missing minutes explained"
        )
        for count, reason in sorted(((n, reason) for reason, n in self.report.bad_rows.items()), reverse=True):
            self.stdout.write(f"  {count:,} x {reason}")
        if self.errors:
            self.stdout.write(f"{len(self.errors)} files could not be used")


def _progress(*, quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=quiet)
