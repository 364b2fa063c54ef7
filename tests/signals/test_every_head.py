"""All nine heads on real candles, fed: each speaks now and then, and none ever knows what live did not."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles, Timeframe
from learning.walk import Given, Seen, look_over
from signals import mood_feed
from signals.alt_season import seasons
from signals.derivatives import symbol_feeds
from signals.feeds import Feed, Readings
from signals.heads import HEADS
from signals.mood import DAY_MS
from signals.scan import Rules, look
from signals.segments import history_start_ms, segments
from tests.signals.drawn_readings import arrived_by, drawn_readings
from tests.signals.frames import recording
from tests.signals.head_windows import SHARED, read_candles
from tests.signals.test_scan import bits

MOST, LEAST = 0.60, 0.0005
NAMES = [head.name for head in HEADS]
FED = ("ADAUSDT", "BTCUSDT", "ETHUSDT")  # BNBUSDT and the others are never fetched
TWO_YEARS = ("ADAUSDT", "AVAXUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "DOTUSDT", "ETHUSDT", "LINKUSDT")


def looked_over(candles: Mapping[str, Candles], timeframe: Timeframe, given: Given) -> Seen:
    first = min(int(each.open_ms[0]) for each in candles.values())
    last = max(int(each.open_ms[-1]) for each in candles.values()) + MINUTE_MS
    return look_over(candles, timeframe, first, last // timeframe.ms * timeframe.ms, HEADS, Rules(), given=given)


def given_of(candles: Mapping[str, Candles]) -> Given:
    """The futures market of FED, and an index from outside once a day."""
    first = min(int(each.open_ms[0]) for each in candles.values())
    last = max(int(each.open_ms[-1]) for each in candles.values())
    days = np.arange(first // DAY_MS, last // DAY_MS) * DAY_MS
    index = 50.0 + 45.0 * np.sin(days / DAY_MS / 5)
    outside = Readings(days, days + 10 * MINUTE_MS, index[:, None])
    return Given(readings=drawn_readings(FED, first, last), external=outside)


def hourly(symbol: str) -> Candles:
    path = SHARED / "spot_1h" / f"{symbol}-1h.csv.gz"
    if not path.exists():
        pytest.skip("two years of hourly candles are not on this machine")
    return read_candles(path, minutes=60)


@pytest.mark.slow
@pytest.mark.parametrize("timeframe", ["1h", "4h"])
def test_every_head_votes_on_two_years_of_real_candles_neither_always_nor_never(timeframe: str) -> None:
    candles = {symbol: hourly(symbol) for symbol in TWO_YEARS}
    looks = looked_over(candles, TIMEFRAMES[timeframe], given_of(candles)).looks

    assert (looks.close_ms[-1] - looks.close_ms[0]) / DAY_MS > 650
    for symbol in FED:
        votes = looks.direction[looks.symbol == symbol] != 0
        shares = dict(zip(NAMES, votes.mean(axis=0).tolist(), strict=True))
        print(timeframe, symbol, {name: round(share, 4) for name, share in shares.items()})
        # No timeframe above 4h is read, so the structure of several has nothing to say there.
        asked = shares.keys() - ({"structure"} if timeframe == "4h" else set())
        assert {name: shares[name] for name in asked if not LEAST <= shares[name] <= MOST} == {}


@dataclass(frozen=True)
class History:
    """A market with its feeds, what was seen of it in one go, and the closes of that."""

    candles: Mapping[str, Candles]
    given: Given
    seen: Seen
    timeframe: Timeframe

    @property
    def closes(self) -> list[int]:
        return np.unique(self.seen.looks.close_ms).tolist()


@cache
def history(timeframe: str, days: int) -> History:
    """The last days of the recording, as many as make some blocks of the timeframe; BTCUSDT and ADAUSDT are fed."""
    chosen = ("AAVEUSDT", "ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT")
    end = min(int(recording()[symbol].open_ms[-1]) for symbol in chosen) + MINUTE_MS
    candles = {symbol: recording()[symbol].between(end - days * DAY_MS, end) for symbol in chosen}
    given = given_of(candles)
    return History(candles, given, looked_over(candles, TIMEFRAMES[timeframe], given), TIMEFRAMES[timeframe])


def seen_live(past: History, symbol: str, close_ms: int) -> object:
    """What live saw of one symbol: candles closed and readings fetched by then, moods and seasons stored before."""
    first_ms = history_start_ms(past.timeframe, close_ms)
    found = list(segments(past.candles[symbol].between(first_ms, close_ms), past.timeframe, close_ms, close_ms))
    stored = arrived_by(past.given.readings, close_ms)
    assert past.given.external is not None
    outside = arrived_by({"": {"": past.given.external}}, close_ms)[""].get("")
    known = past.seen.mood_ms <= close_ms
    feeds = mood_feed.feeds(past.seen.mood_ms[known], past.seen.mood[known]) | mood_feed.external(outside)
    times = past.seen.mood_ms[known]
    season = seasons({name: candles.between(0, close_ms) for name, candles in past.candles.items()}, times)
    own = symbol_feeds([symbol], stored, Feed(times, times, season))
    return bits(look(symbol, found, feeds, HEADS, Rules(), own))


@pytest.mark.parametrize(("timeframe", "days"), [("1m", 3), ("5m", 7), ("15m", 20), ("1h", 26), ("4h", 30)])
def test_every_vote_of_a_replay_with_feeds_is_the_one_live_would_have_cast(timeframe: str, days: int) -> None:
    past = history(timeframe, days)
    looks = past.seen.looks
    drawn = np.random.default_rng(7).choice(past.closes, 12, replace=False)

    heard = np.zeros(len(HEADS), np.bool_)
    for close_ms in sorted({*drawn.tolist(), past.closes[0], past.closes[-1]}):
        for symbol in ("ADAUSDT", "BNBUSDT", "BTCUSDT"):
            here = looks.take((looks.close_ms == close_ms) & (looks.symbol == symbol))
            assert seen_live(past, symbol, close_ms) == bits(here), (symbol, close_ms)
            heard |= (here.direction != 0).any(axis=0)
    assert heard[NAMES.index("crypto_metrics")]


def test_a_reading_matters_from_its_arrival_on_and_not_before() -> None:
    past = history("15m", 20)
    close_ms = past.closes[len(past.closes) // 2]
    cut = arrived_by(past.given.readings, close_ms)

    without = looked_over(past.candles, past.timeframe, Given(readings=cut, external=past.given.external)).looks

    looks, head = past.seen.looks, NAMES.index("crypto_metrics")
    before, after = looks.close_ms <= close_ms, looks.close_ms > close_ms + DAY_MS // 2
    assert bits(without.take(before)) == bits(looks.take(before))
    assert (without.direction[after, head] != looks.direction[after, head]).any()
