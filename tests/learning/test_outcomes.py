"""What the learner reads of the ledger is what was written there, to the bit, without an object a row."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.db import connection, transaction

from ingestion.timeframes import TIMEFRAMES
from learning.calendar import DAY_MS, HOUR_MS
from learning.chains import verify_chain
from learning.events import COLUMNS, Events, collect, digest
from learning.labels import Label, events_of
from learning.ledger import append, outcome_row, take_ledger
from learning.lessons import HEAD_NAMES
from learning.outcomes import Extent, known_by, stated_within
from learning.stated import stated_of
from learning.versions import create_version, weights_content
from signals.consensus import Weights
from signals.rows import to_time
from tests.learning.test_labels import MIDNIGHT_MS, label

pytestmark = pytest.mark.django_db

QUARTER = TIMEFRAMES["15m"]
EVER = to_time(MIDNIGHT_MS + 400 * DAY_MS)
# Version 1 knew two of today's heads and one that is gone, version 2 today's in another order, the others are today's.
HEADS = {1: ("volume", "gone", "technical"), 2: tuple(reversed(HEAD_NAMES)), 3: HEAD_NAMES, 4: HEAD_NAMES}
NASTY = (0.0, -0.0, 5e-324, -5e-324, 1 / 3, -0.1 - 0.2, 2.9, -2.9, 1e-17, 1 - 2**-53)


@pytest.fixture(autouse=True)
def versions() -> None:
    for version, heads in HEADS.items():
        weights = Weights(heads, np.full(len(heads), 0.2), np.zeros(2))
        made = create_version("head_weights", content=weights_content(weights), status="active", created_by="test")
        assert made.version == version


def write(labels: list[Label], timeframe: str = "15m", **columns: Any) -> None:
    rows = [outcome_row(each, TIMEFRAMES[timeframe], EVER) for each in labels]
    for row in rows:
        for name, value in columns.items():
            setattr(row, name, value)
    with transaction.atomic():
        take_ledger()
        append(rows)


def drawn(count: int, seed: int) -> list[Label]:
    """Labels of every kind, their floats of any size and sign."""
    draw = np.random.default_rng(seed)

    def number() -> float:
        return float(draw.choice(NASTY) if draw.uniform() < 0.3 else draw.normal())

    found = []
    for place in range(count):
        version, decided = int(draw.integers(1, 5)), MIDNIGHT_MS + int(draw.integers(-3 * DAY_MS, 3 * DAY_MS))
        expires = decided + int(draw.integers(1, 2 * DAY_MS))
        is_void = bool(draw.uniform() < 0.2)
        no_result = is_void and draw.uniform() < 0.5
        found.append(
            label(
                scan_id=UUID(bytes=draw.bytes(16)),
                symbol=("BTCUSDT", "ETHUSDT", "1000SATSUSDT", "币安人生USDT")[place % 4],
                decided_ms=decided,
                expires_ms=expires,
                ended_ms=expires - 1,
                side=int(draw.choice([-1, 1])),
                is_signal=bool(draw.uniform() < 0.3),
                is_eligible=bool(draw.uniform() < 0.6),
                is_void=is_void,
                evidence=tuple(number() for _ in HEADS[version]),
                net_r=None if no_result else number(),
                mirror_net_r=None if no_result else number(),
                cost_r=abs(number()),
                uniqueness=float(draw.uniform(1e-6, 1)),
                weight_version=version,
            )
        )
    return found


def as_heads_vote_today(told: Label) -> Label:
    votes = dict(zip(HEADS[told.weight_version], told.evidence, strict=True))
    return replace(told, evidence=tuple(votes.get(head, 0.0) for head in HEAD_NAMES))


def same(found: Events, expected: Events) -> bool:
    """Every column of the collected events, to the bit and with its type."""
    left, right = collect(found).events, collect(expected).events
    return all(
        getattr(left, name).dtype == getattr(right, name).dtype
        and getattr(left, name).tobytes() == getattr(right, name).tobytes()
        for name in COLUMNS
    )


@pytest.mark.parametrize("seed", range(4))
def test_outcomes_come_back_as_the_events_of_their_labels(seed: int) -> None:
    told = drawn(200, seed)
    write(told)

    found, expected = known_by(EVER, timeframe="15m"), events_of([as_heads_vote_today(each) for each in told], 9)

    assert 0 < len(expected) < len(told)
    assert same(found, expected)
    assert digest(collect(found).events) == digest(collect(expected).events)
    assert verify_chain() == []


def test_an_empty_ledger_has_no_outcomes() -> None:
    assert same(known_by(EVER, timeframe="15m"), events_of([], 9))


def test_only_what_had_ended_on_this_timeframe_is_read() -> None:
    first, later, elsewhere = (label(number, evidence=(0.1,) * 9) for number in (1, 2, 3))
    later = replace(later, ended_ms=first.ended_ms + HOUR_MS)
    write([first, later])
    write([elsewhere], timeframe="1h")

    found = known_by(to_time(first.ended_ms), timeframe="15m")

    assert found.key.tolist() == [UUID(int=1).hex.encode()]


def test_a_head_that_did_not_vote_yet_was_silent() -> None:
    write([label(weight_version=1, evidence=(0.5, 2.0, -0.25))])

    [votes] = known_by(EVER, timeframe="15m").evidence.tolist()

    told = dict(zip(HEAD_NAMES, votes, strict=True))
    assert (told.pop("volume"), told.pop("technical")) == (0.5, -0.25)
    assert set(told.values()) == {0.0}


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"weight_version": 9}, "names version 9, which is not there"),
        ({"weight_version": None}, "names version None"),
        ({"evidence": [0.1] * 10}, "one vote for each of"),
        ({"evidence": [0.1] * 8}, "NULL or of another width"),
        ({"evidence": None}, "NULL or of another width"),
        ({"matured_at": None}, "NULL or of another width"),
        ({"uniqueness": None}, "NULL or of another width"),
        ({"net_r": None}, "net_r_long is NaN"),
    ],
)
def test_an_outcome_that_lacks_something_is_refused(columns: dict[str, Any], problem: str) -> None:
    write([label(evidence=(0.1,) * 9)], **columns)

    with pytest.raises(ValueError, match=problem):
        known_by(EVER, timeframe="15m")


def test_a_label_is_in_the_ledger_to_the_bit() -> None:
    told = label(
        evidence=(-0.0, 5e-324, 0.1 + 0.2, *(0.0,) * 6),
        net_r=0.1 + 0.2,
        mirror_net_r=-1 / 3,
        cost_r=1e-17,
        expected_r=-0.0,
        win_probability=1 - 2**-53,
    )
    write([told])

    with connection.cursor() as cursor:
        names = ("evidence", "net_r", "mirror_net_r", "cost_r", "expected_r", "win_probability", "uniqueness")
        cursor.execute(f"SELECT {', '.join(names)}, ended_at FROM learning_events")
        [(evidence, *numbers, ended_at)] = cursor.fetchall()

    written = [list(told.evidence), *(getattr(told, name) for name in names[1:])]
    assert repr([evidence, *numbers]) == repr(written)  # which tells -0.0 from 0.0
    assert (ended_at, ended_at.utcoffset()) == (to_time(told.ended_ms), timedelta(0))


# --- as the weights of their decision stated them ---------------------------------------------------------------------


def test_leans_read_from_the_ledger_are_those_of_their_labels_to_the_bit() -> None:
    heads = len(HEAD_NAMES)
    known = {
        version: Weights(HEAD_NAMES, np.random.default_rng(version).normal(0.2, 0.3, heads), np.array([-0.7, -0.6]))
        for version in (5, 6)
    }
    for weights in known.values():
        create_version("head_weights", content=weights_content(weights), status="active", created_by="test")
    draw = np.random.default_rng(8)
    told = [
        label(
            number,
            symbol=f"S{number % 7}",
            decided_ms=MIDNIGHT_MS + number * 900_000,
            side=int(draw.choice([-1, 1])),
            is_void=number % 10 == 0,
            evidence=tuple(draw.normal(size=heads).tolist()),
            net_r=float(draw.normal()),
            uniqueness=float(draw.uniform(0.1, 1)),
            weight_version=5 + number % 2,
        )
        for number in range(1, 60)
    ]
    # Decided by a pool of other heads, which was another one.
    write([*told, label(900, evidence=(0.1, 0.2, 0.3), weight_version=1)])

    found, expected = stated_within(Extent(EVER), timeframe="15m"), stated_of(told, known)

    found, expected = (each.take(np.argsort(each.key)) for each in (found, expected))
    assert len(found) == sum(not each.is_void for each in told)
    for name, column in expected.columns.items():
        assert getattr(found, name).tobytes() == column.tobytes(), name
    first = told[0]
    bias = known[6].bias[0 if first.side > 0 else 1]
    by_hand = bias + first.side * float(np.dot(known[6].beta, first.evidence))
    assert found.margin[0] == pytest.approx(by_hand, rel=1e-12)


def test_an_empty_ledger_states_nothing() -> None:
    assert len(stated_within(Extent(EVER), timeframe="15m")) == 0
