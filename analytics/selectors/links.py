"""Which page says more about what a message tells."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse

from analytics.notifications.kinds import REPORTS, Kind


def path_of(kind: str, facts: Mapping[str, Any]) -> str:
    """The path of the page; the overview where there is none of its own."""
    if kind in REPORTS:
        return reverse("dashboard:report", args=[facts["report"], facts["period"]])
    if kind in (Kind.SIGNAL, Kind.OUTCOME):
        return reverse("dashboard:signal", args=[facts["id"]])
    if kind in (Kind.VERSION_PROMOTED, Kind.VERSION_ROLLED_BACK):
        return reverse("dashboard:version", args=[facts["state_type"], facts["version"]])
    if kind in (Kind.DATA_STALE, Kind.JOB_LATE):
        return reverse("dashboard:jobs")
    return reverse("dashboard:overview")
