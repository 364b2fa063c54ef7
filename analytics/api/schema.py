"""What the OpenAPI schema leaves out."""

from typing import Any

Endpoints = list[tuple[str, str, str, Any]]


def without_second_spellings(endpoints: Endpoints) -> Endpoints:
    """The learning endpoints also answer with a final slash; the schema knows one spelling of each."""
    return [entry for entry in endpoints if not (entry[0].startswith("/api/learning/") and entry[0].endswith("/"))]
