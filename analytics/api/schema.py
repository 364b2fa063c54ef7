"""The OpenAPI schema where it needs a word of ours: what it leaves out, and how to show who is asking."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from analytics.api.authentication import TokenAuthentication

Endpoints = list[tuple[str, str, str, Any]]


def without_second_spellings(endpoints: Endpoints) -> Endpoints:
    """The learning endpoints also answer with a final slash; the schema knows one spelling of each."""
    return [entry for entry in endpoints if not (entry[0].startswith("/api/learning/") and entry[0].endswith("/"))]


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
