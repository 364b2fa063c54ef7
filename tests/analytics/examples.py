"""Record what the endpoints answer, as the examples of the schema.

    python -m tests.analytics.examples DIRECTORY

DIRECTORY is the data of a system that runs (`manage.py up --market recording --data DIRECTORY`). Everything is read but
for the acts on versions and jobs, which are done there.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from alphapulse_site.places import Places

ROWS, ENTRIES = 2, 3


def cut(value: Any) -> Any:
    """The first rows of every list; of a table by symbol or regime the first few."""
    if isinstance(value, list):
        return [cut(item) for item in value[: ENTRIES if value and not isinstance(value[0], dict) else ROWS]]
    if isinstance(value, dict):
        few = {name: dict(list(value[name].items())[:ROWS]) for name in ("by_symbol", "by_regime") if name in value}
        return {name: cut(inner) for name, inner in (value | few).items()}
    return value


def questions(client: Any) -> dict[str, str]:
    """Each reading operation and an address that finds something."""
    scan = client.get("/api/shadows/").json()["results"][0]["scan_id"]
    number = {name: client.get(f"/api/{name}/").json()["results"][0]["id"] for name in ("signals", "shadows", "jobs")}
    learning = ("performance", "improvements", "recommendations", "rejection-analysis", "stats", "scheduler")
    newest = client.get("/api/versions/?state_type=head_weights").json()["results"][0]["version"]
    version = f"/api/versions/head_weights/{newest}/"
    return {
        **{name.replace("-", "_"): f"/api/learning/{name}" for name in learning},
        "head_weights": "/api/learning/head-weights",
        **{name: f"/api/{name}/" for name in ("signals", "shadows", "positions", "gaps", "symbols", "versions")},
        **{name: f"/api/{name}/" for name in ("heads", "health")},
        "signal": f"/api/signals/{number['signals']}/",
        "shadow": f"/api/shadows/{number['shadows']}/",
        "scan": "/api/scans/?symbol=BTCUSDT",
        "scan_by_id": f"/api/scans/{scan}/",
        "scan_history": "/api/scans/history/",
        "candles": "/api/candles/?symbol=BTCUSDT&timeframe=1h&limit=2",
        "version": version,
        "version_diff": f"{version}diff/",
        "daily_report": "/api/reports/daily/2021-07-02/",
        "weekly_report": "/api/reports/weekly/2021-W25/",
        "job_runs": "/api/jobs/",
        "job_run": f"/api/jobs/{number['jobs']}/",
        "parked_tasks": "/api/parked-tasks/",
        "healthz": "/healthz",
    }


def acts() -> dict[str, str]:
    """Each act, in an order in which none is refused."""
    return {
        "trigger_daily": "/api/learning/trigger-daily",
        "trigger_weekly": "/api/learning/trigger-weekly",
        "pin_version": "/api/versions/head_weights/1/pin/",
        "release_weights": "/api/versions/head_weights/release/",
        "freeze_weights": "/api/versions/head_weights/freeze/",
        "rollback_version": "/api/versions/head_weights/1/rollback/",
    }


def park_one() -> int:
    """A task that gave up, so that there is one to show and to send again."""
    from django.utils import timezone

    from alphapulse_site.models import ParkedTask

    known = {"name": "alphapulse_site.canary", "args": ["scan"], "error": "OperationalError: the database went away"}
    return int(
        ParkedTask.objects.get_or_create(task_id="example", defaults=known | {"parked_at": timezone.now()})[0].pk
    )


def record() -> None:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from analytics.api.examples import FOLDER

    FOLDER.mkdir(exist_ok=True)
    client = APIClient(SERVER_NAME="127.0.0.1")
    parked = park_one()
    found = {name: client.get(address) for name, address in questions(client).items()}
    client.force_authenticate(User.objects.filter(is_staff=True).first())
    done = {**acts(), "retry_parked_task": f"/api/parked-tasks/{parked}/retry/"}
    found |= {name: client.post(address) for name, address in done.items()}
    for name, answer in found.items():
        assert answer.status_code < 300, (name, answer.content)
        text = json.dumps(cut(answer.json()), indent=1, ensure_ascii=False)
        (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    places = Places(Path(sys.argv[1]).resolve())
    os.environ |= {"ALPHAPULSE_DATA": str(places.root), "DJANGO_SETTINGS_MODULE": "alphapulse_site.settings"}
    import django

    django.setup()
    record()


if __name__ == "__main__":
    main()
