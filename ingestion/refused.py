"""A row or message that is of no use, and why: the shape in which every source hands it to the quarantine. Pure."""

import hashlib
from dataclasses import dataclass

LONGEST_PAYLOAD = 2000


@dataclass(frozen=True)
class Refused:
    """`payload` is cut to a length worth keeping; `digest` (sha256) tells the whole of it from others."""

    payload: str
    reason: str
    digest: str
    file: str = ""
    line: int = 0

    @classmethod
    def of(cls, text: str, reason: str, *, file: str = "", line: int = 0) -> "Refused":
        """Of the whole text."""
        return cls(text[:LONGEST_PAYLOAD], reason, hashlib.sha256(text.encode()).hexdigest(), file, line)
