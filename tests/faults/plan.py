"""Which harm comes when, and for how long: drawn from a seed, a sequence of its own for each part of the system."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults import harm, mix
from tests.faults.harm import Harm
from tests.faults.market import SYMBOLS

# What REST itself says otherwise, or not at all, has another life as its right answer.
CHANGES_THE_MARKET = ("maintenance", "halt")
SPOKEN = {"disconnect": harm.streams_cut, "shutdown": harm.shutdown_announced}


@dataclass(frozen=True)
class Choice:
    """One harm, how often among the others of its part, and how many seconds it may last."""

    name: str
    harm: Harm
    weight: int
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Injection:
    """What comes `after` so many seconds since the last of its part, and how long it lasts."""

    after: float
    name: str
    harm: Harm
    seconds: float


BROKER = (
    Choice("broker killed", harm.broker_killed, 3, (0.5, 5)),
    Choice("broker wiped", harm.broker_wiped, 4),
    Choice("broker frozen", harm.broker_frozen, 2, (1, 14)),
    Choice("broker full", harm.broker_full, 2, (1, 6)),
    Choice("broker silent", harm.broker_silent, 2, (1, 14)),
    Choice("broker cut off", harm.broker_cut, 3, (0, 4)),
    Choice("broker slow", harm.broker_slow, 2, (1, 6)),
    Choice("messages doubled", harm.messages_doubled, 3, (3, 8)),
)
DATABASE = (
    Choice("database restarted", harm.database_restarted, 2, (0, 3)),
    Choice("database killed", harm.database_killed, 3, (0, 3)),
    Choice("database frozen", harm.database_frozen, 2, (0.5, 6)),
    Choice("database silent", harm.database_silent, 2, (0.5, 8)),
    Choice("database cut off", harm.database_cut, 3, (0, 4)),
    Choice("database slow", harm.database_slow, 2, (1, 5)),
    Choice("sessions ended", harm.sessions_ended, 4),
    Choice("connections exhausted", harm.connections_exhausted, 2, (1, 5)),
    Choice("candles locked", harm.candles_locked, 2, (0.5, 5)),
    Choice("disk full", harm.disk_full, 2, (0.5, 5)),
    Choice("columns added", harm.columns_added, 1),
)
HARMED = ("scan", "ingestion", "learning", "stream", "beat", "web")
PROCESSES = (
    *(Choice(f"{name} killed", harm.process_killed(name), 3) for name in HARMED),
    *(Choice(f"{name} frozen", harm.process_frozen(name), 2, (0.5, 10)) for name in HARMED),
    *(Choice(f"{name} stopped", harm.process_stopped(name), 1, (0, 4)) for name in HARMED),
    Choice("beat away", harm.process_gone("beat"), 2, (5, 15)),
    Choice("two beats", harm.two_beats, 2, (5, 15)),
)
PARTS = ("broker", "database", "processes", "exchange")
PAUSES = {"broker": (3.0, 9.0), "database": (5.0, 14.0), "processes": (4.0, 12.0), "exchange": (1.0, 8.0)}


def injections(part: str, seed: int) -> Iterator[Injection]:
    """Without end; the same seed gives the same again."""
    chance = random.Random(f"{part} {seed}")
    choices = _choices(part, chance)
    weights = [choice.weight for choice in choices]
    while True:
        [choice] = chance.choices(choices, weights)
        yield Injection(chance.uniform(*PAUSES[part]), choice.name, choice.harm, chance.uniform(*choice.seconds))


def _choices(part: str, chance: random.Random) -> tuple[Choice, ...]:
    fixed = {"broker": BROKER, "database": DATABASE, "processes": PROCESSES}
    return fixed[part] if part in fixed else tuple(_of_the_exchange(chance))


def _of_the_exchange(chance: random.Random) -> Iterator[Choice]:
    for kind, weight, order in mix.KINDS:
        if kind in SPOKEN:
            yield Choice(f"exchange: {kind}", SPOKEN[kind], weight)
        elif kind not in (*CHANGES_THE_MARKET, "kill"):
            chosen = {"symbols": chance.sample(SYMBOLS, order["symbols"])} if "symbols" in order else {}
            told = {"kind": kind, **order, **chosen}
            yield Choice(f"exchange: {kind}", harm.exchange_fault(told), weight, (0.5, 5))
