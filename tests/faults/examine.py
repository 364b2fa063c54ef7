"""`python -m tests.faults.examine SINCE FILE`: all that a lived system is judged by, as JSON in the file."""

import json
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import django

django.setup()

from alphapulse_site.snapshots import snapshot  # noqa: E402
from analytics.doctor import examine  # noqa: E402
from learning.audit import audit  # noqa: E402
from learning.certify import certify  # noqa: E402
from tests.tables import all_tables  # noqa: E402


def report(since: datetime) -> dict[str, Any]:
    """The doctor's findings, what `certify` and `audit` compared, and all tables."""
    findings = [asdict(finding) for finding in examine()]
    certificate, audited = certify(since=since, until=None), audit()
    with snapshot():
        tables = all_tables()
    return {
        "findings": findings,
        "certify": {"closes": certificate.closes, "scans": certificate.scans, "differences": certificate.differences}
        | {"unclear": certificate.unclear},
        "audit": {"events": audited.events, "replayed": audited.replayed, "differences": audited.differences},
        "tables": tables,
    }


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(report(datetime.fromisoformat(sys.argv[1]))), encoding="utf-8")
