"""What a version says it was worth: the figure by hand, the interval over nights, and words that match both."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.effect import effect_on_unseen
from learning.procedure import Score

losses = st.floats(0.1, 1.5)
scores = st.lists(st.builds(Score, st.just(0), st.integers(1, 900), losses, losses, losses), min_size=2, max_size=12)


def made(*saved: float, scans: int = 100) -> list[Score]:
    return [Score(day, scans, 0.7, 0.7, 0.7 - each) for day, each in enumerate(saved)]


@given(scores)
def test_the_effect_is_the_mean_over_scans_and_lies_inside_its_interval(found: list[Score]) -> None:
    effect = effect_on_unseen(found)

    by_hand = np.average([each.champion - each.learner for each in found], weights=[each.scans for each in found])
    assert effect["value"] == pytest.approx(by_hand)
    assert effect["ci_low"] - 1e-12 <= effect["value"] <= effect["ci_high"] + 1e-12
    assert effect["nights"] == len(found)
    assert effect["scans"] == sum(each.scans for each in found)


def test_the_words_claim_no_more_than_the_interval() -> None:
    assert "better than equal weights" in effect_on_unseen(made(0.01, 0.012, 0.011))["words"]
    assert "worse than equal weights" in effect_on_unseen(made(-0.01, -0.012, -0.011))["words"]
    assert "not to be told from equal weights" in effect_on_unseen(made(0.01, -0.01, 0.002))["words"]


def test_one_night_has_no_interval_and_none_has_no_figure() -> None:
    one, none = effect_on_unseen(made(0.01)), effect_on_unseen([])

    assert (one["value"], one["ci_low"]) == (pytest.approx(0.01), None)
    assert "no interval" in one["words"]
    assert (none["value"], none["scans"]) == (None, 0)
    assert "nothing is known" in none["words"]
