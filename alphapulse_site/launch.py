"""`manage.py up`: check, start the servers, prepare the data, run the processes, stop everything in reverse."""

import os
import shlex
import signal
import sys
from functools import partial
from types import FrameType

from django.conf import settings
from django.db import connections
from django.utils import timezone

from alphapulse_site import embedded, preflight, processes
from alphapulse_site.checklist import Checklist, Sign, answer_of, heartbeat_since
from alphapulse_site.clock import is_recording
from alphapulse_site.hints import hint
from alphapulse_site.markets import BINANCE
from alphapulse_site.places import as_typed
from alphapulse_site.preflight import RefusalError
from alphapulse_site.preparation import OPERATOR, STEPS, Options, password_file, prepare

STOPPED_BY_SIGNAL = (130, 143)
STOPPED_AS_ASKED = 0
SECONDS_FOR_SIGNS = 120


def launch(options: Options, checklist: Checklist) -> int:
    """Run the whole system until a signal comes; 0 if it was stopped as asked."""
    # A shell that starts us in the background has Ctrl-C ignored, and honcho will hear it in any case.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _as_interrupt)
    places = options.places
    preflight.check_environment()
    if options.market != BINANCE:
        preflight.check_recording(options.recording)
    preflight.check_disk(places.root, minimum_mb=settings.ALPHAPULSE_MINIMUM_DISK_MB)
    preflight.check_data(places)
    with preflight.only_one(places):
        processes.end_leftovers(places.root)
        preflight.check_port(options.port, option="--port (make run PORT=...)")
        preflight.check_port(options.flower_port, option="FLOWER_PORT=... in the environment")
        if options.market != BINANCE:
            preflight.check_port(options.exchange_port, option="EXCHANGE_PORT=... in the environment")
        with embedded.running(places):
            prepare(options, checklist, STEPS)
            code = run_processes(options, checklist)
        checklist.say("Everything is stopped. Start again to go on where it stopped.")
    return code


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    """A TERM before honcho takes over leaves the same way as Ctrl-C: through every `with` block."""
    raise KeyboardInterrupt


def run_processes(options: Options, checklist: Checklist) -> int:
    """Start the Procfile's processes, finish the checklist, and wait for the end."""
    printer = processes.LogPrinter(options.places.logs, checklist.say)
    commands = processes.read_procfile(settings.BASE_DIR / "Procfile")
    if not is_recording():
        del commands["exchange"]
    signs = _signs(options, printer)
    # honcho forks: a connection shared by two processes would garble both.
    connections.close_all()
    code = processes.run(
        commands,
        processes.environment(options.places.root, _process_variables(options)),
        printer,
        lambda: _when_started(options, checklist, signs),
    )
    if code in STOPPED_BY_SIGNAL or printer.first_stopped is None:
        return STOPPED_AS_ASKED
    name, its_code = printer.first_stopped
    raise RefusalError(
        f"{name} ended with code {its_code}, so everything was stopped. Its log: {printer.log_path(name)}"
    )


def _process_variables(options: Options) -> dict[str, str]:
    password = password_file(options).read_text(encoding="utf-8")
    return _exchange_variables(options) | {
        "PORT": str(options.port),
        "SPEED": f"{options.speed:g}",
        "FLOWER_PORT": str(options.flower_port),
        "FLOWER_BASIC_AUTH": f"{OPERATOR}:{password}",
        "FLOWER_READ_ONLY": "true",
        "ALPHAPULSE_FLOWER_URL": f"http://127.0.0.1:{options.flower_port}",
    }


def _exchange_variables(options: Options) -> dict[str, str]:
    """Where a recording is followed, the local exchange and nothing else, whatever the environment says."""
    if not is_recording():
        return {}
    return {
        "ALPHAPULSE_RECORDING": str(options.recording),
        "EXCHANGE_PORT": str(options.exchange_port),
        "ALPHAPULSE_ARCHIVE": f"{options.places.exchange_url('http', otherwise='')}/data",
        "ALPHAPULSE_SPOT_URL": options.places.exchange_url("http", otherwise=""),
        "ALPHAPULSE_STREAM_URL": options.places.exchange_url("ws", otherwise=""),
    }


def _signs(options: Options, printer: processes.LogPrinter) -> list[Sign]:
    start = timezone.now()

    def alive(label: str, heartbeat: str, process: str) -> Sign:
        return Sign(label, lambda: heartbeat_since(heartbeat, start), str(printer.log_path(process)))

    return [
        Sign("web", lambda: answer_of(options.port, "/admin/login/"), str(printer.log_path("web"))),
        *_exchange_sign(options, printer),
        alive("stream", "stream", "stream"),
        alive("gap backfill complete", "gap_backfill", "ingestion"),
        alive("outcome monitor started", "outcome_monitor", "scan"),
        alive("rejection monitor started", "shadow_monitor", "scan"),
        alive("learning scheduler started", "learning", "learning"),
        Sign("flower", lambda: answer_of(options.flower_port, "/"), str(printer.log_path("flower"))),
    ]


def _exchange_sign(options: Options, printer: processes.LogPrinter) -> list[Sign]:
    """The local exchange, where a recording is followed."""
    look = partial(answer_of, options.exchange_port, "/api/v3/ping")
    return [Sign("exchange", look, str(printer.log_path("exchange")))] if is_recording() else []


# What beat would send within its first five minutes is asked for at once, so that the checklist need not wait.
FIRST_TASKS = ("signals.track_signals", "signals.track_shadows", "learning.resume_jobs", "ingestion.check_gaps")


def _when_started(options: Options, checklist: Checklist, signs: list[Sign]) -> None:
    for task in FIRST_TASKS:
        hint(task)
    checklist.watch(signs, patience=SECONDS_FOR_SIGNS, then=lambda: checklist.say(where_to_look(options)))


def where_to_look(options: Options) -> str:
    web = f"http://127.0.0.1:{options.port}"
    password = as_typed(password_file(options))
    data, python = as_typed(options.places.root), as_typed(sys.executable)
    return "\n".join(
        [
            "",
            f"  figures   curl {web}/api/learning/stats",
            f"  API       {web}/api/docs/",
            f"  admin     {web}/admin/ ({OPERATOR})",
            f"  flower    http://127.0.0.1:{options.flower_port}/ ({OPERATOR}, password in {password})",
            f"  logs      {as_typed(options.places.logs)}{os.sep}*.log",
            f"  health    ALPHAPULSE_DATA={shlex.quote(data)} {python} manage.py doctor",
            "",
            "Ctrl-C stops everything.",
        ]
    )
