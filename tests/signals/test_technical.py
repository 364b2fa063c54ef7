"""The technical head sides with the balance of 25 readings, all of them read with the move."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import FloatArray
from signals.frame import Frame, end_to_end
from signals.heads.base import Votes
from signals.heads.parts import balance
from signals.heads.technical import GROUPS, RULES, Technical, bounded, pulls_of, readings, shown_at, weighted_mean
from signals.heads.technical_rules import MEMORY, Rule, bulge_ends, mass_index, measured
from signals.indicators import INDICATORS, SERIES
from signals.window import Span, stacked
from tests.signals.head_windows import (
    READY,
    assert_inputs_untouched,
    assert_prefix_invariant,
    assert_same_bits,
    from_closes,
    ready_rows,
    recorded,
    share_voted,
    shared_bars,
    upside_down,
    window_of,
)

BLOCKS = recorded().rows(slice(0, 1024))
# A rise that gains speed, for the MACD histogram of a steady one is zero. Every bar closes above the one before.
RISE = from_closes(200 + np.arange(700) ** 2 / 4000)
WITH_OUTAGES = ("spot_1m/2023-03-16_2023-05-01/DOGEUSDT-1m.csv.gz", "spot_1m/2021-04-20_2021-05-20/XRPUSDT-1m.csv.gz")
# The other two speak of ranges that widen or bulge, which a smooth rise does not do.
SPEAKING_IN_A_SMOOTH_RISE = [rule for rule in RULES if rule.name not in ("atr_regime", "mass_index")]


def read(rule: Rule, frame: Frame) -> FloatArray:
    """One rule's reading of every bar."""
    return bounded((measured(frame, [rule])[0] - rule.middle) / rule.full)


def test_there_are_exactly_25_readings_in_three_groups() -> None:
    assert [len(rules) for _, rules in GROUPS] == [9, 10, 6]
    assert [weight for weight, _ in GROUPS] == [0.40, 0.35, 0.25]
    assert len({rule.name for rule in RULES}) == 25


def test_the_head_needs_only_indicators_that_exist() -> None:
    assert Technical.needs.indicators <= INDICATORS.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_reads_no_other_indicator_than_it_declares(rule: Rule) -> None:
    frame = window_of(BLOCKS).base
    read(rule, frame)
    assert set(frame._series) <= needed(rule.indicators) | set(vars(frame.candles))


def needed(names: Iterable[str]) -> set[str]:
    """The indicators and what they are made of."""
    return {each for name in names if name in SERIES for each in (name, *needed(SERIES[name].inputs))}


@pytest.mark.parametrize("rule", SPEAKING_IN_A_SMOOTH_RISE, ids=lambda rule: rule.name)
def test_every_reading_is_long_in_a_rise_and_short_in_its_mirror(rule: Rule) -> None:
    rising, falling = window_of(RISE).base, window_of(upside_down(RISE, around=1000)).base

    assert read(rule, rising)[-1] > 0
    assert read(rule, falling)[-1] < 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_reading_stays_between_minus_one_and_one_and_uses_the_range(rule: Rule) -> None:
    reading = read(rule, window_of(BLOCKS).base)[READY:]
    given = reading[np.isfinite(reading)]

    assert np.abs(given).max() <= 1
    assert given.min() < -0.4 < 0.4 < given.max()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_chart_upside_down_turns_every_reading(rule: Rule) -> None:
    ready = ready_rows(BLOCKS)
    straight = read(rule, window_of(BLOCKS).base)[ready]
    turned = read(rule, window_of(upside_down(BLOCKS)).base)[ready]

    # An oscillator from 0 to 100 is not turned to the bit: 100 less a rounded figure is rounded again.
    np.testing.assert_allclose(turned, -straight, atol=1e-9)


@pytest.mark.parametrize("name", [None, *WITH_OUTAGES])
def test_the_chart_upside_down_turns_the_vote(name: str | None) -> None:
    candles = BLOCKS if name is None else shared_bars(name).rows(slice(0, 1024))

    straight, turned = (Technical().vote(window_of(each)) for each in (candles, upside_down(candles)))

    np.testing.assert_array_equal(turned.direction, -straight.direction)
    np.testing.assert_allclose(turned.probability, straight.probability, atol=1e-9)
    np.testing.assert_allclose(turned.confidence, straight.confidence, atol=1e-9)


@pytest.mark.parametrize("scale", [0.001, 1000.0])
def test_the_vote_does_not_depend_on_the_price_unit(scale: float) -> None:
    prices = {name: getattr(BLOCKS, name) * scale for name in ("open", "high", "low", "close")}

    straight, scaled = (Technical().vote(window_of(candles)) for candles in (BLOCKS, replace(BLOCKS, **prices)))

    assert (straight.direction == scaled.direction).mean() > 0.995


