"""manage.py planted: the learner and its rivals in markets whose truth is known."""

import json
import os
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.arguments import progress_bar
from learning.planted.figures import Results
from learning.planted.summary import as_json, table
from learning.planted.trials import Found, Job, jobs
from learning.planted.world import KINDS
from learning.planted.yardstick import REFERENCE
from learning.planted_page import page
from learning.planted_pool import results_of

EXAMPLE = "example: manage.py planted --world A,N --seeds 4 --report var/planted"


def world_list(text: str) -> list[str]:
    """Kinds of world between commas, or all of them."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if names == ["all"]:
        return list(KINDS)
    unknown = [name for name in names if name not in KINDS]
    if unknown or not names:
        said = f"there is no world {', '.join(unknown)}" if unknown else "no world named"
        raise ArgumentTypeError(f"{said}; name some of {', '.join(KINDS)}, separated by commas, or all")
    return names


def at_least(least: int, what: str) -> Callable[[str], int]:
    """A whole number of `what`, no smaller."""

    def number(text: str) -> int:
        if not text.isdigit() or int(text) < least:
            raise ArgumentTypeError(f"{text!r} {what}: give a whole number from {least} on")
        return int(text)

    return number


class Command(BaseCommand):
    help = f"Run the learner over markets whose truth is known and say what it reached, beside rivals. {EXAMPLE}"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--world", type=world_list, default="all", help=f"separated by commas: {', '.join(KINDS)}; default all"
        )
        parser.add_argument("--seeds", type=at_least(1, "seeds"), default=24, help="markets of each kind; default 24")
        parser.add_argument("--days", type=at_least(3, "days"), default=84, help="days of each run; default 84")
        parser.add_argument("--shuffled", action="store_true", help="also runs on permuted outcomes: nothing to learn")
        parser.add_argument(
            "--reference",
            type=at_least(1000, "scans"),
            default=REFERENCE,
            help=f"scans that weights are scored on each day; default {REFERENCE}",
        )
        parser.add_argument(
            "--processes", type=at_least(1, "processes"), default=os.cpu_count() or 1, help="default one a core"
        )
        parser.add_argument("--json", action="store_true", help="print the figures as JSON, and nothing else")
        parser.add_argument("--report", metavar="DIR", help="also write DIR/planted.html and DIR/planted.json")

    def handle(self, *args: Any, **options: Any) -> None:
        settings = {name: options[name] for name in ("seeds", "days", "reference")}
        found = self._found(jobs(options["world"], shuffled=options["shuffled"], **settings), options)
        results = Results(tuple(found))
        figures = json.dumps(as_json(results, **settings), indent=None if options["json"] else 2, allow_nan=False)
        if options["report"]:
            html = page(results, seeds=options["seeds"], days=options["days"])
            self._write(Path(options["report"]), html, figures)
        self.stdout.write(figures if options["json"] else "\n".join(table(results)))

    def _found(self, asked: list[Job], options: dict[str, Any]) -> list[Found]:
        found = []
        with progress_bar(quiet=options["json"]) as progress:
            for each in results_of(asked, options["processes"]):
                found.append(each)
                progress("trials", len(found) / len(asked))
        return sorted(found, key=lambda each: asked.index(each.job))

    def _write(self, folder: Path, html: str, figures: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "planted.html").write_text(html, encoding="utf-8")
            (folder / "planted.json").write_text(figures + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{folder}: cannot be written to: {error.strerror}; name another --report") from error
