"""The sentiment head: against the crowd at its extremes, with it in between, silent when nobody was asked."""

from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import TIMEFRAMES, FloatArray, IntArray
from signals import mood_feed
from signals.frame import Frame
from signals.heads.base import Votes
from signals.heads.sentiment import Sentiment
from signals.mood import MOOD_FIELDS
from signals.window import Window
from tests.signals.frames import QUARTER, bars, recording, replayed

READY = QUARTER.block
SYMBOLS = ("AAVEUSDT", "BTCUSDT", "DOGEUSDT")


def vote(fear_greed: float, breadth: float, *, length: int = READY) -> tuple[int, float, float]:
    """The head's vote on the last bar of a market in that mood: direction, probability, confidence."""
    feeds = {"mood.fear_greed": np.full(length, fear_greed), "mood.breadth": np.full(length, breadth)}
    votes = votes_with(feeds, length)
    return int(votes.direction[-1]), float(votes.probability[-1]), float(votes.confidence[-1])


def votes_with(feeds: Mapping[str, FloatArray], length: int = READY) -> Votes:
    return Sentiment().vote(Window(Frame(QUARTER, bars(np.full(length, 10.0))), {}, feeds))


@cache
def moods(timeframe: str) -> Mapping[str, tuple[IntArray, FloatArray]]:
    """The mood feeds of the whole recording, as they were available."""
    available_ms, rows = mood_feed.mood_over({symbol: replayed(symbol, timeframe) for symbol in recording()})
    return {f"mood.{name}": (available_ms, rows[:, column]) for column, name in enumerate(MOOD_FIELDS)}


def in_the_mood(window: Window, timeframe: str) -> Window:
    """The window with the feeds that were available at exactly each bar's close."""
    feeds = {}
    for name, (available_ms, values) in moods(timeframe).items():
        known = dict(zip(available_ms.tolist(), values.tolist(), strict=True))
        feeds[name] = np.array([known.get(int(close), np.nan) for close in window.base.close_ms])
    return Window(window.base, window.context, feeds)


@pytest.mark.parametrize(
    ("fear_greed", "breadth", "side"),
    [
        (20.0, 0.0, 1),
        (5.0, 0.4, 1),
        (80.0, 1.0, -1),
        (97.0, 0.6, -1),
        (75.0, 0.75, 1),
        (70.0, 1.0, 1),
        (30.0, 0.25, -1),
        (21.0, 0.0, -1),
        (75.0, 0.70, 0),
        (25.0, 0.30, 0),
        (75.0, 0.10, 0),
        (69.0, 1.0, 0),
        (50.0, 0.5, 0),
        (31.0, 0.0, 0),
    ],
)
def test_the_side_follows_the_mood(fear_greed: float, breadth: float, side: int) -> None:
    assert vote(fear_greed, breadth)[0] == side


def test_the_deeper_the_fear_the_surer_the_vote() -> None:
    (_, at_twenty, doubt), (_, at_ten, _), (_, at_zero, faith) = (vote(level, 0.0) for level in (20.0, 10.0, 0.0))

    assert (at_twenty, doubt) == (0.60, 0.50)
    assert at_twenty < at_ten < at_zero
    assert (at_zero, faith) == (0.75, 1.0)


def test_the_crowd_is_worth_less_than_its_extreme() -> None:
    _, probability, confidence = vote(75.0, 0.875)

    assert (probability, confidence) == (0.55, 0.75)


def outside(external: float, own: float = np.nan, breadth: float = np.nan) -> tuple[int, float, float]:
    """The last vote with an index from outside, alone or beside our own."""
    given_feeds = {"mood.fear_greed": own, "mood.breadth": breadth, "sentiment.external": external}
    votes = votes_with({name: np.full(READY, value) for name, value in given_feeds.items()})
    return int(votes.direction[-1]), float(votes.probability[-1]), float(votes.confidence[-1])


def test_an_index_from_outside_is_enough_at_the_extremes() -> None:
    assert outside(10.0) == vote(10.0, 0.0)
    assert outside(90.0) == vote(90.0, 1.0)


def test_an_index_from_outside_alone_does_not_follow_the_crowd() -> None:
    assert outside(25.0)[0] == outside(75.0)[0] == 0


