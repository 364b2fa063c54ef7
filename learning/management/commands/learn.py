"""manage.py learn: the nightly or weekly job by hand, on the same code path as the tasks."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.models import JobRun
from learning import selectors
from learning.calendar import DAILY, WEEKLY
from learning.services import append_outcomes, run_job
from learning.versions import ensure_birth

JOBS = {"daily": DAILY, "weekly": WEEKLY}


class Command(BaseCommand):
    help = (
        "Run every nightly and weekly job that is due, in order of time, up to the period asked for. "
        "Example: manage.py learn daily --period 2021-07-02"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", choices=sorted(JOBS))
        parser.add_argument("--period", help="a day (2021-07-02) or an ISO week (2021-W26); default: all that are due")

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_birth()
        append_outcomes()
        job, period = JOBS[options["job"]], options["period"]
        if period and JobRun.objects.filter(job=job, period=period, status=JobRun.Status.DONE).exists():
            self.stdout.write(f"{job} {period} is done already; nothing was changed")
            return
        due = selectors.due_jobs()
        wanted = [entry for entry in due if entry.job == job and period in (None, entry.period)]
        if not wanted:
            listed = ", ".join(entry.period for entry in due if entry.job == job) or "none"
            raise CommandError(f"{job} {period or ''} is not due; due are: {listed}".replace("  ", " "))
        # A version builds on those before it, so what is due earlier is learned first.
        for entry in [entry for entry in due if entry <= max(wanted)]:
            run = run_job(entry)
            self.stdout.write(f"{entry.job} {entry.period}: {run.status if run else 'another process is at it'}")
