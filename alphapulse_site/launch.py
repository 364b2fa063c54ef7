"""`manage.py up`: check, start the servers, prepare the data, run the processes, stop everything in reverse."""

import io
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.module_loading import import_string

from alphapulse_site import embedded, environment, preflight, processes
from alphapulse_site.checklist import Checklist, Sign, answer_of, heartbeat_since
from alphapulse_site.clock import market_now, set_market_clock
from alphapulse_site.hints import hint
from alphapulse_site.models import MarketClock
from alphapulse_site.preflight import RefusalError

STOPPED_BY_SIGNAL = (130, 143)
SECONDS_FOR_SIGNS = 120
OPERATOR = "operator"


@dataclass(frozen=True)
class Options:
    """What `up` was asked for."""

    market: str
    speed: float
    port: int

    @property
    def places(self) -> embedded.Places:
        places: embedded.Places = settings.PLACES
        return places

    @property
    def recording(self) -> Path:
        recording: Path = settings.ALPHAPULSE_RECORDING
        return recording

    @property
    def flower_port(self) -> int:
        return environment.whole_number("FLOWER_PORT", 5555, minimum=1, maximum=65535)


def launch(options: Options, checklist: Checklist) -> int:
    """Run the whole system until a signal comes; the exit code."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    places = options.places
    preflight.check_environment()
    preflight.check_market(options.market)
    preflight.check_recording(options.recording)
    preflight.check_disk(places.root, minimum_mb=settings.ALPHAPULSE_MINIMUM_DISK_MB)
    preflight.check_data(places)
    with preflight.only_one(places):
        processes.end_leftovers(places.root)
        preflight.check_port(options.port, option="--port (make run PORT=...)")
        preflight.check_port(options.flower_port, option="FLOWER_PORT=... in the environment")
        with embedded.running(places):
            prepare(options, checklist)
            code = run_processes(options, checklist)
        checklist.say("Everything is stopped. Start again to go on where it stopped.")
    return code


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """A TERM before honcho takes over leaves the same way as Ctrl-C: through every `with` block."""
    raise KeyboardInterrupt


Step = Callable[[Options], str]


def prepare(options: Options, checklist: Checklist) -> None:
    """Work through the steps; each asks the database what is done already."""
    for label, step in STEPS:
        checklist.step(label, lambda step=step: step(options))  # type: ignore[misc]


def _database(options: Options) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))")
        version, size = cursor.fetchone()
    return f"PostgreSQL {version}, {size} in {options.places.postgres}"


def _broker(options: Options) -> str:
    return f"Valkey on a socket, {options.places.broker_socket}"


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


def _clock(options: Options) -> str:
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=options.speed, detail=options.recording.name)
    now = market_now()
    place = f"at {now:%Y-%m-%d %H:%M} UTC" if now else "at its start"
    return f"recording {options.recording.name} at {options.speed:g}x, {place}"


def _history(options: Options) -> str:
    """Import the recording's first part. Named, not imported: the frame lies below the apps, as in the schedule."""
    report = import_string("ingestion.recording.import_history")(options.recording)
    return f"{report['inserted']:,} now, {report['unchanged']:,} before, {report['symbols']} symbols to {report['end']}"


def _gaps(options: Options) -> str:
    done = import_string("ingestion.gaps.check_gaps")()
    return f"{done.filled:,} candles, {done.explained:,} minutes explained, {done.open:,} open"


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
    ("market clock", _clock),
    ("candles imported", _history),
    ("gap backfill complete", _gaps),
    ("learning coordinator initialised", _learning),
]


def run_processes(options: Options, checklist: Checklist) -> int:
    """Start the Procfile's processes, finish the checklist, and wait for the end."""
    printer = processes.LogPrinter(options.places.logs, checklist.say)
    signs = _signs(options, printer)
    # honcho forks: a connection shared by two processes would garble both.
    connections.close_all()
    code = processes.run(
        processes.read_procfile(settings.BASE_DIR / "Procfile"),
        processes.environment(options.places.root, _process_variables(options)),
        printer,
        lambda: _when_started(options, checklist, signs),
    )
    if code in STOPPED_BY_SIGNAL or printer.first_stopped is None:
        return code
    name, its_code = printer.first_stopped
    raise RefusalError(
        f"{name} ended with code {its_code}, so everything was stopped. Its log: {printer.log_path(name)}"
    )


def _process_variables(options: Options) -> dict[str, str]:
    password = password_file(options).read_text(encoding="utf-8")
    return {
        "PORT": str(options.port),
        "SPEED": f"{options.speed:g}",
        "FLOWER_PORT": str(options.flower_port),
        "FLOWER_BASIC_AUTH": f"{OPERATOR}:{password}",
        "FLOWER_READ_ONLY": "true",
    }


def _signs(options: Options, printer: processes.LogPrinter) -> list[Sign]:
    start = timezone.now()

    def alive(label: str, heartbeat: str, process: str) -> Sign:
        return Sign(label, lambda: heartbeat_since(heartbeat, start), str(printer.log_path(process)))

    return [
        Sign("web", lambda: answer_of(options.port, "/healthz"), str(printer.log_path("web"))),
        alive("stream", "stream", "stream"),
        alive("outcome monitor started", "outcome_monitor", "scan"),
        alive("rejection monitor started", "shadow_monitor", "scan"),
        alive("learning scheduler started", "learning", "learning"),
        Sign("flower", lambda: answer_of(options.flower_port, "/"), str(printer.log_path("flower"))),
    ]


# What beat would send within its first five minutes is asked for at once, so that the checklist need not wait.
FIRST_TASKS = ("signals.track_signals", "signals.track_shadows", "learning.resume_jobs", "ingestion.check_gaps")


def _when_started(options: Options, checklist: Checklist, signs: list[Sign]) -> None:
    for task in FIRST_TASKS:
        hint(task)
    checklist.watch(signs, patience=SECONDS_FOR_SIGNS, then=lambda: checklist.say(where_to_look(options)))


def where_to_look(options: Options) -> str:
    web = f"http://127.0.0.1:{options.port}"
    return "\n".join(
        [
            "",
            f"  figures   curl {web}/api/learning/stats",
            f"  API       {web}/api/docs/",
            f"  admin     {web}/admin/ ({OPERATOR})",
            f"  flower    http://127.0.0.1:{options.flower_port}/ ({OPERATOR}, password in {password_file(options)})",
            f"  logs      {options.places.logs}{os.sep}*.log",
            f"  health    {Path(sys.executable).name} manage.py doctor",
            "",
            "Ctrl-C stops everything.",
        ]
    )