def test_two_indices_count_by_their_mean() -> None:
    assert outside(30.0, own=10.0, breadth=0.5) == vote(20.0, 0.5)
    assert outside(90.0, own=60.0, breadth=0.9) == vote(75.0, 0.9)
    assert outside(95.0, own=5.0, breadth=0.5)[0] == 0


def test_reasons_say_which_index_was_extreme() -> None:
    feeds = {
        name: np.full(READY, value)
        for name, value in {"mood.fear_greed": 10.0, "mood.breadth": 0.1, "sentiment.external": 20.0}.items()
    }

    reasons = Sentiment().explain(Window(Frame(QUARTER, bars(np.full(READY, 10.0))), {}, feeds), READY - 1)

    assert [(reason.name, reason.value, reason.pull) for reason in reasons] == [
        ("fear_greed", 10.0, 0.8),
        ("external", 20.0, 0.6),
        ("breadth", pytest.approx(0.1), 0.0),
    ]


def test_without_a_mood_there_is_no_reason() -> None:
    assert Sentiment().explain(Window(Frame(QUARTER, bars(np.full(READY, 10.0))), {}, {}), READY - 1) == ()


@pytest.mark.parametrize("lacking", ["mood.fear_greed", "mood.breadth"])
def test_the_head_is_silent_without_a_feed(lacking: str) -> None:
    feeds = {"mood.fear_greed": np.full(READY, 5.0), "mood.breadth": np.zeros(READY)}
    del feeds[lacking]

    assert not votes_with(feeds).awake.any()


@pytest.mark.parametrize(("fear_greed", "breadth"), [(np.nan, 0.0), (5.0, np.nan), (np.nan, np.nan)])
def test_the_head_is_silent_where_the_mood_is_not_known(fear_greed: float, breadth: float) -> None:
    assert vote(fear_greed, breadth)[0] == 0


def test_the_head_is_silent_before_the_bars_are_ready() -> None:
    feeds = {"mood.fear_greed": np.full(READY + 5, 5.0), "mood.breadth": np.zeros(READY + 5)}

    awake = votes_with(feeds, READY + 5).awake

    assert not awake[: READY - 1].any()
    assert awake[READY - 1 :].all()


def test_a_window_without_bars_has_no_votes() -> None:
    assert len(votes_with({}, 0).direction) == 0


@given(distance=st.integers(-400, 400).map(lambda eighth: eighth / 8), tilt=st.integers(-8, 8).map(lambda n: n / 16))
def test_the_opposite_mood_gives_the_opposite_vote(distance: float, tilt: float) -> None:
    side, *figures = vote(50.0 + distance, 0.5 + tilt, length=READY)
    other_side, *other_figures = vote(50.0 - distance, 0.5 - tilt, length=READY)

    assert other_side == -side
    np.testing.assert_array_equal(other_figures, figures)


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_on_real_candles_the_head_votes_both_ways_and_not_always(symbol: str, timeframe: str) -> None:
    parts = replayed(symbol, timeframe)
    votes = [Sentiment().vote(in_the_mood(part.window, timeframe)) for part in parts]
    directions = np.concatenate([vote.direction[part.rows] for vote, part in zip(votes, parts, strict=True)])

    assert 0.0005 < (directions != 0).mean() < 0.60
    assert set(directions.tolist()) == {-1, 0, 1}


@settings(max_examples=25)
@given(data=st.data())
def test_a_window_cut_at_a_bar_votes_as_the_whole_block_does(data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(replayed("ETHUSDT", "15m")))
    row = int(data.draw(st.sampled_from(part.rows.tolist())))
    window = in_the_mood(part.window, "15m")
    whole = Sentiment().vote(window)

    early = Sentiment().vote(
        Window(
            Frame(TIMEFRAMES["15m"], window.base.candles.rows(slice(0, row + 1))),
            {},
            {name: values[: row + 1] for name, values in window.feeds.items()},
        )
    )

    np.testing.assert_array_equal(early.direction, whole.direction[: row + 1])
    np.testing.assert_array_equal(early.probability, whole.probability[: row + 1])
    np.testing.assert_array_equal(early.confidence, whole.confidence[: row + 1])
