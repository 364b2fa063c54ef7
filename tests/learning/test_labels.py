"""From a resolved lean to what is learned from it, through the database and back."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from ingestion.timeframes import MINUTE_MS, TIMEFRAMES
from learning.calendar import DAY_MS, HOUR_MS
from learning.labels import Label, events_of, uniqueness_among, uniqueness_within
from learning.ledger import append, outcome_row, take_ledger
from learning.models import LearningEvent
from signals.rows import to_time

MIDNIGHT_MS = 1_623_369_600_000  # 2021-06-11 00:00 UTC
SPANS = st.lists(st.tuples(st.integers(0, 90), st.integers(1, 60)), min_size=1, max_size=20)


def label(number: int = 1, **columns: Any) -> Label:
    told = {
        "scan_id": UUID(int=number),
        "symbol": "BTCUSDT",
        "decided_ms": MIDNIGHT_MS + HOUR_MS,
        "expires_ms": MIDNIGHT_MS + HOUR_MS + DAY_MS,
        "ended_ms": MIDNIGHT_MS + 2 * HOUR_MS,
        "side": 1,
        "is_signal": False,
        "is_eligible": True,
        "is_void": False,
        "evidence": (0.5, -1 / 3, 0.0),
        "win_probability": 0.4,
        "expected_r": 0.1,
        "cost_r": 0.2,
        "net_r": 1.7,
        "mirror_net_r": -1.2,
        "uniqueness": 1 / 3,
        "weight_version": 4,
    }
    return Label(**{**told, **columns})


def starts_and_ends(spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.array([start for start, _ in spans], dtype=np.int64) * MINUTE_MS
    return starts, starts + np.array([length for _, length in spans], dtype=np.int64) * MINUTE_MS


@given(spans=SPANS)
def test_uniqueness_is_the_mean_share_counted_minute_by_minute(spans: list[tuple[int, int]]) -> None:
    starts, ends = starts_and_ends(spans)

    for start, length in spans:
        minutes = range(start, start + length)
        shares = [1 / sum(first <= minute < first + lasts for first, lasts in spans) for minute in minutes]
        found = uniqueness_within(start * MINUTE_MS, (start + length) * MINUTE_MS, starts, ends)
        assert found == pytest.approx(sum(shares) / len(shares), rel=1e-12)
        assert 0 < found <= 1


@given(spans=SPANS, later=SPANS, seed=st.integers(0, 99))
def test_later_brackets_and_their_order_change_no_bit(
    spans: list[tuple[int, int]], later: list[tuple[int, int]], seed: int
) -> None:
    starts, ends = starts_and_ends(spans)
    start_ms, end_ms = int(starts[0]), int(ends[0])
    more_starts, more_ends = starts_and_ends(later)
    order = np.random.default_rng(seed).permutation(len(spans) + len(later))

    found = uniqueness_within(
        start_ms,
        end_ms,
        np.concatenate([starts, end_ms + more_starts])[order],
        np.concatenate([ends, end_ms + more_ends])[order],
    )

    assert found == uniqueness_within(start_ms, end_ms, starts, ends)


@given(spans=SPANS, longer=st.integers(1, 1000))
def test_how_much_longer_an_overlapping_bracket_lives_changes_no_bit(spans: list[tuple[int, int]], longer: int) -> None:
    starts, ends = starts_and_ends(spans)
    start_ms, end_ms = int(starts[0]), int(ends[0])
    prolonged = np.where(ends >= end_ms, ends + longer * MINUTE_MS, ends)
    prolonged[0] = ends[0]

    found = uniqueness_within(start_ms, end_ms, starts, prolonged)

    assert found == uniqueness_within(start_ms, end_ms, starts, ends)


@given(spans=SPANS, asked=st.lists(st.integers(0, 19), max_size=20))
def test_the_uniqueness_of_many_brackets_is_that_of_each_to_the_bit(
    spans: list[tuple[int, int]], asked: list[int]
) -> None:
    starts, ends = starts_and_ends(spans)
    chosen = [(int(starts[place]), int(ends[place])) for place in asked if place < len(spans)]

    assert uniqueness_among(chosen, starts, ends) == [uniqueness_within(*span, starts, ends) for span in chosen]


def test_events_say_what_their_labels_say() -> None:
    labels = [
        label(1),
        label(2, side=-1, is_signal=True, net_r=-1.1, mirror_net_r=1.9, is_eligible=False, symbol="ETHUSDT"),
    ]

    events = events_of(labels, 3)

    assert events.key.tolist() == [each.scan_id.hex.encode() for each in labels]
    assert events.evidence.tolist() == [[0.5, -1 / 3, 0.0]] * 2
    assert events.net_r_long.tolist() == [1.7, 1.9]
    assert events.net_r_short.tolist() == [-1.2, -1.1]
    assert events.won_long.tolist() == [True, True]
    assert events.won_short.tolist() == [False, False]
    assert events.side.tolist() == [1, -1]
    assert events.accepted.tolist() == [False, True]
    assert events.eligible.tolist() == [True, False]
    assert events.uniqueness.tolist() == [1 / 3] * 2
    assert events.hour_block.tolist() == [(MIDNIGHT_MS + HOUR_MS) // HOUR_MS] * 2
    assert events.series[0] != events.series[1]


def test_a_win_is_a_profit_after_costs() -> None:
    events = events_of([label(1, net_r=0.0, mirror_net_r=-0.0), label(2, net_r=1e-9, mirror_net_r=-1e-9)], 3)

    assert events.won_long.tolist() == [False, True]
    assert events.won_short.tolist() == [False, False]


def test_void_labels_are_not_learned_from() -> None:
    void = label(2, is_void=True, net_r=None, mirror_net_r=None)
    gapped = label(3, is_void=True)

    events = events_of([void, label(1), gapped], 3)

    assert events.key.tolist() == [UUID(int=1).hex.encode()]
    assert len(events_of([void], 3)) == 0
    assert events_of([], 3).evidence.shape == (0, 3)


@pytest.mark.parametrize(("minutes_after", "day"), [(0, -1), (14, -1), (15, 0), (24 * 60 + 14, 0), (24 * 60 + 15, 1)])
def test_a_close_belongs_to_the_day_whose_version_decided_it(minutes_after: int, day: int) -> None:
    events = events_of([label(decided_ms=MIDNIGHT_MS + minutes_after * MINUTE_MS)], 3)

    assert events.decided_day.tolist() == [MIDNIGHT_MS // DAY_MS + day]


@pytest.mark.parametrize(("expires", "nights"), [(0, 0), (1, 1), (DAY_MS, 1), (DAY_MS + 1, 2)])
def test_an_outcome_matures_with_its_time_limit_and_not_when_it_resolves(expires: int, nights: int) -> None:
    early = label(expires_ms=MIDNIGHT_MS + expires, ended_ms=MIDNIGHT_MS - HOUR_MS)

    assert early.matured_day == MIDNIGHT_MS // DAY_MS + nights
    assert events_of([early], 3).matured_day.tolist() == [early.matured_day]


@pytest.mark.django_db
def test_the_ledger_takes_a_decision_once() -> None:
    with transaction.atomic():
        take_ledger()
        append([outcome_row(label(), TIMEFRAMES["15m"], to_time(MIDNIGHT_MS))])
    other = replace(label(), net_r=-1.0)

    with transaction.atomic():
        take_ledger()
        added = append([outcome_row(other, TIMEFRAMES["15m"], to_time(MIDNIGHT_MS))])

    assert added == 0
    assert LearningEvent.objects.get().net_r == 1.7