@pytest.mark.parametrize("power", [-30, -1, 1, 30])
def test_the_vote_is_the_same_to_the_bit_in_a_price_unit_that_rounds_nothing(power: int) -> None:
    prices = {name: getattr(BLOCKS, name) * 2.0**power for name in ("open", "high", "low", "close")}

    scaled = Technical().vote(window_of(replace(BLOCKS, **prices)))

    assert_same_bits(scaled, Technical().vote(window_of(BLOCKS)))


def test_a_steady_rise_is_a_confident_long_and_its_mirror_a_short() -> None:
    long, short = (Technical().vote(window_of(market)) for market in (RISE, upside_down(RISE, around=1000)))

    assert (long.direction[-1], short.direction[-1]) == (1, -1)
    assert long.probability[-1] > 0.65
    assert long.confidence[-1] > 0.8


def test_a_flat_market_has_no_vote() -> None:
    flat = from_closes([100.0] * 700)
    dead = from_closes([100.0] * 700, wick=0.0)

    assert not Technical().vote(window_of(flat)).awake.any()
    assert not Technical().vote(window_of(dead)).awake.any()


def test_nothing_is_said_before_the_window_is_ready() -> None:
    votes = Technical().vote(window_of(RISE))

    assert not votes.awake[: READY - 1].any()
    assert votes.awake[READY - 1 :].all()


def test_an_indicator_that_is_undefined_on_a_slow_timeframe_drops_out() -> None:
    daily = window_of(from_closes(200 + np.arange(128) ** 2 / 500, timeframe="1d"), "1d")

    assert np.isnan(daily.base["sma_100"]).all()
    assert Technical().vote(daily).direction[-1] == 1


def test_trend_and_momentum_do_not_cancel_by_construction() -> None:
    """Regression: a momentum bias with a mean-reverting entry rejected everything."""
    frame, ready = window_of(recorded()).base, ready_rows(recorded())

    assert np.corrcoef(readings(frame).groups[:, ready]).min() > 0.5


def test_stronger_scores_state_higher_probabilities_within_reason() -> None:
    frame, votes = window_of(recorded()).base, Technical().vote(window_of(recorded()))
    order = np.argsort(np.abs(readings(frame).score[votes.awake]))

    stated = votes.probability[votes.awake][order]

    assert (np.diff(stated) >= 0).all()
    assert 0.5 < stated[0] < stated[-1] <= 0.75


def test_on_real_candles_the_head_speaks_on_some_bars_and_not_on_most() -> None:
    assert 0.0005 <= share_voted(Technical(), recorded()) <= 0.60


@pytest.mark.parametrize("first", [0, 1, 511, 512, 1000, 1023])
def test_votes_are_the_same_from_whatever_row_they_are_read(first: int) -> None:
    window = window_of(BLOCKS)

    votes = Technical().vote(replace(window, first=first))

    assert_same_bits(votes.take(slice(first, None)), Technical().vote(window).take(slice(first, None)))


def test_many_symbols_at_once_get_the_votes_each_gets_alone() -> None:
    spans = [
        Span(window_of(candles), start, stop)
        for candles, start, stop in ((BLOCKS, 1023, 1024), (RISE, 0, 700), (recorded(), 700, 1024))
    ]

    together, rows = stacked(spans, MEMORY)

    alone = [Technical().vote(each.window).take(slice(each.start, each.stop)) for each in spans]
    assert_same_bits(Technical().vote(together).take(rows), Votes.concatenate(alone))


@settings(max_examples=40)
@given(cut=st.integers(0, len(BLOCKS)))
def test_a_prefix_gives_the_same_votes(cut: int) -> None:
    assert_prefix_invariant(Technical(), BLOCKS, cut)


@pytest.mark.parametrize("name", WITH_OUTAGES)
def test_a_prefix_gives_the_same_votes_across_an_outage(name: str) -> None:
    candles = shared_bars(name).rows(slice(0, 1024))
    for cut in (1, 511, 513, 700, 900, 1023):
        assert_prefix_invariant(Technical(), candles, cut)


def test_the_candles_are_left_as_they_are() -> None:
    assert_inputs_untouched(Technical(), recorded())


def test_a_bulge_ends_only_after_the_index_has_been_above_its_top() -> None:
    index = np.array([26.0, 26.8, 27.2, 26.9, 26.6, 26.4, 26.3, 26.9, 26.4])

    np.testing.assert_array_equal(bulge_ends(index, np.zeros(9, np.int64)), [5])


def test_a_bulge_does_not_end_in_the_market_beside_it() -> None:
    index = np.array([27.2, 26.8, 27.3, 26.4, 26.4, 26.9])

    np.testing.assert_array_equal(bulge_ends(index, np.array([0, 0, 2, 2, 4, 4])), [3])


def test_the_mass_index_of_many_markets_is_that_of_each() -> None:
    whole = window_of(recorded()).base
    last = int(bulge_ends(whole["mass_index"], whole.begins)[-1])
    # The first market ends while a bulge speaks.
    frames = [window_of(recorded().rows(slice(start, stop))).base for start, stop in ((last - 800, last + 4), (0, 700))]
    assert np.isfinite(frames[0].derived(mass_index)[-4:]).all()

    together = end_to_end(frames).derived(mass_index)

    assert together.tobytes() == np.concatenate([frame.derived(mass_index) for frame in frames]).tobytes()


