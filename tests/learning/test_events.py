"""Learning events: one order, each once, nothing broken gets in."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learning.events import CONTENT, Events, collect, design_effect, digest, join, make_events, sampled
from learning.labels import uniqueness_within
from signals.consensus import EVIDENCE_CAP
from tests.learning.ledgers import changed, ledger, ledgers, shuffled


def one_event(**columns: object) -> object:
    row = {
        "key": [b"a"],
        "decided_day": [1],
        "matured_day": [2],
        "evidence": np.array([[0.5, -0.5]]),
        "won_long": [True],
        "won_short": [False],
    }
    return make_events(**{**row, **columns})  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None)
@given(events=ledgers, seed=st.integers(0, 99))
def test_any_order_of_delivery_collects_to_the_same_bytes(events, seed) -> None:
    twice = join([shuffled(events, seed), shuffled(events, seed + 1)])

    assert digest(collect(twice).events) == digest(collect(events).events)
    assert collect(twice).repeated == len(events)
    assert len(collect(twice).conflicts) == 0


def test_events_are_in_order_of_decision_and_then_of_key() -> None:
    events = collect(shuffled(ledger(50), 3)).events

    order = list(zip(events.decided_day, events.hour_block, events.key, strict=True))
    assert order == sorted(order)


def test_the_same_key_with_two_contents_is_set_apart_and_not_learned() -> None:
    events = ledger(20)
    liar = changed(events.rows(slice(4, 5)), won_long=~events.won_long[4:5])

    collected = collect(join([events, liar, liar]))

    assert set(collected.conflicts.key.tolist()) == {events.key[4]}
    assert len(collected.conflicts) == 3
    assert events.key[4] not in collected.events.key
    assert len(collected.events) == 19


def test_an_event_delivered_again_a_night_later_keeps_its_first_night() -> None:
    events = ledger(5)
    late = changed(events, matured_day=events.matured_day + 3)

    collected = collect(join([late, events]))

    assert collected.repeated == 5
    assert (np.sort(collected.events.matured_day) == np.sort(events.matured_day)).all()


def collected_by_hand(events: Events) -> tuple[list[bytes], int, set[bytes]]:
    """Keys in order, copies dropped and keys in conflict, with a dictionary and tuples."""
    told: dict[bytes, list[tuple[object, ...]]] = {}
    for row in range(len(events)):
        content = tuple(getattr(events, name)[row].tobytes() for name in CONTENT)
        told.setdefault(events.key[row], []).append(content)
    conflicts = {key for key, contents in told.items() if len(set(contents)) > 1}
    place = {key: row for row, key in enumerate(events.key)}
    kept = [key for key in told if key not in conflicts]
    kept.sort(key=lambda key: (events.decided_day[place[key]], events.hour_block[place[key]], key))
    return kept, sum(len(told[key]) - 1 for key in kept), conflicts


@settings(max_examples=100, deadline=None)
@given(
    keys=st.lists(st.binary(min_size=1, max_size=19).map(lambda raw: raw.replace(b"\0", b"0")), max_size=30),
    liars=st.lists(st.integers(0, 29), max_size=4),
    seed=st.integers(0, 99),
)
def test_events_are_collected_as_a_dictionary_would(keys: list[bytes], liars: list[int], seed: int) -> None:
    unique = sorted(set(keys))
    events = changed(ledger(len(unique)), key=np.array(unique, np.bytes_))
    again = np.random.default_rng(seed).integers(0, max(len(unique), 1), len(unique))
    lies = events.rows(np.array([row for row in liars if row < len(unique)], np.int64))
    delivered = shuffled(join([events, events.rows(again), changed(lies, side=-lies.side)]), seed)

    found = collect(delivered)

    expected = collected_by_hand(delivered)
    assert (found.events.key.tolist(), found.repeated, set(found.conflicts.key.tolist())) == expected


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["net_r_long", "net_r_short", "cost_r", "uniqueness"])
def test_nan_and_infinity_are_refused_with_the_name_of_the_event(column, broken) -> None:
    with pytest.raises(ValueError, match=f"learning event a: {column} is NaN or infinite"):
        one_event(**{column: [broken]})


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_broken_evidence_is_refused(broken) -> None:
    with pytest.raises(ValueError, match="learning event a: evidence"):
        one_event(evidence=np.array([[0.1, broken]]))


@pytest.mark.parametrize("uniqueness", [0.0, -0.5, 1.01])
def test_a_uniqueness_outside_zero_to_one_is_refused(uniqueness) -> None:
    with pytest.raises(ValueError, match="uniqueness must lie in"):
        one_event(uniqueness=[uniqueness])


def test_evidence_beyond_the_cap_is_clipped() -> None:
    events = one_event(evidence=np.array([[9.0, -9.0]]))

    assert events.evidence.tolist() == [[EVIDENCE_CAP, -EVIDENCE_CAP]]  # type: ignore[attr-defined]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="beside evidence of 1 rows"):
        one_event(won_long=[True, False])


def uniqueness(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Of every bracket of one symbol among all of them."""
    return np.array([uniqueness_within(int(a), int(b), start, end) for a, b in zip(start, end, strict=True)])


