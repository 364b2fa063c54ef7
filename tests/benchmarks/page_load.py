"""Twenty clients on every page and endpoint, served as the Procfile does, from a long history.

    python -m tests.benchmarks.page_load --data var/big

First one request to each address of a server that has just started (cold), then all clients at once, each going through
all addresses in an order of its own. Meanwhile a close is decided every few seconds, as a recording played at 60x does,
so that answers which are kept are made again. Anonymous for the API, a superuser's session for pages and admin.
"""

import argparse
import asyncio
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import aiohttp
import numpy as np
import psutil

from alphapulse_site.embedded import running
from alphapulse_site.places import Places
from tests.benchmarks.big_history.__main__ import UNLIMITED
from tests.benchmarks.settled import point_at

if TYPE_CHECKING:
    from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
LIMIT_MS = 300
START_SECONDS = 60
LONGEST_NAME = 52
REPEATS = 3


@dataclass
class Seen:
    """What the answers of one address were like; seconds, and bytes of the last one.

    `cpu`: what a warm answer takes of the processor here, without the database's; `alone`: how long it takes with it.
    """

    name: str
    path: str
    queries: int = 0
    cpu: float = 0.0
    alone: float = 0.0
    cold: float = 0.0
    size: int = 0
    seconds: list[float] = field(default_factory=list)
    refusals: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def single(self) -> tuple[float, float, float]:
        return self.cold, self.alone, self.cpu

    def note(self, status: int, seconds: float, size: int) -> None:
        self.seconds.append(seconds)
        self.size = size
        if status not in (200, 503 if self.name == "healthz" else 200):
            self.refusals[status] += 1

    def percentile(self, share: float) -> float:
        return 1000 * float(np.percentile(self.seconds, share)) if self.seconds else float("nan")

    @property
    def is_slow(self) -> bool:
        return self.percentile(95) > LIMIT_MS


@dataclass(frozen=True)
class Served:
    """A web process that answers at `base`, with its workers."""

    base: str
    pid: int

    def cpu_seconds(self) -> float:
        parent = psutil.Process(self.pid)
        times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
        return sum(each.user + each.system for each in times)


@dataclass(frozen=True)
class Rate:
    """How much was served: requests a second, and the processor's time of the web process for one."""

    requests: float
    cpu_ms: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.page_load",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("var/big"), help="what big_history made (default var/big)")
    parser.add_argument("--clients", type=int, default=20, help="clients at once (default 20)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default 60)")
    parser.add_argument(
        "--close-every", type=float, default=15.0, help="seconds between closes; 0 for none (default 15)"
    )
    parser.add_argument("--think", type=float, default=0.0, help="seconds a client waits after an answer (default 0)")
    parser.add_argument("--only", default="", help="only addresses whose name holds this")
    return parser.parse_args()


def session_cookie() -> str:
    """The session of a superuser."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    user, _ = User.objects.get_or_create(username="load", defaults={"is_staff": True, "is_superuser": True})
    session = SessionStore()
    session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def needs_session(name: str) -> bool:
    return ":" in name or name == "home"


def look_alone(seen: list[Seen], cookie: str) -> None:
    """Ask each address in this process, first for its queries; what refuses a GET is left out."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    key, _, value = cookie.partition("=")
    for address in list(seen):
        client = Client(raise_request_exception=False, headers={"host": "127.0.0.1"})
        if needs_session(address.name):
            client.cookies[key] = value
        with CaptureQueriesContext(connection) as captured:
            status = client.get(address.path).status_code
        address.queries = len(captured)
        if status == 405:
            seen.remove(address)
        else:
            address.cpu, address.alone = min(_timed(client, address.path) for _ in range(REPEATS))


def _timed(client: "Client", path: str) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    client.get(path)
    return time.process_time() - cpu, time.perf_counter() - began


