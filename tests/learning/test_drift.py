"""Drift: an alarm where the probabilities in force begin to cost more, silence where nothing changes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.config import Config
from learning.drift import Drift, find_drift
from learning.procedure import Score
from learning.state import BEFORE_HISTORY

CONFIG = Config()
NIGHTS = 60


def nights(excess: np.ndarray) -> list[Score]:
    """Scores whose live loss lies that much above what was claimed."""
    return [Score(day, 500, 0.65 + each, 0.7, 0.66, 0.65, 0.69) for day, each in enumerate(excess.tolist())]


def alarms(excess: np.ndarray) -> list[int]:
    """The days of all alarms, the watch begun anew after each, as the nightly job does."""
    scores, since, found = nights(excess), BEFORE_HISTORY, []
    for day in range(len(scores)):
        alarm = find_drift(scores[max(0, day + 1 - NIGHTS) : day + 1], since=since, config=CONFIG)
        if alarm:
            found.append(day)
            since = day
    return found


def by_the_book(excess: np.ndarray) -> float:
    """Page's sum with the reference of the 28 nights before, written out."""
    total = 0.0
    for night in range(14, len(excess)):
        before = excess[max(0, night - 28) : night]
        spread = before.std(ddof=1) * np.sqrt(1 + 1 / len(before))
        total = max(0.0, total + min((excess[night] - before.mean()) / spread, 4.0) - 0.25)
    return total


def test_the_statistic_is_pages_cumulative_sum() -> None:
    for seed in range(20):
        excess = np.random.default_rng(seed).normal(0.01, 0.02, 40)
        excess[34:] += 0.06
        alarm = find_drift(nights(excess), since=BEFORE_HISTORY, config=CONFIG)
        assert alarm is not None
        assert alarm.statistic == pytest.approx(by_the_book(excess))


@given(seed=st.integers(0, 10_000), shift=st.floats(-0.05, 0.2), scale=st.floats(0.3, 3.0))
def test_neither_the_level_nor_the_unit_of_the_excess_matters(seed: int, shift: float, scale: float) -> None:
    excess = np.random.default_rng(seed).normal(0.0, 0.02, 45)
    plain, moved = (find_drift(nights(each), since=-1, config=CONFIG) for each in (excess, shift + scale * excess))

    if plain is None or moved is None:
        nearly = plain or moved
        assert nearly is None or nearly.statistic == pytest.approx(CONFIG.drift_limit, abs=1e-6)
    else:
        assert moved.statistic == pytest.approx(plain.statistic, rel=1e-6)


def test_without_a_change_an_alarm_is_rare() -> None:
    found = sum(len(alarms(np.random.default_rng(seed).normal(0.0, 0.015, 100))) for seed in range(60))

    # One in at least 60 watched nights, each followed by 14 that only begin the next reference.
    assert found <= 60 * 86 / 60


def test_a_version_that_turns_bad_is_noticed_within_a_week_and_one_that_improves_is_not() -> None:
    worse, better = [], []
    for seed in range(40):
        excess = np.random.default_rng(seed).normal(0.0, 0.015, 56)
        change = np.where(np.arange(56) >= 42, 0.03, 0.0)
        worse.append(min([day for day in alarms(excess + change) if day >= 42], default=99) - 42)
        better.append(any(day >= 42 for day in alarms(excess - change)))

    assert np.median(worse) <= 4
    # The others had a false alarm shortly before: the nights after it only begin the next reference.
    assert np.mean(np.array(worse) <= 7) >= 0.75
    assert sum(better) <= 2


def test_no_alarm_before_there_is_something_to_compare_with() -> None:
    rising = nights(np.linspace(0.0, 1.0, 14))

    assert find_drift(rising, since=BEFORE_HISTORY, config=CONFIG) is None
    assert find_drift(nights(np.linspace(0.0, 1.0, 40)), since=25, config=CONFIG) is None
    assert (
        find_drift([replace(score, claimed=None) for score in nights(np.arange(40.0))], since=0, config=CONFIG) is None
    )


def test_an_alarm_says_what_changed_in_words() -> None:
    excess = np.concatenate([np.tile([0.002, 0.0], 15), [0.05, 0.05]])

    alarm = find_drift(nights(excess), since=BEFORE_HISTORY, config=CONFIG)

    assert isinstance(alarm, Drift)
    assert (alarm.day, alarm.nights) == (31, 2)
    assert alarm.excess_since == pytest.approx(0.05)
    assert "over 2 nights" in alarm.words
    assert "+0.0500 nats a scan beside what they claim, +0.0010 before" in alarm.words
