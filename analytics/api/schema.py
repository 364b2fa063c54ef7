"""The OpenAPI schema where it needs a word of ours: what it leaves out, and what its generator cannot know."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension

from analytics.api.authentication import TokenAuthentication
from analytics.api.examples import recorded
from learning.models import STATE_TYPES

Endpoints = list[tuple[str, str, str, Any]]
Schema = dict[str, Any]

# What the converters of our addresses take; a longer number is an address that does not exist.
ADDRESS_PARTS: dict[str, Schema] = {
    "number": {"type": "integer", "minimum": 0, "maximum": 10**18 - 1},
    "version": {"type": "integer", "minimum": 0, "maximum": 10**9 - 1},
    "state_type": {"type": "string", "enum": [name for name, _ in STATE_TYPES]},
}


def without_second_spellings(endpoints: Endpoints) -> Endpoints:
    """The learning endpoints also answer with a final slash; the schema knows one spelling of each."""
    return [entry for entry in endpoints if not (entry[0].startswith("/api/learning/") and entry[0].endswith("/"))]


def told_as_it_is(result: Schema, **_: Any) -> Schema:
    """Tables are text, numbers in addresses have an end, some reads need nobody to say who they are; and examples."""
    for method, operation in _operations(result):
        _exemplify(operation)
        for answer in operation["responses"].values():
            if "text/csv" in answer.get("content", {}):
                answer["content"]["text/csv"] = {"schema": {"type": "string"}}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path" and parameter["name"] in ADDRESS_PARTS:
                parameter["schema"] = ADDRESS_PARTS[parameter["name"]]
        if method == "get" and settings.ALPHAPULSE_ANONYMOUS_READS and {} not in operation.get("security", [{}]):
            operation["security"].append({})
    return result


def _exemplify(operation: Schema) -> None:
    """What the operation answered once."""
    if operation["operationId"] not in recorded():
        return
    for status, answer in operation["responses"].items():
        if status.startswith("2") and "application/json" in answer["content"]:
            value = recorded()[operation["operationId"]]
            answer["content"]["application/json"]["examples"] = {"recorded": {"value": value}}


def _operations(result: Schema) -> Iterator[tuple[str, Schema]]:
    for path in result["paths"].values():
        yield from path.items()


class TokenScheme(OpenApiAuthenticationExtension):
    """A token, in the words of OpenAPI."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "Made by `manage.py token create NAME --scope read` (or operate), or in the admin.",
        }
