"""A seeded random mix of all of it, half a minute long; longer with the variables below and `pytest -k mix -s`."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import pytest

from alphapulse_site.models import Heartbeat
from ingestion.models import BackfillRun, QuarantinedMessage
from tests.faults.crew import Crew
from tests.faults.ingest import Ingest, gap_ticks, market_with_history
from tests.faults.mix import Trouble, troubles
from tests.faults.truth import NAMES

SECONDS = 60 * float(os.environ.get("ALPHAPULSE_MIX_MINUTES", "0.4"))
SEED = int(os.environ.get("ALPHAPULSE_MIX_SEED", "1"))


def test_a_seed_gives_the_same_troubles_again() -> None:
    assert list(islice(troubles(3, NAMES), 50)) == list(islice(troubles(3, NAMES), 50))
    assert list(islice(troubles(3, NAMES), 50)) != list(islice(troubles(4, NAMES), 50))


@dataclass
class Mix:
    """Inflicts one trouble after the other and remembers what it saw of the streams meanwhile."""

    ingest: Ingest
    crew: Crew
    chance: random.Random
    kinds: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)

    def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        for trouble in troubles(SEED, NAMES):
            self._wait(trouble.after)
            if time.monotonic() >= until:
                return
            self.kinds[trouble.kind] += 1
            self._begin(trouble)

    def _begin(self, trouble: Trouble) -> None:
        control = self.ingest.running.control
        if trouble.kind == "disconnect":
            control.post("/disconnect", {"abort": self.chance.random() < 0.5})
        elif trouble.kind == "shutdown":
            control.post("/shutdown_event", {"after": 1.0})
        elif trouble.kind == "kill":
            self.crew.kill(self.crew.processes[0])
            self.crew.start()
        else:
            lasting = {} if "count" in trouble.order else {"seconds": trouble.seconds}
            self.ingest.inflict(trouble.kind, **trouble.order, **lasting)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(0.5, max(until - time.monotonic(), 0.0)))
        process = self.crew.processes[0]
        if process.poll() is None:
            self.memory.append(psutil.Process(process.pid).memory_info().rss / 1e6)

    def summary(self, settled_in: float) -> str:
        log = self.ingest.exchange.log
        figures: dict[str, Any] = Heartbeat.objects.get(name="stream").figures
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kinds.items()))
        first, middle, most, last = memory_of(self.memory)
        return (
            f"seed {SEED}, {SECONDS:.0f} s, {sum(self.kinds.values())} faults ({kinds});"
            f" settled {settled_in:.1f} s after the last;"
            f" {len(log.lines())} requests, {len(log.defied(418))} of them in a ban, {len(log.defied(429))}"
            f" in a plea to wait; {QuarantinedMessage.objects.count()} messages in quarantine,"
            f" {BackfillRun.objects.count()} backfills; memory of the oldest stream {first:.0f} MB at first,"
            f" {middle:.0f} at the median, {most:.0f} at most, {last:.0f} at the end;"
            f" close to commit p50 {figures['latency_p50_ms']} ms, p99 {figures['latency_p99_ms']} ms"
        )


def memory_of(samples: list[float]) -> tuple[float, float, float, float]:
    """The first, the median, the most, the last."""
    return samples[0], sorted(samples)[len(samples) // 2], max(samples), samples[-1]


@pytest.fixture
def mix(
    transactional_db: None, empty_broker: None, settings: Any, process_environment: dict[str, str], tmp_path: Path
) -> Iterator[Mix]:
    """Two streams on a market, and the gap check's ticks."""
    with market_with_history(settings) as ingest:
        crew = Crew(ingest, process_environment, tmp_path / "stream.log")
        ingest.working.callback(crew.stop)
        ingest.working.enter_context(gap_ticks())
        try:
            for _ in range(2):
                crew.start()
            ingest.on_air(seconds=60)
            yield Mix(ingest, crew, random.Random(SEED))
        finally:
            crew.close()


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 240)
@pytest.mark.django_db(transaction=True)
def test_a_random_mix_of_faults_costs_no_minute(mix: Mix) -> None:
    mix.run(SECONDS)
    began = time.monotonic()
    mix.ingest.settle()
    settled_in = time.monotonic() - began
    print(f"\n{mix.summary(settled_in)}")

    mix.ingest.assert_nothing_is_lost()
    assert settled_in < 120
    assert max(mix.memory) < 2 * mix.memory[0] + 50
