"""A bracket drawn over its price: where it opened, where it could end and where it did."""

import re
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from ingestion.timeframes import MINUTE_MS
from signals.bracket_plot import BARS, barred, bracket_plot
from tests.signals.market import START_MS, Row, candles

FLAT: Row = (100.0, 100.4, 99.6, 100.1)
OPENED, ENDS = START_MS + 60 * MINUTE_MS, START_MS + 180 * MINUTE_MS


def long(**columns: Any) -> Any:
    prices = {"reference_price": 100.0, "stop_loss": 99.0, "take_profit": 102.0, "entry": 100.02, "exit_price": None}
    return SimpleNamespace(**prices | columns)


def test_entry_stop_and_target_stand_with_their_prices_in_order() -> None:
    drawn = ElementTree.fromstring(bracket_plot(long(), candles([FLAT] * 180), OPENED, ENDS, None))

    heights = {
        (label.text or "").split()[0]: float(label.attrib["y"])
        for label in drawn.iter("text")
        if "class" in label.attrib
    }
    assert heights["target"] < heights["entry"] < heights["stop"]
    assert {"target 102", "stop 99", "entry 100.02"} <= {label.text for label in drawn.iter("text")}
    assert not list(drawn.iter("circle"))


@pytest.mark.parametrize(("price", "kind"), [(102.0, "good"), (99.0, "bad")])
def test_the_exit_is_a_dot_of_its_kind(price: float, kind: str) -> None:
    drawn = ElementTree.fromstring(
        bracket_plot(long(exit_price=price), candles([FLAT] * 180), OPENED, ENDS, OPENED + 30 * MINUTE_MS)
    )

    (dot,) = drawn.iter("circle")
    assert dot.attrib["class"] == f"fill-{kind}"


def test_it_keeps_the_content_policy() -> None:
    drawn = bracket_plot(long(), candles([FLAT] * 180), OPENED, ENDS, None)

    assert not re.search(r"style=|<style|<script|\son\w+=", drawn)


def test_a_long_life_is_drawn_in_stretches_that_hide_no_extreme() -> None:
    rows = [FLAT] * 2000
    rows[777] = (100.0, 140.0, 60.0, 100.0)

    at_ms, high, low, close = barred(candles(rows))

    assert len(at_ms) <= BARS
    assert (high.max(), low.min(), close[-1]) == (140.0, 60.0, FLAT[3])
    assert at_ms[-1] == START_MS + 2000 * MINUTE_MS


def test_without_candles_there_is_nothing_to_draw() -> None:
    assert bracket_plot(long(), candles([FLAT]).between(0, 0), OPENED, ENDS, None) == ""
