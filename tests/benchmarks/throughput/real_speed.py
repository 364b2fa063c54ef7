"""So many minutes of the market at real speed: how late each scan was, what was lost, what it cost."""

import json
import os
import re
import sys
import time
import urllib.request
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psutil
from django.conf import settings

from alphapulse_site.clock import market_now
from signals.selectors import decided_until
from tests.benchmarks.throughput.crew import CELERY, MANAGE, cpu_seconds, crew, largest_mb, postgres, process, worker
from tests.benchmarks.throughput.figures import tell_costs, tell_lag, tell_loss
from tests.benchmarks.throughput.market import write

SPARE_MINUTES = 30
# After the last minute what is under way is decided.
SECONDS_TO_END, LONGEST_END = 2.0, 120.0


@dataclass
class Watched:
    """What was seen from outside: CPU seconds by process, the largest memory (MB), the machine's load."""

    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    load: list[float] = field(default_factory=list)
    seconds: float = 0.0


def play(names: Sequence[str], asked: Namespace) -> None:
    root = Path(settings.PLACES.root)
    write(root / "market", names, asked.minutes + SPARE_MINUTES)
    logs = root / "bench_log"
    logs.mkdir(exist_ok=True)
    options = ["--port", "0", "--control-port", "0", "--speed", "1", "--start", "clock"]
    with ExitStack() as stack:
        command = [sys.executable, MANAGE, "exchange", "--candles", str(root / "market"), *options]
        exchange = stack.enter_context(process(command, logs / "exchange.log", PYTHONUNBUFFERED="1"))
        rest, control = addresses(logs / "exchange.log")
        commands = {
            "stream": [sys.executable, MANAGE, "stream"],
            "beat": [*CELERY, "beat", "--pidfile=", "--loglevel", "WARNING"],
            "scan": worker("scan,tracking", asked.workers),
            "ingestion": worker("ingestion,maintenance,learning", 1),
        }
        urls = {"ALPHAPULSE_SPOT_URL": rest, "ALPHAPULSE_STREAM_URL": rest.replace("http", "ws", 1)}
        running = stack.enter_context(crew(commands, logs, **urls))
        behind = offset_ms(rest)
        watched = watch(running | {"exchange": exchange, "postgres": postgres()}, asked, names, control)
    print(f"\n{len(names)} symbols for {asked.minutes} minutes, {asked.workers} scan processes, {asked.chunk} a task:")
    tell_lag(behind)
    tell_loss(names)
    tell_costs(watched.cpu, watched.memory, watched.load, watched.seconds)


def addresses(log: Path) -> tuple[str, str]:
    """Where the exchange listens, once it says so."""
    for _ in range(600):
        found = re.search(r"exchange at (\S+) \(streams at \S+, control at (\S+)\)", log.read_text())
        if found:
            return found[1], found[2]
        time.sleep(0.2)
    raise SystemExit(f"the exchange does not start; look at {log}")


def offset_ms(rest: str) -> float:
    """How far the wall clock is ahead of the exchange's."""
    with urllib.request.urlopen(f"{rest}/api/v3/time") as answer:
        return time.time() * 1000 - float(json.load(answer)["serverTime"])


def watch(running: dict[str, psutil.Process], asked: Namespace, names: Sequence[str], control: str) -> Watched:
    watched, before = Watched(), {name: cpu_seconds(each) for name, each in running.items()}
    began = time.monotonic()
    halted = False
    while (passed := time.monotonic() - began) < asked.minutes * 60:
        time.sleep(2)
        if asked.halt and not halted and passed >= asked.halt * 60:
            halted = halt(control, names[-1])
        look(running, watched, before)
    end = time.monotonic() + LONGEST_END
    while time.monotonic() < end and is_behind():
        time.sleep(SECONDS_TO_END)
    look(running, watched, before)
    watched.seconds = time.monotonic() - began
    return watched


def look(running: dict[str, psutil.Process], watched: Watched, before: dict[str, float]) -> None:
    watched.load.append(os.getloadavg()[0])
    for name, each in running.items():
        watched.cpu[name] = max(cpu_seconds(each) - before[name], watched.cpu.get(name, 0.0))
        watched.memory[name] = max(largest_mb(each), watched.memory.get(name, 0.0))


def is_behind() -> bool:
    now, decided = market_now(), decided_until(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    return now is not None and (decided is None or now - decided >= timedelta(minutes=1))


def halt(control: str, name: str) -> bool:
    """From now on the exchange has no candles of a symbol, and says so only when it is asked for its list."""
    body = json.dumps({"kind": "halt", "symbols": [name]}).encode()
    request = urllib.request.Request(f"{control}/faults", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()
    return True
