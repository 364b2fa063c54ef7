"""Series read from parts of several frames have the bits that each whole frame gives."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import TIMEFRAMES, Candles
from signals.frame import Excerpt, Frame, Part
from signals.indicators import SERIES
from tests.signals.head_windows import bars, recorded, upside_down

QUARTER = TIMEFRAMES["15m"]


@cache
def markets() -> tuple[Candles, ...]:
    real = recorded()
    still = bars([(100.0, 100.0, 100.0, 100.0)] * 300, [0.0] * 300)
    return real.rows(slice(0, 900)), upside_down(real, 90_000.0).rows(slice(500, 1300)), still


@st.composite
def excerpts(draw: st.DrawFn) -> Excerpt:
    parts = []
    for _ in range(draw(st.integers(1, 4))):
        frame = Frame(QUARTER, draw(st.sampled_from(markets())))
        start = draw(st.one_of(st.integers(0, 40), st.integers(0, len(frame) - 1)))
        parts.append(Part(frame, start, draw(st.integers(start + 1, len(frame)))))
    return Excerpt(parts)


@settings(max_examples=25, deadline=None)
@given(excerpt=excerpts())
def test_a_series_has_the_bits_of_the_whole_frames(excerpt: Excerpt) -> None:
    for name in SERIES:
        whole = np.concatenate([part.cut(part.frame[name]) for part in excerpt.parts])
        assert excerpt[name].tobytes() == whole.tobytes(), name


@settings(max_examples=25, deadline=None)
@given(excerpt=excerpts(), share=st.floats(0, 1))
def test_an_excerpt_of_an_excerpt_is_one_of_the_frames(excerpt: Excerpt, share: float) -> None:
    row = int(share * (len(excerpt) - 1))
    later = excerpt.since(row)

    assert len(later) == len(excerpt) - row
    for name in ("close", "stoch_k", "chandelier_long", "cmf_20", "ultimate_osc", "ready"):
        pair = (later.ready, excerpt.ready) if name == "ready" else (later[name], excerpt[name])
        assert pair[0].tobytes() == pair[1][row:].tobytes(), name


def test_an_excerpt_without_rows_has_none() -> None:
    excerpt = Excerpt([Part(Frame(QUARTER, markets()[0]), 5, 9)]).since(4)

    assert (len(excerpt), len(excerpt["stoch_k"])) == (0, 0)


@pytest.mark.parametrize("name", [name for name, each in SERIES.items() if each.reach is not None])
def test_a_reach_is_no_longer_than_needed(name: str) -> None:
    """It may be longer where the first value comes later than it could."""
    reach = SERIES[name].reach
    assert reach is not None
    assert reach <= SERIES[name].lookback
