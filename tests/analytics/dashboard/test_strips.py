"""The small plots of a table: every figure has its place between the edges, and zero is in the middle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.dashboard.scales import SCALES, scale_of
from analytics.templatetags.strips import interval, pull, share

figures = st.floats(-50, 50)


def shares(text: str) -> float:
    return float(text.removesuffix("%"))


def test_a_pull_goes_to_the_right_above_zero_and_to_the_left_below() -> None:
    assert pull(0.5, 1.0) == {"start": "50.00%", "length": "24.00%", "tone": "good"}
    assert pull(-1.0, 1.0) == {"start": "2.00%", "length": "48.00%", "tone": "bad"}
    assert pull(None, 1.0)["length"] == pull(0.3, 0.0)["length"] == "0.00%"


def test_an_interval_is_coloured_where_it_excludes_zero() -> None:
    assert interval(0.5, 0.25, 1.0, 1.0) == {"low": "62.00%", "high": "98.00%", "point": "74.00%", "tone": "good"}
    assert interval(-0.5, -0.9, -0.1, 1.0)["tone"] == "bad"
    assert interval(0.5, -0.1, 1.0, 1.0)["tone"] == "muted"
    assert interval(None, None, None, 1.0) == {"low": None, "high": None, "point": None, "tone": "muted"}


@given(value=figures, low=figures, high=figures, scale=st.sampled_from(SCALES))
def test_nothing_is_drawn_beyond_the_edges(value: float, low: float, high: float, scale: float) -> None:
    drawn = interval(value, min(low, high), max(low, high), scale)
    assert all(2 <= shares(drawn[name]) <= 98 for name in ("low", "high", "point"))
    assert shares(drawn["low"]) <= shares(drawn["high"])


def test_a_share_of_nothing_is_nothing() -> None:
    assert (share(1, 4)["length"], share(0, 0)["length"]) == ("25.00%", "0.00%")


@pytest.mark.parametrize(
    ("values", "scale"), [([], 0.1), ([None, 0.02], 0.1), ([0.1, -0.2], 0.5), ([9.0], 5.0), ([-0.66, None], 1.0)]
)
def test_one_scale_holds_all_values_of_a_table(values: list[float | None], scale: float) -> None:
    assert scale_of(values) == scale
