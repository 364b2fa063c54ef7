"""The whole scan: it sees nothing that had not closed, misses no ready bar, and does what the weights say."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.csv_format import load_recording
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles, Timeframe, resample
from learning.walk import Seen, look_over
from signals import mood_feed
from signals.consensus import Weights, evidence, pool
from signals.gates import GATES, Thresholds
from signals.heads import HEADS
from signals.heads.base import Head, Needs, Reason, Votes
from signals.scan import Decisions, Judged, Looks, Rules, decide, judge, look, look_together
from signals.segments import CONTEXT, history_start_ms, segments
from signals.window import Window
from tests.signals.decided import HEAD_NAMES, looks_at_close
from tests.signals.frames import RECORDING, without
from tests.signals.market import START_MS, random_walk

QUARTER = TIMEFRAMES["15m"]
RULES, THRESHOLDS = Rules(), Thresholds()
EQUAL = Weights.at_birth(HEAD_NAMES)
UNEQUAL = Weights(HEAD_NAMES, np.resize([0.9, 0.1, -0.4, 0.3, 0.7], len(HEADS)), np.array([0.4, -0.2]))
DAY_MS = 1440 * MINUTE_MS
NEVER_FED = {"crypto_metrics"}  # candles alone give this head nothing to read

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "candles" / "spot_1m"
OUTAGE = SHARED / "2023-03-16_2023-05-01"
OUTAGE_MS = 1_679_661_600_000  # 2023-03-24 12:40 UTC


@dataclass(frozen=True)
class History:
    """A market, what was seen of it in one go, and the closes of that."""

    minutes: dict[str, Candles]
    seen: Seen

    @property
    def closes(self) -> list[int]:
        return np.unique(self.seen.looks.close_ms).tolist()

    def at(self, close_ms: int) -> Looks:
        return self.seen.looks.take(self.seen.looks.close_ms == close_ms)


def history(minutes: dict[str, Candles]) -> History:
    first = min(int(candles.open_ms[0]) for candles in minutes.values())
    last = max(int(candles.open_ms[-1]) for candles in minutes.values()) + MINUTE_MS
    return History(minutes, look_over(minutes, QUARTER, first, last, HEADS, RULES))


@cache
def shipped() -> History:
    """Five symbols, so that the mood has its say, over four block boundaries of 15m and two of 1h."""
    symbols = ("AAVEUSDT", "ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT")
    start = int(load_recording(RECORDING, ("BTCUSDT",))["BTCUSDT"].open_ms[0])
    return history(load_recording(RECORDING, symbols, end=start + 26 * DAY_MS))


@cache
def outage() -> History:
    """The exchange was away on 2023-03-24: 72 minutes without a trade, then 80 without a candle."""
    symbols = ("ADAUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT", "SOLUSDT")
    return history(load_recording(OUTAGE, symbols, end=OUTAGE_MS + 6 * DAY_MS))


def seen_live(history: History, close_ms: int) -> Looks:
    """What live saw at one close: candles that had closed by then, no more history than needed, stored moods."""
    first_ms = history_start_ms(QUARTER, close_ms)
    found = {
        symbol: list(segments(candles.between(first_ms, close_ms), QUARTER, close_ms, close_ms))
        for symbol, candles in history.minutes.items()
    }
    before = history.seen.mood_ms < close_ms
    mood = mood_feed.mood_at(found, close_ms, history.seen.mood_ms[before], history.seen.mood[before])
    assert mood is not None
    assert mood.tobytes() == history.seen.mood[history.seen.mood_ms == close_ms].tobytes()
    feeds = mood_feed.feeds(np.array([close_ms]), mood[None, :])
    return Looks.concatenate([look(symbol, found[symbol], feeds, HEADS, RULES) for symbol in sorted(found)])


def bits(rows: Looks) -> dict[str, object]:
    """Every column to the last bit."""
    columns = {column.name: getattr(rows, column.name) for column in fields(rows)}
    return {
        name: values.tolist() if values.dtype.kind in "OUS" else (values.dtype, values.shape, values.tobytes())
        for name, values in columns.items()
    }


def decided(looks: Looks, weights: Weights = EQUAL, thresholds: Thresholds = THRESHOLDS) -> Decisions:
    return decide(judge(looks, weights, thresholds, RULES), [], weights, thresholds, RULES)


def assert_no_look_ahead(history: History, close_ms: int) -> None:
    live, replayed = seen_live(history, close_ms), history.at(close_ms)
    assert bits(live) == bits(replayed)
    assert bits(decided(live, UNEQUAL)) == bits(decided(replayed, UNEQUAL))


@settings(max_examples=6)
@given(data=st.data())
def test_looking_at_symbols_together_gives_the_bits_of_each_alone(data: st.DataObject) -> None:
    close_ms = data.draw(st.sampled_from(shipped().closes))
    found = {
        symbol: list(segments(candles, QUARTER, close_ms, close_ms)) for symbol, candles in shipped().minutes.items()
    }

    together = look_together(found, {}, HEADS, RULES)

    alone = [look(symbol, found[symbol], {}, HEADS, RULES) for symbol in sorted(found)]
    assert bits(together) == bits(Looks.concatenate(alone))


def test_a_scan_leaves_nothing_for_the_garbage_collector() -> None:
    # Frames are large: memory that is not free at once is not there for the next chunk, which then costs twice.
    close_ms = shipped().closes[-1]
    minutes = {symbol: shipped().minutes[symbol] for symbol in ("ADAUSDT", "BTCUSDT")}

    def scan_once() -> None:
        found = {symbol: list(segments(candles, QUARTER, close_ms, close_ms)) for symbol, candles in minutes.items()}
        decided(look_together(found, {}, HEADS, RULES))

    scan_once()
    gc.collect()
    gc.disable()
    try:
        scan_once()
        left = gc.collect()
    finally:
        gc.enable()

    assert left == 0


@settings(max_examples=12)
@given(data=st.data())
def test_a_scan_of_a_prefix_is_the_row_of_the_whole_to_the_bit(data: st.DataObject) -> None:
    assert_no_look_ahead(shipped(), data.draw(st.sampled_from(shipped().closes)))


@pytest.mark.parametrize("timeframe", ["15m", "1h", "4h"])
@pytest.mark.parametrize("bars_after", [0, 1])
def test_the_first_scans_after_an_anchor_equal_their_replay(timeframe: str, bars_after: int) -> None:
    frame, closes = TIMEFRAMES[timeframe], np.array(shipped().closes)
    boundary = closes[closes % (frame.block * frame.ms) == 0]
    if not len(boundary):
        pytest.fail(f"the recording crosses no anchor of {timeframe}")

    for offset in (0, QUARTER.ms):
        assert_no_look_ahead(shipped(), int(boundary[0]) + offset + bars_after * frame.ms)


@pytest.mark.skipif(not OUTAGE.exists(), reason="needs ../shared/data/candles, which is not here")
@settings(max_examples=6)
@given(data=st.data())
def test_a_scan_of_a_prefix_is_the_row_of_the_whole_across_an_outage(data: st.DataObject) -> None:
    near = [close for close in outage().closes if OUTAGE_MS - 4 * QUARTER.ms < close < OUTAGE_MS + 5 * DAY_MS]

    assert_no_look_ahead(outage(), data.draw(st.sampled_from(near)))


@pytest.mark.skipif(not OUTAGE.exists(), reason="needs ../shared/data/candles, which is not here")
def test_the_bars_around_an_outage_are_scanned_as_what_they_are() -> None:
    closes = [OUTAGE_MS + 5 * MINUTE_MS + number * QUARTER.ms for number in range(7)]

    missing = [outage().at(close).missing_minutes.tolist() for close in closes]

    # 12:45 has its first ten minutes, the bars from 12:45 to 14:00 do not exist, and the next one is whole.
    assert missing == [[5] * 5, [], [], [], [], [], [0] * 5]
    for close_ms in (closes[0], closes[-1]):
        assert_no_look_ahead(outage(), close_ms)
    assert set(decided(outage().at(closes[0])).reason.tolist()) <= {"stale_data", "no_consensus"}


def test_a_scan_reads_nothing_before_its_history_start() -> None:
    close_ms = shipped().closes[len(shipped().closes) // 2]
    first_ms = history_start_ms(QUARTER, close_ms)

    cut = {symbol: candles.between(first_ms, close_ms) for symbol, candles in shipped().minutes.items()}
    longer = {symbol: candles.between(0, close_ms) for symbol, candles in shipped().minutes.items()}

    for symbol in cut:
        short = look(symbol, list(segments(cut[symbol], QUARTER, close_ms, close_ms)), {}, HEADS, RULES)
        long = look(symbol, list(segments(longer[symbol], QUARTER, close_ms, close_ms)), {}, HEADS, RULES)
        assert bits(short) == bits(long)


def test_every_input_bar_is_in_the_digest() -> None:
    close_ms = shipped().closes[-1]
    whole = shipped().minutes["BTCUSDT"].between(history_start_ms(QUARTER, close_ms), close_ms)

    def digest(candles: Candles) -> bytes:
        return look("BTCUSDT", list(segments(candles, QUARTER, close_ms, close_ms)), {}, HEADS, RULES).digest[0]

    for name in ("open", "high", "low", "close", "volume"):
        values = getattr(whole, name).copy()
        row = len(values) - QUARTER.minutes if name == "open" else len(values) - 1
        values[row] = np.nextafter(values[row], np.inf) if name != "low" else values[row] * 0.5
        if name == "high":
            values[row] *= 2
        assert digest(replace(whole, **{name: values})) != digest(whole), name
    assert digest(without(whole, slice(0, 60))) != digest(whole)


# --- segments ---------------------------------------------------------------------------------------------------------


def ready_closes(minutes: Candles, timeframe: Timeframe, last_ms: int) -> list[int]:
    """Closes of the bars that have a whole block of clock time behind them in their window, counted one by one."""
    closes = []
    bars = resample(minutes, timeframe).open_ms.tolist()
    for open_ms in bars:
        if open_ms + timeframe.ms > last_ms:
            break
        start = (open_ms // timeframe.ms // timeframe.block - 1) * timeframe.block * timeframe.ms
        first = next(bar for bar in bars if bar >= start)
        if (open_ms - first) // timeframe.ms + 1 >= timeframe.block:
            closes.append(open_ms + timeframe.ms)
    return closes


@pytest.mark.parametrize("name", ["5m", "15m", "1h"])
@pytest.mark.parametrize("begin", [0, 777])
def test_every_ready_bar_stands_in_exactly_one_segment(name: str, begin: int) -> None:
    timeframe = TIMEFRAMES[name]
    minutes = without(shipped().minutes["BTCUSDT"].rows(slice(begin, None)), slice(9_000, 9_200))
    first, last = int(minutes.open_ms[0]), int(minutes.open_ms[-1]) + MINUTE_MS

    found = [
        close
        for segment in segments(minutes, timeframe, first, last)
        for close in segment.window.base.close_ms[segment.rows].tolist()
    ]

    assert found == ready_closes(minutes, timeframe, last)


@pytest.mark.parametrize("name", ["5m", "15m", "1h"])
def test_every_row_sees_the_context_of_its_own_anchors(name: str) -> None:
    timeframe, minutes = TIMEFRAMES[name], shipped().minutes["BTCUSDT"]
    first, last = int(minutes.open_ms[0]), int(minutes.open_ms[-1]) + MINUTE_MS
    slower = [TIMEFRAMES[context] for context in CONTEXT if TIMEFRAMES[context].minutes > timeframe.minutes]
    crossed: dict[str, set[int]] = {context.name: set() for context in slower}

    for segment in segments(minutes, timeframe, first, last):
        assert set(segment.window.context) == {context.name for context in slower}
        for close_ms in segment.window.base.close_ms[segment.rows].tolist():
            for context in slower:
                last_open = (close_ms // context.ms) * context.ms - context.ms
                block = last_open // context.ms // context.block
                start = max((block - 1) * context.block * context.ms, first // context.ms * context.ms)
                frame = segment.window.context[context.name]
                assert int(frame.candles.open_ms[0]) == start
                row = int(np.searchsorted(frame.close_ms, close_ms, side="right")) - 1
                assert int(frame.candles.open_ms[row]) == last_open
                crossed[context.name].add(block)
    # The recording has one anchor of 4h, and hours are ready only after it.
    assert name == "1h" or all(len(blocks) >= 2 for blocks in crossed.values())


def test_a_bar_that_is_not_ready_is_not_scanned() -> None:
    minutes = random_walk(511 * 15, seed=1)

    assert list(segments(minutes, QUARTER, START_MS, START_MS + 511 * QUARTER.ms)) == []
    assert len(look("BTCUSDT", [], {}, HEADS, RULES)) == 0


def test_a_bar_that_lacks_a_minute_is_refused_as_stale_data() -> None:
    whole = random_walk(8_640, seed=2)
    holed = without(whole, slice(len(whole) - 3, len(whole) - 2))
    close_ms = int(whole.open_ms[-1]) + MINUTE_MS

    def reason(minutes: Candles) -> tuple[int, str, bool]:
        looks = look("BTCUSDT", list(segments(minutes, QUARTER, close_ms, close_ms)), {}, HEADS, RULES)
        looks.direction[:], looks.probability[:], looks.confidence[:] = 1, 0.7, 1.0
        found = decided(looks)
        return int(found.missing_minutes[0]), str(found.reason[0]), bool(found.passed[0, 0])

    assert reason(holed) == (1, "stale_data", False)
    assert reason(whole)[0] == 0
    assert reason(whole)[2]


# --- votes, weights, decisions ----------------------------------------------------------------------------------------


def votes_at(told: Mapping[str, list[int]], stop: float = 0.01) -> Looks:
    """Looks in which the first heads vote as told and the rest abstain."""
    directions = {symbol: [*votes, *[0] * (len(HEADS) - len(votes))] for symbol, votes in told.items()}
    return looks_at_close(START_MS, dict.fromkeys(directions, 100.0), directions, stop)


def test_other_weights_make_another_side() -> None:
    looks = votes_at({"BTCUSDT": [1, 1, -1, -1, -1]})

    others = [1.0] * (len(HEADS) - 2)
    first = Weights(HEAD_NAMES, np.array([1.0, 1.0, *(0.1 * np.array(others))]), EQUAL.bias)
    second = Weights(HEAD_NAMES, np.array([0.1, 0.1, *others]), EQUAL.bias)

    assert (decided(looks, first).lean[0], decided(looks, second).lean[0]) == (1, -1)


def test_other_weights_make_another_verdict() -> None:
    looks = votes_at({"BTCUSDT": [1, 1, 1, 1, 0]})
    timid = Weights(HEAD_NAMES, np.full(len(HEADS), 0.05), EQUAL.bias)
    sharp = Weights(HEAD_NAMES, np.full(len(HEADS), 1.0), EQUAL.bias)

    assert decided(looks, timid).reason[0] in ("no_consensus", "low_quality")
    assert decided(looks, sharp).reason[0] == ""
    assert decided(looks, timid).scan_id[0] != decided(looks, sharp).scan_id[0]


def test_learned_weights_change_decisions_on_a_real_market() -> None:
    closes = shipped().closes[-200:]

    changed = [
        close
        for close in closes
        if decided(shipped().at(close)).lean.tolist() != decided(shipped().at(close), UNEQUAL).lean.tolist()
    ]

    assert changed


@pytest.mark.parametrize("head", range(len(HEADS)))
def test_each_weight_counts_the_vote_of_the_head_of_its_name(head: int) -> None:
    close_ms = shipped().closes[-1]
    votes = {name: shipped().seen.looks.direction[:, column] for column, name in enumerate(HEAD_NAMES)}
    alone = Weights(HEAD_NAMES, np.eye(len(HEADS))[head], EQUAL.bias)

    judged = judge(shipped().seen.looks, alone, THRESHOLDS, RULES)

    name = HEADS[head].name
    voted = votes[name]
    sure = judged.lean != 0
    assert sure.any() or name in NEVER_FED
    assert (judged.lean[sure] == voted[sure]).all()
    assert (judged.lean[voted == 0] == 0).all()
    assert close_ms in judged.close_ms


def test_votes_are_columns_in_the_order_of_the_heads() -> None:
    close_ms = shipped().closes[-1]
    found = list(segments(shipped().minutes["BTCUSDT"], QUARTER, close_ms, close_ms))

    looks = look("BTCUSDT", found, {}, HEADS, RULES)

    for column, head in enumerate(HEADS):
        vote = head.vote(Window(found[0].window.base, found[0].window.context, {}))
        assert looks.direction[0, column] == vote.direction[found[0].rows[0]]
    assert HEAD_NAMES == tuple(head.name for head in HEADS) == EQUAL.heads
    assert [head.letter for head in HEADS] == sorted(head.letter for head in HEADS)


@pytest.mark.parametrize("count", [len(HEADS) - 1, len(HEADS) + 1])
def test_weights_for_more_or_fewer_heads_than_voted_are_refused(count: int) -> None:
    strangers = Weights(tuple(f"head {number}" for number in range(count)), np.ones(count), EQUAL.bias)

    with pytest.raises(ValueError, match=f"weights of {count} heads cannot pool {len(HEADS)} votes"):
        decided(votes_at({"BTCUSDT": [1, 1, 1, 0, 0]}), strangers)


@settings(max_examples=40)
@given(
    votes=st.dictionaries(
        st.sampled_from(["AAA", "BBB", "CCC", "DDD", "EEE", "FFF"]),
        st.lists(st.integers(-1, 1), min_size=5, max_size=5),
        min_size=1,
    ),
    seed=st.integers(0, 999),
)
def test_the_order_of_symbols_changes_nothing(votes: dict[str, list[int]], seed: int) -> None:
    looks = votes_at(votes)
    mixed = looks.take(np.random.default_rng(seed).permutation(len(looks)))
    sharp = Weights(HEAD_NAMES, np.full(len(HEADS), 0.8), EQUAL.bias)

    assert bits(decided(looks, sharp)) == bits(decided(mixed, sharp))


def test_the_order_in_which_symbols_are_looked_at_changes_nothing() -> None:
    last = int(shipped().minutes["BTCUSDT"].open_ms[0]) + 7 * DAY_MS
    minutes = {symbol: candles.between(0, last) for symbol, candles in shipped().minutes.items()}

    backwards = history({symbol: minutes[symbol] for symbol in reversed(minutes)})

    assert bits(backwards.seen.looks) == bits(shipped().seen.looks.take(shipped().seen.looks.close_ms <= last))


@dataclass(frozen=True)
class Crashing:
    name: str = "crashing"
    letter: str = "Z"
    needs: Needs = field(default_factory=Needs)
    inputs: tuple[str, ...] = ()

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        return ()

    def vote(self, window: Window) -> Votes:
        raise ZeroDivisionError("a bug in a head")


@dataclass(frozen=True)
class Confused:
    """A head that computed NaN somewhere."""

    side: float = np.nan
    probability: float = 0.8
    confidence: float = 0.9
    name: str = "confused"
    letter: str = "Y"
    needs: Needs = field(default_factory=Needs)

    def vote(self, window: Window) -> Votes:
        return Votes.of(*(np.full(len(window), value) for value in (self.side, self.probability, self.confidence)))


def last_look(heads: tuple[Head, ...]) -> Looks:
    close_ms = shipped().closes[-1]
    found = list(segments(shipped().minutes["BTCUSDT"], QUARTER, close_ms, close_ms))
    return look("BTCUSDT", found, {}, heads, RULES)


@pytest.mark.parametrize("place", [0, 2, 5])
def test_a_crashing_head_is_an_error_and_not_a_neutral_vote(place: int) -> None:
    heads = (*HEADS[:place], Crashing(), *HEADS[place:])

    with pytest.raises(ZeroDivisionError, match="a bug in a head"):
        last_look(heads)


@pytest.mark.parametrize("column", ["side", "probability", "confidence"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_head_whose_figures_are_not_numbers_abstains(column: str, value: float) -> None:
    confused = Confused(**{"side": 1.0, column: value})  # type: ignore[arg-type]

    looks = last_look((*HEADS, confused))

    assert looks.direction[0, -1] == 0
    assert np.isnan(looks.probability[0, -1])
    assert np.isnan(looks.confidence[0, -1])


def test_an_abstaining_head_is_absent_and_loses_nothing() -> None:
    looks = last_look((*HEADS, Confused()))
    heavy = Weights((*HEAD_NAMES, "confused"), np.array([*EQUAL.beta, 3.0]), EQUAL.bias)

    with_it = pool(heavy, evidence(looks.direction, looks.probability, looks.confidence))
    without_it = pool(EQUAL, evidence(looks.direction[:, :-1], looks.probability[:, :-1], looks.confidence[:, :-1]))

    assert with_it.log_odds.tobytes() == without_it.log_odds.tobytes()
    assert with_it.probability.tobytes() == without_it.probability.tobytes()


def test_where_every_head_abstains_there_is_no_lean_and_no_price() -> None:
    found = decided(votes_at({"BTCUSDT": [0] * 5}))

    assert (found.lean[0], found.reason[0]) == (0, "no_consensus")
    assert np.isnan([found.win_probability[0], found.expected_r[0], found.stop_loss[0], found.take_profit[0]]).all()


def test_serial_gates_are_asked_in_order_of_expected_r_and_then_of_symbol() -> None:
    looks = votes_at({"CCC": [1, 1, 1, 1, 1], "BBB": [1, 1, 1, 1, 1], "AAA": [1, 1, 1, 1, 0], "DDD": [0] * 5})
    sharp = Weights(HEAD_NAMES, np.full(len(HEADS), 0.8), EQUAL.bias)

    found = decided(looks, sharp)

    # The first one taken keeps the others away for the cooldown of any symbol.
    assert list(zip(found.symbol.tolist(), found.reason.tolist(), strict=True)) == [
        ("BBB", ""),
        ("CCC", "cooldown"),
        ("AAA", "cooldown"),
        ("DDD", "no_consensus"),
    ]


def test_deciding_leaves_what_it_was_given_as_it_was() -> None:
    judged: Judged = judge(votes_at({"AAA": [1] * 5, "BBB": [-1] * 5}), EQUAL, THRESHOLDS, RULES)
    before = bits(judged)

    decide(judged, [], EQUAL, THRESHOLDS, RULES)

    assert bits(judged) == before
    assert judged.margins.shape == (2, len(GATES))


def test_two_closes_at_once_are_refused_without_their_results() -> None:
    looks = votes_at({"AAA": [1] * 5, "BBB": [1] * 5})
    looks.close_ms[1] += QUARTER.ms

    with pytest.raises(ValueError, match="split the scans by close_ms"):
        decided(looks)


@pytest.mark.parametrize("column", ["direction", "probability", "confidence", "reference", "risk", "digest", "regime"])
def test_a_scan_id_names_everything_that_was_decided_from(column: str) -> None:
    looks = votes_at({"BTCUSDT": [1, 1, 1, -1, 0]})
    values = getattr(looks, column).copy()
    if column == "digest":
        values[0] = b"another"
    elif column in ("direction", "regime"):
        values.flat[3 if column == "direction" else 0] = 1
    else:
        values.flat[0] = np.nextafter(values.flat[0], 0)

    assert decided(replace(looks, **{column: values})).scan_id[0] != decided(looks).scan_id[0]


def test_a_scan_id_names_the_weights_and_the_threshold() -> None:
    looks = votes_at({"BTCUSDT": [1, 1, 1, -1, 0]})
    nudged = replace(EQUAL, beta=np.nextafter(EQUAL.beta, 1))

    ids = {
        decided(looks).scan_id[0],
        decided(looks, nudged).scan_id[0],
        decided(looks, EQUAL, Thresholds(np.nextafter(0.05, 1))).scan_id[0],
    }

    assert len(ids) == 3
    assert decided(looks).scan_id[0] == decided(looks).scan_id[0]
