"""Fear and greed: bounded, symmetrical, each part on its own side, silent in too small a market."""

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from signals.mood import fear_greed

CALM = {
    "symbols": 8.0,
    "breadth": 0.5,
    "momentum": 0.0,
    "realised_volatility": 0.04,
    "volatility_ratio": 1.0,
    "volume_surge": 1.0,
    "btc_dominance": 0.4,
    "btc_dominance_ratio": 1.0,
}


def felt(figures: Mapping[str, float]) -> float:
    """The fear and greed of one market."""
    return float(fear_greed({name: np.array([value]) for name, value in figures.items()})[0])


@given(
    st.fixed_dictionaries(
        {
            "symbols": st.integers(5, 600).map(float),
            "breadth": st.floats(0, 1),
            "momentum": st.floats(-5, 5),
            "realised_volatility": st.floats(0, 10),
            "volatility_ratio": st.one_of(st.just(math.nan), st.floats(0, 1e300)),
            "volume_surge": st.one_of(st.just(math.nan), st.floats(0, 1e300)),
            "btc_dominance_ratio": st.one_of(st.just(math.nan), st.floats(0, 1e300)),
        }
    )
)
def test_fear_and_greed_lie_between_0_and_100(figures: dict[str, float]) -> None:
    assert 0.0 <= felt(figures) <= 100.0 + 1e-9


def test_a_market_as_usual_is_neutral() -> None:
    assert felt(CALM) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("changed", "direction"),
    [
        ({"breadth": 0.9}, 1),
        ({"momentum": 0.03}, 1),
        ({"volatility_ratio": 0.5}, 1),
        ({"volatility_ratio": 2.0}, -1),
        ({"btc_dominance_ratio": 1.5}, -1),
        ({"volume_surge": 3.0}, 0),
        ({"momentum": 0.03, "volume_surge": 3.0}, 1),
        ({"momentum": -0.03, "volume_surge": 3.0}, -1),
    ],
)
def test_each_part_pulls_to_its_side(changed: dict[str, float], direction: int) -> None:
    assert np.sign(round(felt(CALM | changed) - 50.0, 9)) == direction


def test_more_volume_makes_a_move_say_more_and_less_volume_does_not_turn_it() -> None:
    rise = CALM | {"momentum": 0.03}

    assert felt(rise | {"volume_surge": 2.0}) > felt(rise)
    assert felt(rise | {"volume_surge": 0.5}) == felt(rise)


def test_a_crash_is_extreme_fear_and_a_calm_rally_extreme_greed() -> None:
    crash = {"breadth": 0.0, "momentum": -0.12, "realised_volatility": 0.09, "volatility_ratio": 2.2}
    rally = {"breadth": 1.0, "momentum": 0.06, "realised_volatility": 0.03, "volatility_ratio": 0.6}

    assert felt(CALM | crash | {"volume_surge": 2.5}) <= 20
    assert felt(CALM | rally | {"volume_surge": 2.5}) >= 80


@given(breadth=st.floats(0, 1), momentum=st.floats(-0.5, 0.5), surge=st.floats(0.1, 10))
def test_the_mirror_of_a_market_feels_the_opposite(breadth: float, momentum: float, surge: float) -> None:
    here = CALM | {"breadth": breadth, "momentum": momentum, "volume_surge": surge}
    there = here | {"breadth": 1.0 - breadth, "momentum": -momentum}

    assert felt(here) + felt(there) == pytest.approx(100.0)


def test_parts_that_are_not_known_leave_their_weight_to_the_rest() -> None:
    unknown = {"volatility_ratio": math.nan, "volume_surge": math.nan, "btc_dominance_ratio": math.nan}
    figures = CALM | {"breadth": 0.8, "momentum": 0.04} | unknown

    # Breadth and momentum weigh the same; one day's volatility is one standard deviation.
    assert felt(figures) == pytest.approx(50 * (0.8 + stats.norm.cdf(1.0)), abs=50 * 0.01)


@pytest.mark.parametrize("changed", [{"symbols": 4.0}, {"breadth": math.nan}, {"momentum": math.nan}])
def test_too_small_a_market_feels_nothing(changed: dict[str, float]) -> None:
    assert math.isnan(felt(CALM | changed))


def test_a_market_at_rest_has_no_stride() -> None:
    assert felt(CALM | {"realised_volatility": 0.0}) == pytest.approx(50.0)
