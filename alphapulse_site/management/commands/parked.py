"""manage.py parked: the tasks that failed for good, and how they are sent again once the cause is cured."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alphapulse_site.models import ParkedTask
from alphapulse_site.parking import NotSentError, retry_parked


class Command(BaseCommand):
    help = (
        "Show the tasks that failed for good, and send them again once the cause is cured. "
        "Example: manage.py parked retry 17 18, or manage.py parked retry --all"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="list|retry")
        shown = acts.add_parser("list", help="those not sent again yet; example: manage.py parked list --traceback")
        shown.add_argument("--all", action="store_true", help="also those that were sent again")
        shown.add_argument("--traceback", action="store_true", help="with the end of each traceback")
        retried = acts.add_parser("retry", help="send some again; example: manage.py parked retry 17 18")
        retried.add_argument("number", nargs="*", type=int, help="as `parked list` shows it")
        retried.add_argument("--all", action="store_true", help="all that were not sent again yet, oldest first")

    def handle(self, *args: Any, **options: Any) -> None:
        {"list": self._list, "retry": self._retry}[options["act"]](options)

    def _list(self, options: dict[str, Any]) -> None:
        for task in ParkedTask.objects.order_by("parked_at") if options["all"] else ParkedTask.waiting():
            again = f"\tsent again {task.retried_at:%Y-%m-%d %H:%M} by {task.retried_by}" if task.retried_at else ""
            given = f"{task.args} {task.kwargs}"
            self.stdout.write(
                f"{task.pk}\t{task.parked_at:%Y-%m-%d %H:%M:%S}\t{task.name}\t{given}\t{task.error}{again}"
            )
            if options["traceback"] and task.traceback:
                self.stdout.write(task.traceback)

    def _retry(self, options: dict[str, Any]) -> None:
        if bool(options["number"]) == options["all"]:
            raise CommandError("name the numbers of some, or --all; manage.py parked list shows them")
        numbers = options["number"] or list(ParkedTask.waiting().values_list("pk", flat=True))
        untouched = [number for number in numbers if not self._send(number)]
        self.stdout.write(f"{len(numbers) - len(untouched)} sent again")
        if untouched:
            listed = ", ".join(map(str, untouched))
            raise CommandError(f"not sent, since they are not parked or somebody has sent them again: {listed}")

    def _send(self, number: int) -> bool:
        try:
            return retry_parked(parked_id=number, by=f"{getpass.getuser()} on the command line")
        except NotSentError as error:
            raise CommandError(f"{number}: {error}") from error
