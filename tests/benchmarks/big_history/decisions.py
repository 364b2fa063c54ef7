"""A day's scans, its signals and shadows, as columns of their tables."""

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.lessons import HEAD_NAMES
from signals.explanation import COUNT, REASON
from signals.gates import REASONS
from signals.heads import HEADS
from signals.regime import Regime
from tests.benchmarks.big_history.drawing import COST, LIMIT, OUTCOMES, TARGET_R, Leans, Voted, drawn_votes
from tests.benchmarks.big_history.storing import Column

BAR = np.timedelta64(15, "m")
GATES = len(REASONS)
REFUSED_BY = (0.01, 0.30, 0.45, 0.11, 0.08, 0.05)  # how often each reason is the one
REGIME_SPELL = 32  # closes
REASONS_A_HEAD = 2
NOTHING = ""


@dataclass(frozen=True)
class Market:
    """What every day shares: names (symbols,), prices (closes, symbols), and the close before the first."""

    symbols: Column
    prices: FloatArray
    begins: np.datetime64

    def close_time(self, row: IntArray) -> Column:
        return self.begins + (row + 1) * BAR

    def regime(self, row: IntArray, column: IntArray) -> IntArray:
        """A regime for each spell of eight hours of each symbol."""
        mixed = (row // REGIME_SPELL * 7919 + column * 104_729) % 97
        return mixed % len(Regime) + min(Regime)


@dataclass(frozen=True)
class Versions:
    """The versions in force on a day."""

    weights: int
    thresholds: int
    calibration: int


@dataclass(frozen=True)
class Day:
    """The decisions of one day: every scan, and the leans among them with their ids and chances."""

    market: Market
    leans: Leans
    versions: Versions
    rows: IntArray
    draw: np.random.Generator

    def scans(self) -> tuple[dict[str, Column], dict[str, Column], dict[str, Column]]:
        """Columns of the scans without a lean, of those with one, and what the latter's decisions share with them."""
        row = np.repeat(self.rows, len(self.market.symbols))
        column = np.tile(np.arange(len(self.market.symbols)), len(self.rows))
        lean = np.zeros(len(row), np.int64)
        lean[(self.leans.row - self.rows[0]) * len(self.market.symbols) + self.leans.column] = self.leans.side
        silent = lean == 0
        shared = self._decided()
        return self._silent(row[silent], column[silent]), self._leaning(shared), shared

    def _common(self, row: IntArray, column: IntArray, price: FloatArray, risk: FloatArray) -> dict[str, Column]:
        count = len(row)
        return {
            "symbol": self.market.symbols[column],
            "timeframe": np.full(count, "15m"),
            "close_time": self.market.close_time(row),
            "scan_id": np.frombuffer(self.draw.bytes(16 * count), "V16"),
            "regime": self.market.regime(row, column).astype(np.int16),
            "reference_price": price,
            "risk": risk,
            "missing_minutes": np.zeros(count, np.int32),
            "candle_digest": np.frombuffer(self.draw.bytes(32 * count), "V32"),
            "weight_version": np.full(count, self.versions.weights, np.int32),
            "waited_too_long": np.zeros(count, np.bool_),
            "source": np.full(count, "live"),
        }

    def _silent(self, row: IntArray, column: IntArray) -> dict[str, Column]:
        """Scans in which no head said anything."""
        price = self.market.prices[row, column]
        votes = drawn_votes(np.zeros(len(row)), np.zeros(len(row), np.int64), len(HEAD_NAMES), self.draw)
        margins = np.tile(np.array([0.0, -4.0, np.nan, np.nan, np.nan, np.nan]), (len(row), 1))
        return {
            **self._common(row, column, price, price * 0.008),
            **_voted(votes),
            "log_odds": np.zeros(len(row)),
            "lean": np.zeros(len(row), np.int16),
            "margins": margins,
            "passed": margins >= 0,
            "rejection": np.full(len(row), "no_consensus"),
            "reasons": np.zeros((len(row), len(HEADS)), np.uint8).view(f"V{len(HEADS)}").reshape(-1),
        }

    def _decided(self) -> dict[str, Column]:
        """What a lean's scan and its signal or shadow both say, and its votes."""
        leans, count = self.leans, len(self.leans.row)
        truth = np.where(np.isnan(leans.net_r), 0.0, leans.side * np.sign(leans.net_r))
        votes = drawn_votes(truth, leans.side, len(HEAD_NAMES), self.draw)
        chance = np.clip(0.33 + self.draw.normal(0.03, 0.03, count), 0.2, 0.6)
        promised = chance * TARGET_R - (1 - chance) - COST * leans.price / leans.risk
        place = self.draw.choice(GATES, count, p=REFUSED_BY)
        reason = np.where(leans.is_signal, NOTHING, np.array(REASONS)[place])
        return {
            **self._common(leans.row, leans.column, leans.price, leans.risk),
            **_voted(votes),
            "win_probability": chance,
            "expected_r": promised,
            "rejection": reason,
            "margins": self._margins(np.where(leans.is_signal, GATES, place)),
        }

    def _leaning(self, shared: dict[str, Column]) -> dict[str, Column]:
        log_odds = np.log(shared["win_probability"] / (1 - shared["win_probability"])) + 0.7
        return {
            **shared,
            "log_odds": log_odds * self.leans.side,
            "lean": self.leans.side.astype(np.int16),
            "passed": shared["margins"] >= 0,
            "reasons": _reasons(len(log_odds), self.draw),
        }

    def _margins(self, refused: IntArray) -> FloatArray:
        """Margins of each gate, below 0 at the one that refused and at none before it."""
        margins = self.draw.uniform(0.001, 0.2, (len(refused), GATES))
        margins[:, 3:] = np.ceil(margins[:, 3:] * 10)
        at = refused < GATES
        margins[np.flatnonzero(at), refused[at]] *= -1
        return margins


def _voted(votes: Voted) -> dict[str, Column]:
    return {"directions": votes.direction, "probabilities": votes.probability, "confidences": votes.confidence}


def _reasons(count: int, draw: np.random.Generator) -> Column:
    """Two packed reasons of every head, the first two of its inputs."""
    one = np.dtype([("place", "<u2"), ("value", "<f4"), ("pull", "i1")])
    head = np.dtype([("count", "u1"), ("reasons", one, (REASONS_A_HEAD,))])
    assert head.itemsize == COUNT.size + REASONS_A_HEAD * struct.calcsize(REASON.format)
    packed = np.zeros((count, len(HEADS)), head)
    packed["count"] = REASONS_A_HEAD
    packed["reasons"]["place"] = [[0, min(1, len(expert.inputs) - 1)] for expert in HEADS]
    packed["reasons"]["value"] = draw.normal(0, 2, packed["reasons"].shape)
    packed["reasons"]["pull"] = draw.integers(-127, 128, packed["reasons"].shape)
    return packed.view(f"V{head.itemsize * len(HEADS)}").reshape(-1)


def tracked(market: Market, leans: Leans, shared: dict[str, Column], until: np.datetime64) -> dict[str, Column]:
    """Columns that signals and shadows have alike; `until`: how far the market has been followed."""
    opened = shared["close_time"]
    ended, mirror_ended = (_time_of(market, leans.row, count) for count in (leans.ended, leans.mirror_ended))
    exit_price = leans.price + leans.side * (leans.net_r + COST * leans.price / leans.risk) * leans.risk
    names = ("scan_id", "symbol", "timeframe", "regime", "win_probability", "expected_r", "reference_price", "risk")
    return {
        **{name: shared[name] for name in (*names, "weight_version", "source")},
        "direction": leans.side.astype(np.int16),
        "stop_loss": leans.price - leans.side * leans.risk,
        "take_profit": leans.price + leans.side * TARGET_R * leans.risk,
        "opened_at": opened,
        "expires_at": opened + LIMIT * BAR,
        "checked_until": np.where(np.isnat(ended) | np.isnat(mirror_ended), until, np.maximum(ended, mirror_ended)),
        "entry": leans.price,
        "outcome": OUTCOMES[leans.outcome],
        "exit_price": exit_price,
        "exit_at": ended,
        "net_r": leans.net_r,
        "net_pct": 100 * leans.net_r * leans.risk / leans.price,
        "best_r": leans.best_r,
        "worst_r": leans.worst_r,
        "ambiguous": np.zeros(len(opened), np.bool_),
        "missing_minutes": np.zeros(len(opened), np.int32),
        "mirror_outcome": OUTCOMES[leans.mirror_outcome],
        "mirror_exit_at": mirror_ended,
        "mirror_net_r": leans.mirror_net_r,
        "mirror_missing_minutes": np.zeros(len(opened), np.int32),
    }


def _time_of(market: Market, row: IntArray, ended: IntArray) -> Column:
    return np.where(ended > 0, market.close_time(row + ended), np.datetime64("NaT"))


def part(columns: dict[str, Column], chosen: BoolArray) -> dict[str, Column]:
    return {name: column[chosen] for name, column in columns.items()}


def as_time(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "us")


def closes(day: Day) -> dict[str, Column]:
    """The day's rows of scan_closes, all decided five seconds late."""
    at = day.market.close_time(day.rows)
    signals = np.bincount((day.leans.row - day.rows[0])[day.leans.is_signal], minlength=len(day.rows))
    numbers: dict[str, Any] = {
        "weight_version": day.versions.weights,
        "threshold_version": day.versions.thresholds,
        "calibration_version": day.versions.calibration,
        "scans": len(day.market.symbols),
    }
    return {
        "timeframe": np.full(len(at), "15m"),
        "close_time": at,
        "looked": np.zeros((len(at), 1), np.int32),
        **{name: np.full(len(at), number, np.int32) for name, number in numbers.items()},
        "signals": signals.astype(np.int32),
        "waited_too_long": np.zeros(len(at), np.bool_),
        "first_tried_at": at + np.timedelta64(1, "s"),
        "decided_at": at + np.timedelta64(5, "s"),
    }
