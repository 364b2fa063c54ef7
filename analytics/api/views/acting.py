"""What the writing endpoints share: a checked body, one service, and an Idempotency-Key on every one."""

import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.acknowledged import Acknowledged, KeyReusedError, acknowledge_once, fingerprint_of
from analytics.api.errors import ConflictingKey
from analytics.api.views.base import Declared, problems

KEY_HEADER = "Idempotency-Key"
LONGEST_KEY = 200
KEY_PATTERN = "^[!-~]+$"
REPEATED_HEADER = "Idempotent-Replayed"


class NoBody(serializers.Serializer[Any]):
    """Nothing to say; an empty body will do."""


class ActView(APIView, ABC):
    """POST one act: the body is checked by `body_class`, the work is one service's."""

    body_class: ClassVar[Declared] = NoBody

    @abstractmethod
    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        """Do it, and say what was done. What it writes is kept with the key or not at all."""

    def afterwards(self, answer: Acknowledged) -> None:
        """What follows once the act is written down; a hint to a worker."""

    def post(self, request: Request, **address: Any) -> Response:
        body = self.body_class(data=request.data)
        body.is_valid(raise_exception=True)
        refuse_unknown(body, request.data)
        answer = self._answer(request, body.validated_data, address)
        if not answer.is_repeated:
            self.afterwards(answer)
        headers = {"Location": answer.location} if answer.location else {}
        if answer.is_repeated:
            headers[REPEATED_HEADER] = "true"
        return Response(answer.body, status=answer.status, headers=headers)

    def _answer(self, request: Request, said: dict[str, Any], address: dict[str, Any]) -> Acknowledged:
        user, key = cast(User, request.user), request.headers.get(KEY_HEADER)
        if key is None:
            return self.act(user, said, **address)
        # An empty one too: whoever sends it believes that the act is done once.
        if len(key) > LONGEST_KEY or not re.fullmatch(KEY_PATTERN, key):
            raise ValidationError({KEY_HEADER: f"send 1 to {LONGEST_KEY} printable ASCII characters without a blank."})
        fingerprint = fingerprint_of("POST", request.path.rstrip("/"), request.data)
        try:
            return acknowledge_once(
                user=user, key=key, fingerprint=fingerprint, act=lambda: self.act(user, said, **address)
            )
        except KeyReusedError as error:
            raise ConflictingKey(str(error)) from error


def refuse_unknown(body: serializers.Serializer[Any], data: Any) -> None:
    """A member nobody knows is a mistake, and not a wish to be passed over."""
    unknown = [name for name in data if name not in body.fields]
    if unknown:
        known = f"known are: {', '.join(body.fields) or 'none'}."
        raise ValidationError(dict.fromkeys(unknown, f"unknown; {known}"))


def acting(
    summary: str,
    operation: str,
    *,
    tag: str,
    body: Declared = NoBody,
    answer: Declared,
    status: int = 200,
    also: tuple[int, ...] = (),
    description: str = "",
    examples: list[OpenApiExample] | None = None,
) -> Any:
    """The schema of an act, for `extend_schema_view(post=...)`."""
    key = OpenApiParameter(
        KEY_HEADER,
        {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
        OpenApiParameter.HEADER,
        description="the same key with the same request again gets the first answer, and nothing is done twice",
    )
    return extend_schema(
        operation_id=operation,
        summary=summary,
        description=description or None,
        tags=[tag],
        request=body if body().fields else None,
        parameters=[key],
        responses={status: OpenApiResponse(answer, "what was done"), **problems(400, 401, 403, 415, 422, 429, *also)},
        examples=examples,
    )
