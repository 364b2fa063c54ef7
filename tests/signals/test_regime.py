"""The regime of each bar: what a chart reader would call it, ranks that count, and no look ahead."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from signals.frame import Frame
from signals.regime import RANK_BARS, Regime, classify, recently, rolling_rank
from tests.signals.frames import QUARTER, bars, live_frame, recording, replayed, scaled


def calm_then(tail: np.ndarray, calm_bars: int = 400, seed: int = 7) -> Frame:
    """A market that drifts nowhere, ever more quietly, and then does `tail` (changes in price)."""
    random = np.random.default_rng(seed)
    calm = random.normal(0, 1, calm_bars) * np.linspace(1.0, 0.2, calm_bars)
    # Pulled back to where it started, so that calm means no direction either.
    close = 1000 + 3 * calm + np.zeros(calm_bars)
    return Frame(QUARTER, bars(np.concatenate((close, close[-1] + np.cumsum(tail)))))


def test_a_straight_rise_is_a_trend() -> None:
    frame = Frame(QUARTER, bars(1000.0 + 5.0 * np.arange(300)))

    assert classify(frame)[-1] == Regime.TRENDING


def test_a_straight_fall_is_the_same_trend() -> None:
    frame = Frame(QUARTER, bars(9000.0 - 5.0 * np.arange(300)))

    assert classify(frame)[-1] == Regime.TRENDING


def test_a_market_that_falls_asleep_is_quiet() -> None:
    assert classify(calm_then(np.empty(0)))[-1] == Regime.QUIET


def test_a_burst_out_of_a_squeeze_is_a_breakout() -> None:
    assert classify(calm_then(np.full(6, 8.0)))[-1] == Regime.BREAKOUT


def test_wide_swings_without_direction_are_volatile_once_the_squeeze_is_long_past() -> None:
    swings = 6.0 * np.resize([1.0, -1.0, -1.0, 1.0], 60)

    assert classify(calm_then(swings))[-1] == Regime.VOLATILE


def test_a_steady_walk_about_one_price_is_ranging() -> None:
    random = np.random.default_rng(3)
    close = 1000 + random.normal(0, 2, 500)

    shares = np.bincount(classify(Frame(QUARTER, bars(close)))[200:], minlength=5) / 300

    assert np.argmax(shares) == Regime.RANGING


def test_a_bar_without_warm_inputs_has_no_regime() -> None:
    frame = Frame(QUARTER, bars(1000.0 + 5.0 * np.arange(300)))

    found = classify(frame)

    warm = RANK_BARS + 19  # the bands take twenty bars, then a hundred widths stand before the next one
    assert (found[:warm] == Regime.UNKNOWN).all()
    assert (found[warm:] != Regime.UNKNOWN).all()


@pytest.mark.parametrize("length", [0, 1, 50])
def test_a_short_frame_has_no_regime_and_no_error(length: int) -> None:
    found = classify(Frame(QUARTER, bars(1000.0 + np.arange(float(length)))))

    assert found.dtype == np.int8
    assert (found == Regime.UNKNOWN).all()


def test_a_market_that_never_moves_is_ranging_and_not_quiet() -> None:
    """All widths are equal, so none is among the lowest."""
    assert classify(Frame(QUARTER, bars(np.full(300, 1000.0))))[-1] == Regime.RANGING


@given(
    values=arrays.arrays(
        np.float64, st.integers(0, 60), elements=st.one_of(st.integers(0, 5).map(float), st.just(float("nan")))
    ),
    window=st.integers(1, 20),
)
def test_the_rank_is_the_percentile_that_scipy_counts(values: np.ndarray, window: int) -> None:
    found = rolling_rank(values, window)

    for row, value in enumerate(values):
        before = values[max(0, row - window) : row]
        if len(before) == window and np.isfinite(before).all() and np.isfinite(value):
            assert found[row] == pytest.approx(stats.percentileofscore(before, value, kind="mean") / 100, abs=1e-12)
        else:
            assert np.isnan(found[row])


@given(happened=arrays.arrays(np.bool_, st.integers(0, 40)), span=st.integers(0, 10))
def test_recently_remembers_as_many_bars_as_told(happened: np.ndarray, span: int) -> None:
    found = recently(happened, span)

    assert found.tolist() == [bool(happened[max(0, row - span) : row + 1].any()) for row in range(len(happened))]


def share_below(values: np.ndarray, row: int) -> float:
    """How many of the hundred values before stand below, equal ones counted half."""
    before, now = values[row - 100 : row].tolist(), values[row]
    return sum(1.0 if value < now else 0.5 if value == now else 0.0 for value in before) / 100


def regime_in_words(frame: Frame, row: int) -> Regime:
    """The rules of the regimes, told of one bar."""
    widths, ranges = frame["bb_width"], frame["atr_percent"]
    width, reach = share_below(widths, row), share_below(ranges, row)
    if width >= 0.8 and reach >= 0.8 and any(share_below(widths, earlier) <= 0.2 for earlier in range(row - 20, row)):
        return Regime.BREAKOUT
    if frame["adx_14"][row] >= 25:
        return Regime.TRENDING
    if reach >= 0.8:
        return Regime.VOLATILE
    return Regime.QUIET if width <= 0.2 and reach <= 0.2 else Regime.RANGING


@pytest.mark.parametrize("symbol", ["BTCUSDT", "AXSUSDT"])
def test_real_bars_have_the_regime_that_the_rules_name_in_words(symbol: str) -> None:
    frame = replayed(symbol, "15m")[1].window.base

    found = classify(frame)

    for row in range(150, len(frame), 3):
        assert found[row] == regime_in_words(frame, row), row


@settings(max_examples=25)
@given(data=st.data())
def test_live_and_replay_name_the_same_regime(data: st.DataObject) -> None:
    symbol = data.draw(st.sampled_from(["BTCUSDT", "AXSUSDT", "DOGEUSDT"]))
    segment = data.draw(st.sampled_from(replayed(symbol, "15m")))
    row = int(data.draw(st.sampled_from(segment.rows.tolist())))
    base = segment.window.base

    live = live_frame(recording()[symbol], base.timeframe, int(base.close_ms[row]))

    np.testing.assert_array_equal(classify(live), classify(base)[: row + 1])


def test_the_currency_does_not_change_the_regime() -> None:
    frame = replayed("ETHUSDT", "15m")[0].window.base

    np.testing.assert_array_equal(classify(Frame(QUARTER, scaled(frame.candles, 1024.0))), classify(frame))


def test_real_markets_know_every_regime_and_no_ready_bar_lacks_one() -> None:
    for symbol in ("BTCUSDT", "ETHUSDT", "DOGEUSDT"):
        found = np.concatenate([classify(part.window.base)[part.rows] for part in replayed(symbol, "15m")])

        shares = {regime: float((found == regime).mean()) for regime in Regime}

        assert shares[Regime.UNKNOWN] == 0.0
        assert all(0.01 < share < 0.60 for regime, share in shares.items() if regime is not Regime.UNKNOWN), shares
