"""Ledgers too long to be lived: drawn outcomes of a market of 600 symbols, written by binary COPY."""

import io

import numpy as np
import numpy.typing as npt
from django.db import connection

from alphapulse_site.copying import BINARY_HEADER, BINARY_TRAILER, POSTGRES_EPOCH_MS
from learning.calendar import DAY_MS, HOUR_MS
from learning.lessons import HEAD_NAMES

SYMBOLS = 600
FLOAT8 = 701  # PostgreSQL's number for the type of an array's items
TEXTS = {"kind": b"outcome", "timeframe": b"15m", "detail": np.void(b"\x01{}"), "hash": b"0" * 64}
KINDS = {
    **{"sequence": ">i8", "kind": "S7", "scan_id": "V16", "symbol": "S8", "timeframe": "S3"},
    **{"decided_at": ">i8", "matured_at": ">i8", "ended_at": ">i8", "side": ">i2"},
    **{"is_signal": "?", "is_eligible": "?", "is_void": "?", "evidence": f"V{20 + 12 * len(HEAD_NAMES)}"},
    **dict.fromkeys(("win_probability", "expected_r", "net_r", "mirror_net_r", "uniqueness", "cost_r"), ">f8"),
    **{"weight_version": ">i4", "detail": "V3", "market_at": ">i8", "recorded_at": ">i8", "hash": "S64"},
}
COPY = f"COPY learning_events ({', '.join(KINDS)}) FROM STDIN (FORMAT binary)"
CHUNK = 200_000


def fill_ledger(decisions: int, *, night: int, days: int = 1) -> None:
    """Outcomes of the `days` days that mature by `night`, behind what the ledger holds; 2 % are void."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(sequence), 0) FROM learning_events")
        after = int(cursor.fetchone()[0])
        for first in range(0, decisions, CHUNK):
            count = min(CHUNK, decisions - first)
            place = first + np.arange(count)
            decided_ms = (night - 1 - days) * DAY_MS + place * days * DAY_MS // decisions // 60_000 * 60_000
            rows = _rows(after + place + 1, decided_ms, np.random.default_rng(after + first))
            data = BINARY_HEADER + rows.tobytes() + BINARY_TRAILER
            cursor.copy_expert(
                f"COPY learning_events ({', '.join(KINDS)}) FROM STDIN (FORMAT binary)", io.BytesIO(data)
            )
        cursor.execute("ANALYZE learning_events")


def _rows(
    sequence: npt.NDArray[np.int64], decided_ms: npt.NDArray[np.int64], draw: np.random.Generator
) -> npt.NDArray[np.void]:
    """Heads of skills between good and bad, of which one in five is silent; two outcomes in three are losses."""
    count, heads = len(sequence), len(HEAD_NAMES)
    truth = draw.integers(-1, 2, count)
    evidence = truth[:, None] * np.linspace(0.25, -0.1, heads) + draw.normal(size=(count, heads))
    evidence[draw.uniform(size=evidence.shape) < 0.2] = 0.0
    side = np.where(evidence.sum(axis=1) >= 0, 1, -1)
    expires_ms = decided_ms + 12 * HOUR_MS
    cells = {
        **TEXTS,
        "sequence": sequence,
        "scan_id": np.frombuffer(draw.bytes(16 * count), "V16"),
        "symbol": np.array([f"S{number:03d}USDT" for number in range(SYMBOLS)], "S8")[sequence % SYMBOLS],
        "decided_at": _microseconds(decided_ms),
        "matured_at": _microseconds(expires_ms),
        "ended_at": _microseconds(expires_ms - draw.integers(1, 12 * 60, count) * 60_000),
        "side": side,
        "is_signal": draw.uniform(size=count) < 0.015,
        "is_eligible": draw.uniform(size=count) < 0.5,
        "is_void": draw.uniform(size=count) < 0.02,
        "evidence": _arrays(np.clip(evidence, -2.9, 2.9)),
        "net_r": np.where(truth == side, 1.9, -1.1),
        "mirror_net_r": np.where(truth == -side, 1.9, -1.1),
        "uniqueness": draw.uniform(0.05, 1.0, count),
        **{"win_probability": 0.4, "expected_r": 0.1, "cost_r": 0.1, "weight_version": 1},
        **{"market_at": _microseconds(expires_ms), "recorded_at": _microseconds(expires_ms)},
    }
    layout = [cell for name, kind in KINDS.items() for cell in ((f"{name}_width", ">i4"), (name, kind))]
    rows = np.empty(count, np.dtype([("fields", ">i2"), *layout]))
    rows["fields"] = len(KINDS)
    for name in KINDS:
        rows[f"{name}_width"] = rows.dtype[name].itemsize
        rows[name] = cells[name]
    return rows


def _microseconds(ms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (ms - POSTGRES_EPOCH_MS) * 1000


def _arrays(table: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """float8[] of each row, as PostgreSQL sends it: dimensions, NULLs, type, length, first index, items."""
    items = np.empty(table.shape, [("width", ">i4"), ("value", ">f8")])
    items["width"], items["value"] = 8, table
    head = np.tile(np.array([1, 0, FLOAT8, table.shape[1], 1], ">i4"), (len(table), 1))
    joined = np.hstack([head.view("V20").view(np.uint8), items.view(np.uint8)])
    return joined.view(f"V{joined.shape[1]}").reshape(-1)