def test_the_mass_index_speaks_against_the_slope_for_a_few_bars_after_a_bulge() -> None:
    frame = window_of(recorded().rows(slice(0, 1450))).base
    ends = bulge_ends(frame["mass_index"], frame.begins)
    reading = mass_index(frame)

    first = ends[0]

    assert np.diff(ends).min() >= 9  # so that no bulge talks over another one here
    assert np.isnan(reading[:first]).all()
    assert np.isfinite(reading).sum() == 9 * len(ends)
    for end in ends:
        against = -np.sign(frame["ema_9"][end] - frame["ema_9"][end - 1])
        np.testing.assert_array_equal(reading[end : end + 9], np.full(9, against))


def test_parts_without_data_drop_out_and_the_rest_share_their_weight() -> None:
    nan = np.nan
    parts = [(0.5, [1.0, nan, nan]), (0.3, [-1.0, 0.5, nan]), (0.2, [0.0, 1.0, nan])]

    found = balance([(weight, np.array(values)) for weight, values in parts])

    np.testing.assert_allclose(found.score, [0.2, 0.7, nan])
    np.testing.assert_allclose(found.agreement, [0.25, 1.0, nan])
    np.testing.assert_allclose(found.present, [1.0, 0.5, 0.0])


@pytest.mark.parametrize("lines", [3, 10, 25])
def test_a_mean_has_the_same_bits_for_one_bar_as_for_many(lines: int) -> None:
    values = np.random.default_rng(4).uniform(-1, 1, (lines, 64))
    shares = np.linspace(0.2, 0.5, lines)

    alone = [weighted_mean(values[:, bar : bar + 1].copy(), shares) for bar in range(64)]

    np.testing.assert_array_equal(np.concatenate(alone), weighted_mean(values, shares))


# --- why --------------------------------------------------------------------------------------------------------------


def test_reasons_are_the_rules_that_add_most_to_the_score() -> None:
    window = window_of(BLOCKS)
    seen, row = readings(window.base), int(np.flatnonzero(Technical().vote(window).awake)[-1])

    reasons = Technical().explain(window, row)

    added = {}
    for weight, rules in GROUPS:
        places = [RULES.index(rule) for rule in rules if np.isfinite(seen.in_votes[RULES.index(rule), row])]
        for place in places:
            added[RULES[place].name] = weight * float(bounded(seen.in_votes[place, row])) / len(places)
    assert sum(added.values()) == pytest.approx(float(seen.score[row]))
    weakest = min(abs(added[reason.name]) for reason in reasons)
    assert len(reasons) == 4
    assert sum(abs(pull) > weakest + 1e-12 for pull in added.values()) < 4
    units = {round(added[reason.name] / reason.pull, 12) for reason in reasons}
    assert len(units) == 1
    assert 0.25 / 6 <= units.pop() <= 0.25
    assert {reason.name for reason in reasons} <= set(Technical.inputs)


def test_of_equal_pulls_those_furthest_beyond_a_full_vote_are_named() -> None:
    window, tied = window_of(BLOCKS), 0
    in_votes = np.abs(readings(window.base).in_votes)
    for row in range(READY, len(window), 5):
        pulls = dict(zip(RULES, np.abs(pulls_of(in_votes[:, row])), strict=True))
        beyond = dict(zip(RULES, in_votes[:, row], strict=True))
        names = {reason.name for reason in Technical().explain(window, row)}
        named = [rule for rule in RULES if rule.name in names]
        weakest = min(pulls[rule] for rule in named)
        left_out = [beyond[rule] for rule in RULES if pulls[rule] == weakest and rule not in named]
        tied += bool(left_out)
        assert all(beyond[rule] >= max(left_out, default=0.0) for rule in named if pulls[rule] == weakest)
    assert tied > 10


@pytest.mark.parametrize("first", [0, 900, 1000])
def test_reasons_do_not_depend_on_what_else_is_read(first: int) -> None:
    window = window_of(BLOCKS)

    assert Technical().explain(replace(window, first=first), 1000) == Technical().explain(window, 1000)


def test_a_silent_head_still_says_what_it_saw_and_without_data_nothing() -> None:
    window = window_of(BLOCKS)
    silent = int(np.flatnonzero(~Technical().vote(window).awake)[-1])

    assert len(Technical().explain(window, silent)) == 4
    assert Technical().explain(window, 0) == ()


@pytest.mark.parametrize(("name", "indicator"), [("adx", "adx_14"), ("mass_index", "mass_index"), ("rsi", "rsi_14")])
def test_a_reason_shows_the_figure_people_know(name: str, indicator: str) -> None:
    frame = window_of(BLOCKS).base
    place = [rule.name for rule in RULES].index(name)

    assert shown_at(frame, 1000, place, readings(frame)) == frame[indicator][1000]
