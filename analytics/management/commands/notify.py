"""Channels from the command line: `manage.py notify`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from analytics.models import Channel
from analytics.notifications.sending import Became
from analytics.notifications.services import notify, try_channel
from analytics.selectors.outbox import channel_rows


class Command(BaseCommand):
    help = (
        "Channels and the outbox: `status` lists them, `test CHANNEL` sends a message now, `send` looks for news and "
        "sends what is due, as the task does each minute. Ends with 1 if the test did not arrive. "
        "Example: manage.py notify test phone"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["status", "test", "send"])
        parser.add_argument("channel", nargs="?", help="the name of a channel, for test")

    def handle(self, *args: Any, action: str, channel: str | None, **options: Any) -> None:
        if action == "test":
            self._test(channel)
        elif action == "send":
            done = notify().figures()
            self.stdout.write(", ".join(f"{number} {what}" for what, number in done.items()))
        else:
            self._status()

    def _test(self, name: str | None) -> None:
        chosen = Channel.objects.filter(name=name or "").first()
        if chosen is None:
            known = ", ".join(Channel.objects.values_list("name", flat=True)) or "none; make one in the admin"
            raise CommandError(f"there is no channel {name or 'of no name'}. Known are: {known}")
        result = try_channel(channel=chosen)
        if result is None:
            raise CommandError(f"{chosen} is closed or rests, so it was not tried; see manage.py notify status")
        if result.became is not Became.DELIVERED:
            raise CommandError(f"{chosen} did not take it: {result.reason}")
        self.stdout.write(f"{chosen} took the test message")

    def _status(self) -> None:
        rows = channel_rows()
        for row in rows:
            counts = ", ".join(f"{number} {state}" for state, number in row["counts"].items())
            self.stdout.write(f"{row['name']} ({row['medium']}): {row['standing']}; {counts or 'nothing yet'}")
        if not rows:
            self.stdout.write("There is no channel. Make one in the admin: /admin/analytics/channel/add/")
