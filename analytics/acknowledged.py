"""Writes that may be sent twice: the Idempotency-Key of the first one, its answer, and both in one transaction."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from analytics.models import AcknowledgedRequest


class KeyReusedError(ValueError):
    """An Idempotency-Key that came before with another address or body."""


@dataclass(frozen=True)
class Acknowledged:
    """What a write answers. `is_repeated`: it was done before, and this is what was answered then."""

    status: int
    body: dict[str, Any]
    location: str = ""
    is_repeated: bool = False


def acknowledge_once(*, user: User, key: str, fingerprint: str, act: Callable[[], Acknowledged]) -> Acknowledged:
    """Act, unless this key of this user was used: then the first answer again, and nothing is done.

    What `act` raises takes the key back with it, so that the request may be mended and sent again under the same key.
    Raises KeyReusedError where the key came with another request.
    """
    with transaction.atomic():
        claim = AcknowledgedRequest(user=user, key=key, fingerprint=fingerprint)
        # Whoever comes second waits here until the first one is done, and then finds its answer.
        AcknowledgedRequest.objects.bulk_create([claim], ignore_conflicts=True)
        row = AcknowledgedRequest.objects.select_for_update().get(user=user, key=key)
        if row.fingerprint != fingerprint:
            raise KeyReusedError("this Idempotency-Key was used for another request; send a new one.")
        if row.status:
            return Acknowledged(row.status, row.body, row.location, is_repeated=True)
        answer = act()
        body = json.loads(json.dumps(answer.body, cls=DjangoJSONEncoder))
        AcknowledgedRequest.objects.filter(pk=row.pk).update(status=answer.status, body=body, location=answer.location)
    return answer


def fingerprint_of(method: str, path: str, body: Any) -> str:
    """The same for the same request, however its JSON was laid out."""
    return hashlib.sha256(f"{method} {path}\n{json.dumps(body, sort_keys=True)}".encode()).hexdigest()
