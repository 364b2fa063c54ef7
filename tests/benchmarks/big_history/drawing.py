"""A market that never was: prices that walk, leans on some of its closes, and which barrier the prices met first."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import BoolArray, FloatArray, IntArray

LIMIT = 96  # closes of a quarter of an hour that a bracket lives
TARGET_R = 2.0
COST = 0.0024
STEP = 0.003  # standard deviation of a quarter of an hour's move
CHUNK = 20_000
STILL_OPEN, TARGET, STOP, TIME, VOID = range(5)
OUTCOMES = np.array(["", "target", "stop", "time", "void"])
VOID_SHARE = 0.003
BASES = ("BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "LINK", "DOT")


def symbol_names(count: int) -> list[str]:
    """The ten that everybody knows, then made-up ones."""
    return [f"{base}USDT" for base in [*BASES, *(f"S{number:03d}" for number in range(count))][:count]]


@dataclass(frozen=True)
class Leans:
    """Scans that leaned, in order of close and symbol; columns (n,). `row` is the close's place, `column` the symbol's.

    `ended` counts closes after the decision, 0 while the bracket is open; `mirror_...` is the other side's.
    """

    row: IntArray
    column: IntArray
    is_signal: BoolArray
    side: IntArray
    price: FloatArray
    risk: FloatArray
    outcome: IntArray
    ended: IntArray
    net_r: FloatArray
    best_r: FloatArray
    worst_r: FloatArray
    mirror_outcome: IntArray
    mirror_ended: IntArray
    mirror_net_r: FloatArray

    def rows(self, chosen: "slice | BoolArray | IntArray") -> "Leans":
        return Leans(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


def walked(closes: int, symbols: int, draw: np.random.Generator) -> FloatArray:
    """Prices at each close, (closes, symbols)."""
    moves = draw.normal(0.0, STEP, (closes, symbols))
    start = 10 ** draw.uniform(-1, 4, symbols)
    walk: FloatArray = start * np.exp(np.cumsum(moves - STEP**2 / 2, axis=0))
    return walk


def drawn_leans(prices: FloatArray, *, shadows: int, signals: int, draw: np.random.Generator) -> Leans:
    """So many leans whose limit is over at the last close, and as often as those, ones of the last day."""
    closes, symbols = prices.shape
    place, is_signal = _chosen(closes, symbols, shadows, signals, draw)
    row, column = place // symbols, place % symbols
    price = prices[row, column]
    risk = price * draw.uniform(0.005, 0.012, len(row))
    side = np.where(draw.uniform(size=len(row)) < 0.5, 1, -1)
    own = _followed(prices, row, column, risk, side)
    mirror = _followed(prices, row, column, risk, -side)
    void = (draw.uniform(size=len(row)) < VOID_SHARE) & (own[0] != STILL_OPEN) & (mirror[0] != STILL_OPEN)
    for outcome, _, net_r, _, _ in (own, mirror):
        outcome[void], net_r[void] = VOID, np.nan
    return Leans(row, column, is_signal, side, price, risk, *own, *mirror[:3])


def _chosen(
    closes: int, symbols: int, shadows: int, signals: int, draw: np.random.Generator
) -> tuple[IntArray, BoolArray]:
    """Places among all scans in order, and which of them are signals."""
    mature = max(closes - LIMIT, 1) * symbols
    total, fresh = shadows + signals, closes * symbols - mature
    if total > mature:
        raise SystemExit(f"{total:,} leans do not fit into {mature:,} scans that are a day old; ask for more scans")
    first = draw.choice(mature, total, replace=False)
    is_signal = np.arange(total) < signals
    more = round(total / mature * fresh)
    last = mature + draw.choice(fresh, more, replace=False)
    place = np.concatenate([first, last])
    published = np.concatenate([is_signal, draw.uniform(size=more) < signals / total])
    order = np.argsort(place)
    return place[order], published[order]


def _followed(
    prices: FloatArray, row: IntArray, column: IntArray, risk: FloatArray, side: IntArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]:
    chunks = [slice(first, first + CHUNK) for first in range(0, len(row), CHUNK)]
    parts = [_touched(prices, row[chunk], column[chunk], risk[chunk], side[chunk]) for chunk in chunks]
    outcome, ended, net_r, best, worst = (np.concatenate(found) for found in zip(*parts, strict=True))
    return outcome, ended, net_r, best, worst


def _touched(
    prices: FloatArray, row: IntArray, column: IntArray, risk: FloatArray, side: IntArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray, FloatArray, FloatArray]:
    """Outcome, closes until it, net R, and the best and worst R on the way; at closes only, which real ones are not."""
    steps = row[:, None] + np.arange(1, LIMIT + 1)
    known = steps < len(prices)
    entry = prices[row, column]
    moved = prices[np.minimum(steps, len(prices) - 1), column[:, None]] - entry[:, None]
    reached = np.where(known, side[:, None] * moved / risk[:, None], np.nan)
    touched = (reached >= TARGET_R) | (reached <= -1.0)
    is_touched = touched.any(axis=1)
    is_over = is_touched | known.all(axis=1)
    ended = np.where(is_touched, touched.argmax(axis=1) + 1, LIMIT)
    at_end = np.take_along_axis(reached, (ended - 1)[:, None], axis=1)[:, 0]
    outcome = np.where(is_touched, np.where(at_end > 0, TARGET, STOP), TIME)
    gross = np.select([outcome == TARGET, outcome == STOP], [TARGET_R, -1.0], at_end)
    lived = np.where((np.arange(LIMIT) < ended[:, None]) & known, reached, 0.0)
    net_r = np.where(is_over, gross - COST * entry / risk, np.nan)
    best, worst = np.clip(lived.max(axis=1), 0, TARGET_R), np.clip(lived.min(axis=1), -1, 0)
    return np.where(is_over, outcome, STILL_OPEN), np.where(is_over, ended, 0), net_r, best, worst


@dataclass(frozen=True)
class Voted:
    """Votes of scans, (n, heads); a head that abstains has direction 0 and no probability or confidence."""

    direction: npt.NDArray[np.int16]
    probability: FloatArray
    confidence: FloatArray


def drawn_votes(truth: FloatArray, side: IntArray, heads: int, draw: np.random.Generator) -> Voted:
    """Votes that know a little of how it will end (`truth` -1 to 1), most of them for the side of the lean."""
    shape = (len(side), heads)
    skill = np.linspace(0.35, -0.1, heads)
    pull = side[:, None] * 0.8 + truth[:, None] * skill + draw.normal(size=shape)
    direction = np.where(np.abs(pull) < 0.4, 0, np.sign(pull)) * (side != 0)[:, None]
    awake = direction != 0
    probability = np.where(awake, np.clip(0.5 + np.abs(pull) / 12, 0.5, 0.85), np.nan)
    confidence = np.where(awake, draw.uniform(0.2, 0.9, shape), np.nan)
    return Voted(direction.astype(np.int16), probability, confidence)
