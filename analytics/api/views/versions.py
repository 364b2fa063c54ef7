"""Versions of what was learned: their evidence, two side by side, and what a person may do to them."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.acknowledged import Acknowledged
from analytics.api import filters, parameters
from analytics.api.errors import CannotBeDone
from analytics.api.serializers import records as answers
from analytics.api.views.acting import ActView, acting
from analytics.api.views.base import DetailView, ListView, Read, detailed, existing, listed, problems
from analytics.selectors.version_diff import replaced_by, version_diff, version_row
from analytics.selectors.versions import HEAD_WEIGHTS, told_version
from learning.by_hand import freeze, pin, release, rollback
from learning.models import LearningState
from learning.versions import VersionError


def version_or_404(state_type: str, version: int) -> LearningState:
    otherwise = f"{state_type} has no version {version}; /api/versions/?state_type={state_type} lists them."
    row: LearningState = existing(version_row(state_type, version), otherwise)
    return row


@extend_schema_view(get=listed("Versions, newest first", answers.VersionRow, "versions", "versions"))
class VersionsView(ListView):
    """Every version of every state type, with the outcomes that it was learned from."""

    queryset = LearningState.objects.defer("procedure", "certificate")
    serializer_class = answers.VersionRow
    filterset_class = filters.VersionFilter
    orders = {"-created_at": ("-created_at", "-id"), "created_at": ("created_at", "id")}


class VersionView(DetailView):
    """One version with its evidence, its certificate and its story."""

    answer_class = answers.VersionDetail

    @detailed("One version: its evidence, and why", answers.VersionDetail, "version", "versions")
    def get(self, request: Request, state_type: str, version: int) -> Response:
        return super().get(request, state_type=state_type, version=version)

    def found(self, **address: Any) -> Any:
        return told_version(version_or_404(address["state_type"], address["version"]))


class VersionDiffView(Read):
    """What a version says otherwise than another one, head by head."""

    @extend_schema(
        operation_id="version_diff",
        summary="Two versions side by side",
        tags=["versions"],
        parameters=[parameters.DiffQuery],
        responses={200: answers.VersionDiff, **problems(400, 401, 403, 404, 429)},
    )
    def get(self, request: Request, state_type: str, version: int) -> Response:
        against = parameters.checked(parameters.DiffQuery, request).validated_data.get("against")
        after = version_or_404(state_type, version)
        before = version_or_404(state_type, against) if against else replaced_by(after)
        if before is None:
            raise NotFound(f"version {version} is the first of {state_type}; name another with against=.")
        return Response(answers.VersionDiff(version_diff(after, before)).data)


def by_hand(summary: str, operation: str, description: str) -> Any:
    """The schema of an act on versions."""
    schema = acting(
        summary,
        operation,
        tag="versions",
        answer=answers.ByHand,
        status=201,
        also=(404, 409),
        description=description,
    )
    return extend_schema_view(post=schema)


class ByHandView(ActView):
    """One act of `learning.by_hand`: a new version and an event of the ledger, in one transaction."""

    kind = ""

    def done(self, make: Callable[[], LearningState], content_of: int | None = None) -> Acknowledged:
        try:
            row = make()
        except VersionError as error:
            raise CannotBeDone(str(error)) from error
        said = {name: getattr(row, name) for name in ("state_type", "version", "effective_from", "notes")}
        answer = answers.ByHand({"act": self.kind, "content_of": content_of, **said}).data
        return Acknowledged(201, dict(answer), reverse("version", args=[row.state_type, row.version]))


@by_hand(
    "Put an old version in force again",
    "rollback_version",
    "As a new version with the content of the old one, from the next market minute on.",
)
class RollbackView(ByHandView):
    kind = "rollback"

    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        state_type, version = address["state_type"], version_or_404(**address).version
        by = user.get_username()
        return self.done(lambda: rollback(state_type=state_type, version=version, by=by), version)


@by_hand(
    "Pin a version of the head weights",
    "pin_version",
    "It is in force from the next market minute on, and no night replaces it until it is released.",
)
class PinView(ByHandView):
    kind = "pin"

    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        version = version_or_404(HEAD_WEIGHTS, address["version"]).version
        return self.done(lambda: pin(version=version, by=user.get_username()), version)


@by_hand("Hold the head weights in force", "freeze_weights", "No night replaces them until they are released.")
class FreezeView(ByHandView):
    kind = "freeze"

    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        return self.done(lambda: freeze(by=user.get_username()))


@by_hand("Let the nights move the head weights again", "release_weights", "Ends a pin or a freeze.")
class ReleaseView(ByHandView):
    kind = "release"

    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        return self.done(lambda: release(by=user.get_username()))
