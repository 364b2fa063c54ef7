"""Ledgers too long to be lived: drawn outcomes of a market of 600 symbols, written by binary COPY."""

import io
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from django.db import connection

from alphapulse_site.copying import BINARY_HEADER, BINARY_TRAILER, POSTGRES_EPOCH_MS
from ingestion.partitions import ensure_partitions
from learning.calendar import DAY_MS, HOUR_MS
from learning.lessons import HEAD_NAMES
from signals.models import ScanClose

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


def fill_decisions(decisions: int, *, first_close: datetime) -> datetime:
    """Scans and ended shadows of 600 symbols, every quarter of an hour; returns when the last of them had ended."""
    closes = -(-decisions // SYMBOLS)
    last_end = first_close + timedelta(minutes=15 * closes, days=1)
    ensure_partitions("scan_history", first_close, last_end)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(DRAW, [first_close, decisions])
        cursor.execute(SCANS, [len(HEAD_NAMES)] * 3)
        cursor.execute(SHADOWS)
        cursor.execute("ANALYZE scan_history; ANALYZE rejected_signals; DROP TABLE drawn")
    ScanClose.objects.create(timeframe="15m", close_time=last_end, decided_at=last_end)
    return last_end


DRAW = f"""
CREATE TEMPORARY TABLE drawn AS
SELECT 'S' || lpad(mod(number, {SYMBOLS})::text, 3, '0') || 'USDT' AS symbol, gen_random_uuid() AS scan_id,
    %s + number / {SYMBOLS} * interval '15 minutes' AS opened, sign(random() - 0.5)::int AS side,
    ceil(random() * 1440) * interval '1 minute' AS lived, ceil(random() * 1440) * interval '1 minute' AS mirror_lived
FROM generate_series(0, %s - 1) AS number"""
SCANS = """
INSERT INTO scan_history (symbol, timeframe, close_time, scan_id, directions, probabilities, confidences, log_odds,
    lean, win_probability, expected_r, margins, passed, rejection, regime, reference_price, risk, missing_minutes,
    candle_digest, weight_version, waited_too_long, source)
SELECT symbol, '15m', opened, scan_id, array_fill(side, ARRAY[%s]), array_fill(random(), ARRAY[%s]) ,
    array_fill(0.5::float8, ARRAY[%s]), 0.1, side, 0.4, 0.1, '{0,0,0,0,0,0}', '{t,t,t,t,t,f}', 'quality', 0, 100, 1, 0,
    '\\x00', 1, false, 'live'
FROM drawn"""
SHADOWS = """
INSERT INTO rejected_signals (scan_id, symbol, timeframe, direction, regime, win_probability, expected_r,
    reference_price, risk, stop_loss, take_profit, opened_at, expires_at, checked_until, entry, outcome, exit_price,
    exit_at, net_r, ambiguous, missing_minutes, mirror_outcome, mirror_exit_at, mirror_net_r, mirror_missing_minutes,
    weight_version, source, rejection)
SELECT scan_id, symbol, '15m', side, 0, 0.4, 0.1, 100, 1, 99, 102, opened, opened + interval '1 day',
    opened + interval '1 day', 100, 'stop', 99, opened + lived, -1.1, false, 0, 'target', opened + mirror_lived, 1.9, 0,
    1, 'live', 'quality'
FROM drawn"""
