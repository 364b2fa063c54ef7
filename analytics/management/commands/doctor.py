"""Examine the system: `manage.py doctor`."""

import json
from dataclasses import asdict
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table

from analytics.doctor import examine
from analytics.invariants import Finding


class Command(BaseCommand):
    """Says what does not hold and what to do about it; ends with 1 if anything does not."""

    help = (
        "Check every invariant, the freshness of the data, the queues and the failed jobs. Ends with 1 if one fails.\n"
        "Example: manage.py doctor --json | jq '.[] | select(.passed | not)'"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON, and nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = examine()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            Console(file=cast(IO[str], self.stdout)).print(table_of(findings))
        failed = [finding.name for finding in findings if not finding.passed]
        if failed:
            raise SystemExit(1)


def table_of(findings: list[Finding]) -> Table:
    """One line a finding; what to do stands beside what was seen."""
    table = Table("", "check", "violations", "what was seen", "what to do", title="doctor", title_justify="left")
    for finding in findings:
        verdict = "[green]holds[/green]" if finding.passed else "[red]FAILS[/red]"
        table.add_row(verdict, f"{finding.name}  {finding.title}", str(finding.figure), finding.seen, finding.advice)
    return table
