"""Tokens of the API: made, recognised and revoked. The secret itself is told once and kept nowhere.

A secret is 256 random bits, so one round of SHA-256 is enough to keep it, and a look-up by the digest finds it in one
step of an index; salted and slow hashing is for what people can guess.
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from analytics.access import OPERATORS, is_operator
from analytics.models import ApiToken

# So that a scanner for secrets knows one of ours when somebody publishes it.
PREFIX = "alphapulse_"
NOTED_EVERY = timedelta(minutes=1)


class TokenError(ValueError):
    """A token that cannot be made or found; the message says what to do."""


def create_token(*, name: str, scope: str, user: User, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """A token of that user and its secret, which nobody can tell again.

    Raises TokenError for a name that is in use, or where the user may not do what the scope allows.
    """
    row = ApiToken(user=user, name=name, scope=scope, expires_at=expires_at)
    return row, issue_token(row=row)


def issue_token(*, row: ApiToken) -> str:
    """Save a token that is none yet, and tell its secret. Raises TokenError as `create_token` does."""
    if refusal := refusal_of(row):
        raise TokenError(refusal)
    secret = PREFIX + secrets.token_urlsafe(32)
    row.digest = digest_of(secret)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        # Somebody took the name after it was looked for.
        raise TokenError(taken(row.name)) from error
    return secret


def refusal_of(row: ApiToken) -> str:
    """Why this token may not be; empty where it may."""
    if row.scope == ApiToken.Scope.OPERATE and not is_operator(row.user):
        return f"{row.user} is no operator; make them staff or a member of the group {OPERATORS}, or use read."
    if row.expires_at is not None and row.expires_at <= timezone.now():
        return "it would have expired already; choose a later time."
    return taken(row.name) if ApiToken.objects.filter(name=row.name, revoked_at=None).exists() else ""


def taken(name: str) -> str:
    return f"there is a token {name} already; revoke it first, or choose another name."


def account_for(*, name: str, scope: str) -> User:
    """The account of a script, named like its token: nobody can log in to it. An operator if it is to operate."""
    with transaction.atomic():
        account, made = User.objects.get_or_create(username=name)
        if made:
            account.set_unusable_password()
            account.save(update_fields=["password"])
            if scope == ApiToken.Scope.OPERATE:
                account.groups.add(Group.objects.get_or_create(name=OPERATORS)[0])
    return account


def revoke_token(*, name: str) -> bool:
    """From now on the living token of that name opens nothing; False if there is none."""
    return bool(ApiToken.objects.filter(name=name, revoked_at=None).update(revoked_at=timezone.now()))


def recognised(secret: str) -> ApiToken | None:
    """The token whose secret this is, with its user; None if there is none, or it opens nothing any more."""
    found = ApiToken.objects.filter(digest=digest_of(secret)).select_related("user").first()
    return found if found and found.opens_at(timezone.now()) and found.user.is_active else None


def note_use(token: ApiToken) -> None:
    """Remember that the token was used just now, to the minute: a write a minute and not one a request."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - NOTED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - NOTED_EVERY)
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)


def digest_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
