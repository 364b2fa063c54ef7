"""Small made-up ledgers for the learner's tests."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from learning.config import Config
from learning.events import Events, make_events
from learning.nightly import Night, run_night
from learning.procedure import Phase, Procedure

HEADS = ("alpha", "beta", "gamma")
# Two half-lives and low thresholds: small ledgers then reach every branch, and a night takes milliseconds.
SMALL = Config(half_lives=(3.0, float("inf")), minimum_events=1.0, negative_events=20.0)


def ledger(
    count: int,
    *,
    seed: int = 0,
    days: int = 6,
    heads: int = 3,
    skill: float = 0.5,
    base: float = 0.0,
    asleep: float = 0.2,
    first_day: int = 0,
) -> Events:
    """`count` decisions over `days` days, known two midnights later; head 0 has skill, the last one the opposite."""
    draw = np.random.default_rng(seed)
    truth = np.where(draw.uniform(size=count) < 0.5, 1.0, -1.0)
    skills = np.linspace(skill, -skill, heads)
    evidence = truth[:, None] * skills + draw.normal(size=(count, heads))
    evidence[draw.uniform(size=evidence.shape) < asleep] = 0.0
    decided = first_day + np.sort(draw.integers(0, days, count))
    lost_both = draw.uniform(size=count) < base
    return make_events(
        key=[f"{seed:04d}-{row:06d}".encode() for row in range(count)],
        decided_day=decided,
        matured_day=decided + 2,
        hour_block=decided * 24 + draw.integers(0, 24, count),
        series=draw.integers(0, 4, count),
        evidence=evidence,
        won_long=(truth > 0) & ~lost_both,
        won_short=(truth < 0) & ~lost_both,
        uniqueness=draw.uniform(0.2, 1.0, count),
    )


ledgers = st.builds(
    ledger,
    st.integers(0, 60),
    seed=st.integers(0, 10_000),
    days=st.integers(1, 5),
    skill=st.sampled_from([0.0, 0.5, 3.0]),
    base=st.sampled_from([0.0, 0.3, 1.0]),
    asleep=st.sampled_from([0.0, 0.3, 1.0]),
)


def nights(
    events: Events,
    last: int,
    *,
    config: Config = SMALL,
    phase: Phase = "live",
    heads: tuple[str, ...] = HEADS,
    first: int = 1,
) -> list[Night]:
    """Every night from `first` to `last` over one ledger, from birth."""
    procedure, found = Procedure.at_birth(heads, config, phase=phase), []
    for today in range(first, last + 1):
        found.append(run_night(procedure, events, today=today, config=config))
        procedure = found[-1].procedure
    return found


def shuffled(events: Events, seed: int) -> Events:
    return events.rows(np.random.default_rng(seed).permutation(len(events)))


def changed(events: Events, **columns: npt.ArrayLike) -> Events:
    return replace(events, **{name: np.asarray(values) for name, values in columns.items()})


def number(figure: object) -> float:
    """A figure that must be there."""
    assert isinstance(figure, int | float)
    return float(figure)
