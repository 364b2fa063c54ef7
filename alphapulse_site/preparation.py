"""What must be in the database before the processes start: steps that each ask what is done already."""

import io
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.module_loading import import_string

from alphapulse_site import environment
from alphapulse_site.checklist import Checklist
from alphapulse_site.markets import Wanted, bring_history, choose_market
from alphapulse_site.places import Places, as_typed
from alphapulse_site.preflight import RefusalError

OPERATOR = "operator"


@dataclass(frozen=True)
class Options:
    """What `up` was asked for."""

    market: str
    speed: float
    port: int

    @property
    def places(self) -> Places:
        places: Places = settings.PLACES
        return places

    @property
    def recording(self) -> Path:
        recording: Path = settings.ALPHAPULSE_RECORDING
        return recording

    @property
    def exchange_port(self) -> int:
        return environment.whole_number("EXCHANGE_PORT", 8900, minimum=1, maximum=65535)

    @property
    def flower_port(self) -> int:
        return environment.whole_number("FLOWER_PORT", 5555, minimum=1, maximum=65535)


Step = Callable[[Options], str]


def prepare(options: Options, checklist: Checklist, steps: "list[tuple[str, Step]]") -> None:
    """Work through the steps and tick them off."""
    for label, step in steps:
        checklist.step(label, partial(step, options))


def _database(options: Options) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))")
        version, size = cursor.fetchone()
    return f"PostgreSQL {version}, {size} at {as_typed(connection.settings_dict['HOST'])}"


def _broker(options: Options) -> str:
    with current_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=3)
        where = urlsplit(broker.as_uri())
    return f"answers at {as_typed(where.path) if where.hostname is None else where.hostname}"


def _migrations(options: Options) -> str:
    executor = MigrationExecutor(connection)
    unknown = set(executor.loader.applied_migrations) - set(executor.loader.disk_migrations)
    if unknown:
        app, name = min(unknown)
        raise RefusalError(
            f"The database in {options.places.root} was written by a newer AlphaPulse (migration {app}.{name}); "
            "nothing was changed. Update the program, or choose another --data."
        )
    due = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    call_command("migrate", verbosity=0, interactive=False)
    return f"{due} applied now, {len(executor.loader.disk_migrations)} in all"


def _operator(options: Options) -> str:
    password = environment.kept_secret(password_file(options), make=lambda: secrets.token_urlsafe(15))
    user, is_new = User.objects.get_or_create(username=OPERATOR, defaults={"is_staff": True, "is_superuser": True})
    if not is_new:
        return f"{OPERATOR}, made at the first start (manage.py changepassword {OPERATOR})"
    user.set_password(password)
    user.save(update_fields=["password"])
    return f"{OPERATOR}, password {password} (shown once; manage.py changepassword {OPERATOR})"


def password_file(options: Options) -> Path:
    """Flower reads the operator's first password from here, since Django keeps only a hash of it."""
    return options.places.root / "operator_password"


def _market(options: Options) -> str:
    wanted = Wanted(options.market, options.speed, options.recording.name, options.exchange_port)
    return choose_market(wanted, options.places)


def _history(options: Options) -> str:
    return bring_history(options.recording)


def _learning(options: Options) -> str:
    written = report_of("bootstrap")
    version = import_string("learning.selectors.latest")("head_weights").version
    if not written["closes"]:
        return f"version {version}, of an earlier start"
    return f"version {version}, from {written['scans']:,} scans and {written['events']:,} learning events of history"


def report_of(command: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    """Run a management command with --json and read its report."""
    out = io.StringIO()
    call_command(command, *arguments, json=True, stdout=out, **options)
    report: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return report


# Label, work. The work returns the figure that its line shows.
STEPS: list[tuple[str, Step]] = [
    ("database", _database),
    ("broker", _broker),
    ("migrations", _migrations),
    ("operator", _operator),
    ("market", _market),
    ("candles imported", _history),
    ("learning coordinator initialised", _learning),
]
# On servers of one's own the operator is made with createsuperuser, so that no password is printed into a log.
STEPS_WITHOUT_OPERATOR = [(label, step) for label, step in STEPS if step is not _operator]