@contextmanager
def served(log: Path) -> "Iterator[Served]":
    """The web process of the Procfile on a free port."""
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    command = next(line for line in lines if line.startswith("web:")).removeprefix("web:").strip()
    with closing(socket()) as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with log.open("wb") as told:
        process = subprocess.Popen(
            ["sh", "-c", command],
            cwd=ROOT,
            env=os.environ | {"PORT": str(port), "PATH": path},
            stdout=told,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/static/", process)
            yield Served(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Until it answers, whatever it says."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(url, timeout=5)
        except OSError as error:
            if hasattr(error, "code"):
                return
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the web process does not answer at {url}")


async def ask(http: aiohttp.ClientSession, address: Seen, cookie: str) -> tuple[int, float, int]:
    headers = {"Cookie": cookie} if needs_session(address.name) else {}
    began = time.perf_counter()
    async with http.get(address.path, headers=headers, allow_redirects=False) as answer:
        body = await answer.read()
    return 200 if answer.status == 302 else answer.status, time.perf_counter() - began, len(body)


async def client(
    http: aiohttp.ClientSession, seen: list[Seen], cookie: str, until: float, think: float, number: int
) -> None:
    """One reader: asks for everything in an order of its own, and waits `think` seconds after each answer."""
    draw = random.Random(number)
    await asyncio.sleep(think * draw.random())
    while True:
        for address in draw.sample(seen, len(seen)):
            if time.monotonic() > until:
                return
            address.note(*await ask(http, address, cookie))
            await asyncio.sleep(think)


async def load(web: Served, seen: list[Seen], cookie: str, asked: argparse.Namespace) -> Rate:
    """Cold requests one by one, then all clients together; returns the rate of the latter."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(web.base, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as http:
        for address in seen:
            _, address.cold, address.size = await ask(http, address, cookie)
        began, cpu = time.monotonic(), web.cpu_seconds()
        closing_task = asyncio.create_task(decide_closes(asked.close_every))
        clients = (
            client(http, seen, cookie, began + asked.seconds, asked.think, number) for number in range(asked.clients)
        )
        await asyncio.gather(*clients)
        closing_task.cancel()
        count = sum(len(address.seconds) for address in seen)
        return Rate(count / (time.monotonic() - began), 1000 * (web.cpu_seconds() - cpu) / count)


async def decide_closes(every: float) -> None:
    """Another close is decided every so often; nothing was scanned at it."""
    from asgiref.sync import sync_to_async

    while every:
        await asyncio.sleep(every)
        await sync_to_async(decide_one_close)()


def decide_one_close() -> None:
    from django.utils import timezone

    from alphapulse_site.models import MarketClock
    from signals.models import ScanClose

    last = ScanClose.objects.order_by("-close_time").first()
    assert last is not None
    last.close_time += timedelta(minutes=15)
    last.decided_at = timezone.now()
    last.save(force_insert=True)
    MarketClock.objects.update(closed_until=last.close_time + timedelta(minutes=5))


def take_closes_back() -> None:
    """The history as it was made."""
    from alphapulse_site.models import MarketClock
    from signals.models import ScanClose, ScanHistory

    last = ScanHistory.objects.order_by("-close_time").values_list("close_time", flat=True).first()
    assert last is not None
    ScanClose.objects.filter(close_time__gt=last).delete()
    MarketClock.objects.update(closed_until=last + timedelta(minutes=5), exchange_until=last + timedelta(minutes=5))


def tell(seen: list[Seen], rate: Rate) -> None:
    columns = (
        f"{'p50 ms':>7} {'p95 ms':>7} {'cold ms':>7} {'warm':>5} {'cpu':>5} {'queries':>7} {'bytes':>9} {'asked':>6}"
    )
    print(f"\n{'address':<{LONGEST_NAME}} {columns}")
    for address in sorted(seen, key=lambda each: -each.percentile(95) if each.seconds else 0.0):
        refused = " ".join(f"{count} x {status}" for status, count in address.refusals.items())
        times = (address.percentile(50), address.percentile(95), *(1000 * each for each in address.single))
        print(
            f"{address.name[:LONGEST_NAME]:<{LONGEST_NAME}} {' '.join(f'{each:7.0f}' for each in times)}"
            f" {address.queries:7d} {address.size:9,d} {len(address.seconds):6d}"
            f"{' over' if address.is_slow else ''} {refused}".rstrip()
        )
    everything = np.concatenate([address.seconds for address in seen])
    p50, p95 = 1000 * np.percentile(everything, [50, 95])
    slow = sum(address.is_slow for address in seen)
    print(f"all: p50 {p50:.0f} ms, p95 {p95:.0f} ms, {rate.requests:.0f} requests a second of {rate.cpu_ms:.1f} CPU ms")
    print(f"{slow} of {len(seen)} addresses over {LIMIT_MS} ms at p95" if slow else f"all under {LIMIT_MS} ms at p95")


def measure(asked: argparse.Namespace, root: Path) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from alphapulse_site.models import MarketClock
    from tests.addresses import addresses
    from tests.benchmarks.big_history.surroundings import give_signs_of_life

    call_command("migrate", verbosity=0)
    take_closes_back()
    clock: Any = MarketClock.objects.get()
    give_signs_of_life(clock.closed_until)
    seen = [Seen(each.name, each.path) for each in addresses() if asked.only in each.name]
    cookie = session_cookie()
    look_alone(seen, cookie)
    with served(root / "log" / "web.log") as web:
        rate = asyncio.run(load(web, seen, cookie, asked))
    take_closes_back()
    tell(seen, rate)


def main() -> None:
    asked = arguments()
    places = Places(asked.data.resolve())
    point_at(places, **UNLIMITED)
    with running(places):
        measure(asked, places.root)


if __name__ == "__main__":
    main()
