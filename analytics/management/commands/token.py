"""manage.py token: make, list and revoke the secrets by which scripts read and operate the API."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from analytics.models import ApiToken
from analytics.tokens import TokenError, account_for, create_token, revoke_token


class Command(BaseCommand):
    help = (
        "Make, list and revoke tokens of the API. A secret is shown once, when it is made. "
        "Example: manage.py token create grafana --scope read --days 90"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="create|list|revoke")
        create = acts.add_parser("create", help="make one; example: manage.py token create ada --scope operate")
        create.add_argument("name", help="what it is called; without --user also the account it belongs to")
        create.add_argument("--scope", choices=ApiToken.Scope.values, default=ApiToken.Scope.READ.value)
        create.add_argument("--days", type=int, help="how long it opens anything; without it, until it is revoked")
        create.add_argument("--user", help="whose token it is; by default that of an account nobody can log in to")
        acts.add_parser("list", help="show all: scope, user, last use; example: manage.py token list")
        revoke = acts.add_parser("revoke", help="end one; example: manage.py token revoke grafana")
        revoke.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        {"create": self._create, "list": self._list, "revoke": self._revoke}[options["act"]](options)

    def _create(self, options: dict[str, Any]) -> None:
        name, scope, days = options["name"], options["scope"], options["days"]
        if days is not None and not 1 <= days <= 3650:
            raise CommandError("--days must be 1 to 3650")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        try:
            user = named(options["user"]) if options["user"] else account_for(name=name, scope=scope)
            row, secret = create_token(name=name, scope=scope, user=user, expires_at=expires_at)
        except TokenError as error:
            raise CommandError(str(error)) from error
        # To standard error, so that the secret alone goes into a file or a variable.
        until = f"until {expires_at:%Y-%m-%d %H:%M} UTC" if expires_at else "until it is revoked"
        self.stderr.write(f"{row} of {user}, {until}. Kept nowhere, shown this once:")
        self.stdout.write(secret)

    def _list(self, options: dict[str, Any]) -> None:
        now = timezone.now()
        for row in ApiToken.objects.select_related("user").order_by("name", "-created_at"):
            state = "living" if row.opens_at(now) else "revoked" if row.revoked_at else "expired"
            used = f"{row.last_used_at:%Y-%m-%d %H:%M}" if row.last_used_at else "never"
            until = f"{row.expires_at:%Y-%m-%d %H:%M}" if row.expires_at else "-"
            self.stdout.write(f"{row.name}\t{row.scope}\t{row.user}\t{state}\tuntil {until}\tlast used {used}")

    def _revoke(self, options: dict[str, Any]) -> None:
        if not revoke_token(name=options["name"]):
            raise CommandError(f"there is no living token {options['name']}; manage.py token list shows them")
        self.stdout.write(f"{options['name']} opens nothing any more")


def named(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise TokenError(f"there is no user {username}; manage.py createsuperuser makes one, or leave --user out")
    return user