def brute_uniqueness(start: np.ndarray, end: np.ndarray) -> list[float]:
    """Millisecond by millisecond, as the definition says."""
    clock = np.arange(start.min(), end.max())
    is_open = (start[:, None] <= clock) & (clock < end[:, None])
    share = 1 / np.maximum(is_open.sum(axis=0), 1)
    return [float(share[row].mean()) for row in is_open]


@settings(max_examples=200, deadline=None)
@given(spans=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 40)), min_size=1, max_size=25))
def test_average_uniqueness_equals_counting_every_millisecond(spans) -> None:
    start = np.array([span[0] for span in spans], np.int64)
    end = start + np.array([span[1] for span in spans], np.int64)

    found = uniqueness(start, end)

    assert found == pytest.approx(brute_uniqueness(start, end), rel=1e-12)
    assert ((found > 0) & (found <= 1)).all()


def test_uniqueness_of_brackets_that_only_touch_is_one() -> None:
    assert uniqueness(np.array([0, 10, 20]), np.array([10, 20, 30])).tolist() == [1.0, 1.0, 1.0]


def test_a_bracket_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="must end after it starts"):
        uniqueness(np.array([5]), np.array([5]))


def test_the_design_effect_of_correlated_hours_is_the_textbook_one() -> None:
    draw = np.random.default_rng(0)
    hours, members, share = 4000, 20, 0.10
    hour = np.repeat(np.arange(hours), members)
    residuals = np.sqrt(share) * draw.normal(size=hours)[hour] + np.sqrt(1 - share) * draw.normal(size=len(hour))

    # Kish 1965: 1 + (m - 1) rho.
    assert design_effect(hour, residuals) == pytest.approx(1 + (members - 1) * share, rel=0.08)


def test_the_design_effect_is_never_below_one() -> None:
    alternating = np.tile([1.0, -1.0], 50)

    assert design_effect(np.repeat(np.arange(50), 2), alternating) == 1.0
    assert design_effect(np.zeros(4, np.int64), np.ones(4)) == 1.0
    assert design_effect(np.empty(0, np.int64), np.empty(0)) == 1.0


def test_scans_of_one_symbol_inside_an_hour_do_not_count_as_a_design_effect() -> None:
    draw = np.random.default_rng(1)
    hour = np.repeat(np.arange(3000), 4)
    residuals = np.repeat(draw.normal(size=3000), 4)

    assert design_effect(hour, residuals) == pytest.approx(4.0, rel=0.05)
    assert design_effect(hour, residuals, np.zeros(len(hour), np.int64)) == pytest.approx(1.0, abs=0.01)


def test_a_sample_of_a_ledger_does_not_depend_on_its_order() -> None:
    events = ledger(200)
    chosen = set(events.key[sampled(events, 50)].tolist())
    mixed = shuffled(events, 7)

    assert len(chosen) == 50
    assert set(mixed.key[sampled(mixed, 50)].tolist()) == chosen


def test_a_sample_does_not_depend_on_the_company_that_a_key_keeps() -> None:
    """A column of bytes is as wide as its longest key."""
    events = ledger(200)
    wide = changed(events, key=events.key.astype("S50"))

    assert (sampled(wide, 50) == sampled(events, 50)).all()


def test_a_sample_follows_no_pattern_of_the_keys() -> None:
    """Of two thousand keys that count upwards, the thousand chosen look like the tosses of a coin."""
    chosen = sampled(ledger(2000, asleep=0.0), 1000)

    for step in (1, 2, 7, 64):
        together = (chosen[step:] & chosen[:-step]).mean()
        assert together == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 2000))
    for place in range(6):
        digit = np.arange(2000) // 10**place % 10
        assert abs(chosen[digit < 5].mean() - 0.5) < 4 * np.sqrt(0.25 / max((digit < 5).sum(), 1))
