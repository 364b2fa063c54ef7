import os
import subprocess
import sys
import textwrap
import time
from fnmatch import fnmatch
from pathlib import Path

import psutil
import pytest
import yaml
from honcho.printer import Message

from alphapulse_site.processes import OWNER, LogPrinter, end_leftovers, read_procfile

ROOT = Path(__file__).resolve().parents[2]

# honcho takes the signal handlers of its process, so a test runs it in one of its own.
GROUP = """
    import sys
    from pathlib import Path
    from alphapulse_site import processes
    printer = processes.LogPrinter(Path(sys.argv[1]), print)
    code = processes.run(
        {"steady": "exec sleep 60", "broken": "echo 'about to fail'; exit 3"},
        processes.environment(Path(sys.argv[1]), {}), printer, lambda: print("all started"),
    )
    print(code, printer.first_stopped)
"""


def line(name: str, text: str) -> Message:
    return Message("line", text.encode(), None, name, None)


def test_a_process_that_fails_ends_the_others_and_is_named(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(GROUP), str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.stdout.splitlines() == ["all started", "3 ('broken', 3)"]
    assert (tmp_path / "broken.log").read_text(encoding="utf-8") == "about to fail\n"
    assert "steady stopped" in (tmp_path / "system.log").read_text(encoding="utf-8")


def test_the_console_shows_errors_and_the_files_hold_everything(tmp_path: Path) -> None:
    said: list[str] = []
    printer = LogPrinter(tmp_path, said.append)

    for text in ("10:00 INFO celery: received", "10:01 ERROR django: broke", "ERROR Service Unavailable: /healthz"):
        printer.write(line("web", text))

    printer.close()
    assert said == ["web: 10:01 ERROR django: broke"]
    assert len((tmp_path / "web.log").read_text(encoding="utf-8").splitlines()) == 3


def test_only_the_first_end_is_the_cause(tmp_path: Path) -> None:
    printer = LogPrinter(tmp_path, print)

    for text in ("scan started (pid=7)", "scan stopped (rc=1)", "sending SIGTERM to web (pid 8)", "web stopped (rc=0)"):
        printer.write(line("system", text))

    printer.close()
    assert printer.first_stopped == ("scan", 1)


def test_an_end_after_a_signal_is_no_cause(tmp_path: Path) -> None:
    printer = LogPrinter(tmp_path, print)

    for text in ("SIGINT received", "web stopped (rc=-15)"):
        printer.write(line("system", text))

    printer.close()
    assert printer.first_stopped is None


def test_what_a_killed_run_left_behind_is_ended_and_others_are_not(tmp_path: Path) -> None:
    ours, theirs = (
        subprocess.Popen(["sleep", "60"], env=os.environ | {OWNER: str(root)})
        for root in (tmp_path, tmp_path / "other")
    )

    ended = end_leftovers(tmp_path)

    assert ended == 1
    assert ours.poll() is not None
    assert psutil.Process(theirs.pid).is_running()
    theirs.kill()
    theirs.wait()


def test_a_signal_while_processes_are_starting_stops_them_all(tmp_path: Path) -> None:
    script = textwrap.dedent(GROUP).replace("exec sleep 60", "kill -INT $PPID_OF_ALL; exec sleep 60")
    script = "import os; os.environ['PPID_OF_ALL'] = str(os.getpid())\n" + script.replace(
        "echo 'about to fail'; exit 3", "exec sleep 60"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stdout.splitlines() == ["all started", "130 None"], done.stderr


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(GROUP).replace("echo 'about to fail'; exit 3", "exec sleep 60")
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(children := psutil.Process(parent.pid).children(recursive=True)) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)

    parent.kill()
    parent.wait()

    gone, alive = psutil.wait_procs(children, timeout=20)
    assert (len(gone), alive) == (4, [])


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, object]]:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    return dict(compose["services"])


def test_compose_runs_the_processes_of_the_procfile(services: dict[str, dict[str, object]]) -> None:
    infrastructure = {"database", "broker", "prepare", "prometheus", "grafana"}

    assert set(services) - infrastructure == set(read_procfile(ROOT / "Procfile"))


def test_compose_workers_read_the_queues_of_the_procfile(services: dict[str, dict[str, object]]) -> None:
    for name, command in read_procfile(ROOT / "Procfile").items():
        if "--queues" in command:
            words, ours = command.split(), str(services[name]["command"]).split()
            assert ours[ours.index("--queues") + 1] == words[words.index("--queues") + 1], name


def test_compose_publishes_on_loopback_only(services: dict[str, dict[str, object]]) -> None:
    ports = [str(port) for service in services.values() for port in service.get("ports", [])]  # type: ignore[attr-defined]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_compose_containers_are_healthy_or_say_so(services: dict[str, dict[str, object]]) -> None:
    without = {name for name, service in services.items() if "healthcheck" not in service}

    assert without == {"prepare"}


NEEDED_TO_BUILD = [
    "requirements/base.txt",
    "requirements/installer.txt",
    # Fetches the scripts of the pages while the image is built.
    "requirements/pages.py",
    "requirements/package-lock.json",
    "manage.py",
    "ingestion/recordings/2021-06-10_2021-07-10",
]


def is_sent_to_the_builder(place: str) -> bool:
    """As .dockerignore says: of the patterns that match the place or a directory above it the last one counts."""
    names = [place, *(parent.as_posix() for parent in Path(place).parents)]
    is_sent = True
    for pattern in (ROOT / ".dockerignore").read_text(encoding="utf-8").split():
        if any(fnmatch(name, pattern.removeprefix("!")) for name in names if name != "."):
            is_sent = pattern.startswith("!")
    return is_sent


@pytest.mark.parametrize("place", NEEDED_TO_BUILD)
def test_what_the_image_is_built_from_reaches_the_builder(place: str) -> None:
    assert (ROOT / place).exists()
    assert is_sent_to_the_builder(place)


@pytest.mark.parametrize(
    "place", ["docker/.env", "var/postgres/PG_VERSION", ".git/config", "ingestion/__pycache__/a.pyc"]
)
def test_secrets_and_data_do_not(place: str) -> None:
    assert not is_sent_to_the_builder(place)
