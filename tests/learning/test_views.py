"""Looks at one market in several states, put together as they were stored."""

from dataclasses import replace

import numpy as np

from learning.views import seen_by_digest
from signals.heads import HEADS
from signals.scan import Looks
from tests.signals.decided import looks_at_close
from tests.signals.market import START_MS

SILENT = [0] * len(HEADS)


def looks(mark: str, *symbols: str) -> Looks:
    """Looks at one close whose digests and prices say in which state the market was."""
    price = {"before": 1.0, "after": 2.0}[mark]
    found = looks_at_close(START_MS, dict.fromkeys(symbols, price), dict.fromkeys(symbols, SILENT), 0.01)
    return replace(found, digest=np.array([f"{symbol} {mark}".encode() for symbol in sorted(symbols)], dtype=object))


def digests(**marks: str) -> dict[tuple[str, int], bytes]:
    return {(symbol, START_MS): f"{symbol} {mark}".encode() for symbol, mark in marks.items()}


def chosen(*states: Looks, **marks: str) -> dict[str, float]:
    found = seen_by_digest(states, digests(**marks))
    return dict(zip(found.symbol.tolist(), found.reference.tolist(), strict=True))


AFTER, BEFORE = looks("after", "ADA", "BTC", "ETH"), looks("before", "ADA", "BTC", "ETH")


def test_each_row_is_of_the_state_whose_digest_was_stored() -> None:
    assert chosen(AFTER, BEFORE, ADA="before", BTC="after", ETH="before") == {"ADA": 1.0, "BTC": 2.0, "ETH": 1.0}


def test_a_row_that_fits_no_state_is_of_the_first() -> None:
    assert chosen(AFTER, BEFORE, ADA="elsewhere", BTC="before") == {"ADA": 2.0, "BTC": 1.0, "ETH": 2.0}


def test_what_only_one_state_shows_counts_if_it_was_stored() -> None:
    fewer = looks("before", "ADA")

    assert chosen(AFTER, fewer, ADA="before", BTC="after") == {"ADA": 1.0, "BTC": 2.0}


def test_rows_come_in_order_of_close_and_symbol() -> None:
    found = seen_by_digest((AFTER, BEFORE), digests(ADA="after", BTC="before", ETH="after"))

    assert found.symbol.tolist() == ["ADA", "BTC", "ETH"]
