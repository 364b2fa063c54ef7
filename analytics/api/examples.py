"""Answers as they were, for the schema: recorded from a run of the shipped recording (`tests.analytics.examples`).

Lists are cut to their first rows, so that a total beside one may be larger than what stands there.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("recorded")


@cache
def recorded() -> dict[str, Any]:
    """The answer of each operation by its id."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
