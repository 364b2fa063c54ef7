"""`make soak MINUTES=10 SEED=n`: the whole system under random faults, and then the question whether anybody can tell.

It prints what it does to which part and when. Meanwhile a client acts through the API. In the end everything is healed
and drained, all invariants are checked, also that what the client was told is so, decisions and versions are made again
(`certify`, `audit`), and every table is compared with a life of the same market without a fault and without the client.
Exit code 1, and a list, if anything differs.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import django

django.setup()

from tests.faults import promises  # noqa: E402
from tests.faults.asked import acts_for_a_soak  # noqa: E402
from tests.faults.harm import disk_full  # noqa: E402
from tests.faults.judgement import Judgement  # noqa: E402
from tests.faults.market import HISTORY_END, Slice  # noqa: E402
from tests.faults.plan import PARTS, Injection, injections  # noqa: E402
from tests.faults.system import SPEED, System, Template, can_mount, running_system, template  # noqa: E402

# A market day and more in ten minutes, so that nights and their versions come in the middle of it.
SOAK_SPEED = 160.0
QUARTER_MINUTES = 15
SECONDS_TO_DRAIN = 900.0
# Large enough as long as nobody fills it up.
DISK_MB = 2500


class Soak:
    """Harms each part of a system in a thread of its own, and counts."""

    def __init__(self, system: System, seed: int, say: Callable[[str], None]) -> None:
        self._system, self._seed, self._say = system, seed, say
        self._over, self._lock = threading.Event(), threading.Lock()
        self.counts: Counter[str] = Counter()

    def run(self, seconds: float) -> None:
        with ThreadPoolExecutor(len(PARTS)) as pool:
            parts = [pool.submit(self._harm, part) for part in PARTS]
            try:
                self._over.wait(seconds)
            finally:
                self._over.set()
            for part in parts:
                part.result()

    def _harm(self, part: str) -> None:
        for injection in injections(part, self._seed):
            if self._over.wait(injection.after):
                return
            self._inject(injection)

    def _inject(self, injection: Injection) -> None:
        if injection.harm is disk_full and not self._system.disk_mb:
            self._say(f"{injection.name} is left out: only root may give the database a disk of its own")
            return
        self._say(f"{injection.name}, {injection.seconds:.1f} s")
        with self._lock:
            self.counts[injection.name] += 1
        with injection.harm(self._system):
            self._over.wait(injection.seconds)


def slice_of(minutes: float) -> Slice:
    lived = int(minutes * SOAK_SPEED / QUARTER_MINUTES) * QUARTER_MINUTES
    return Slice(end=HISTORY_END + timedelta(minutes=max(lived, QUARTER_MINUTES)))


def soak(minutes: float, seed: int) -> int:
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", flush=True)

    slice_ = slice_of(minutes)
    say(f"seed {seed}: {slice_.closes} closes, {slice_.start:%Y-%m-%d %H:%M} to {slice_.end:%Y-%m-%d %H:%M}")
    with template(slice_) as made:
        say("the same life without a fault first")
        fault_free = _live_in_peace(made, slice_)
        say(fault_free.figures())
        counts, judgement, restarts = _live_in_trouble(made, slice_, minutes, seed, say)
    say(f"{sum(counts.values())} faults: {', '.join(f'{count} {name}' for name, count in sorted(counts.items()))}")
    say(f"processes started again: {dict(restarts)}")
    say(judgement.figures())
    complaints = [*(f"without faults: {line}" for line in fault_free.complaints()), *judgement.complaints(fault_free)]
    for line in complaints:
        say(f"DIFFERS  {line}")
    say("nothing differs" if not complaints else f"{len(complaints)} complaints")
    return 1 if complaints else 0


def _live_in_peace(made: Template, slice_: Slice) -> Judgement:
    with running_system(made, slice_) as system:
        system.play(SPEED)
        system.drain(seconds=SECONDS_TO_DRAIN)
        return system.judge()


def _live_in_trouble(
    made: Template, slice_: Slice, minutes: float, seed: int, say: Callable[[str], None]
) -> tuple[Counter[str], Judgement, Counter[str]]:
    with running_system(made, slice_, is_asked=True, disk_mb=DISK_MB if can_mount() else 0) as system:
        say(f"playing, its logs are in {system.places.logs}")
        system.play(SOAK_SPEED)
        trouble = Soak(system, seed, say)
        with system.asking.going_on(acts_for_a_soak(system), seed):
            trouble.run(minutes * 60)
        say("healing")
        system.heal()
        say("draining")
        system.drain(seconds=SECONDS_TO_DRAIN)
        say(f"judging, {promises.figures(system.asking)}")
        return trouble.counts, system.judge(), system.processes.restarts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.exit(soak(options.minutes, options.seed))
