"""Columns of numpy into a table by binary COPY, a missing value as NULL: no object a row."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from alphapulse_site.copying import BINARY_HEADER, BINARY_TRAILER, POSTGRES_EPOCH_MS

Column = npt.NDArray[Any]
POSTGRES_EPOCH = np.datetime64(POSTGRES_EPOCH_MS, "ms").astype("datetime64[us]")
NEVER = np.iinfo(np.int64).max  # PostgreSQL's infinity
ITEMS = {
    "f8": (701, ">f8"),
    "i2": (21, ">i2"),
    "i4": (23, ">i4"),
    "b1": (16, "?"),
}  # its numbers for the types of an array's items
NULLS = {"f": "nullif({0}, 'NaN')", "M": "nullif({0}, 'infinity')", "U": "rtrim({0})"}


def store(table: str, columns: Mapping[str, Column]) -> None:
    """Append rows, if there are any. Of a float column NaN is NULL, of a time column NaT; texts may not end in a blank.

    A two-dimensional column is one of arrays, a "V16" one of UUIDs, another "V" one of bytes.
    """
    if not any(len(column) for column in columns.values()):
        return
    names = ", ".join(columns)
    wire = {name: _wire(column) for name, column in columns.items()}
    chosen = [NULLS.get(column.dtype.kind if column.ndim == 1 else "", "{0}") for column in columns.values()]
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE staged AS SELECT {names} FROM {table} LIMIT 0")
        cursor.copy_expert(f"COPY staged ({names}) FROM STDIN (FORMAT binary)", io.BytesIO(_rows(wire)))
        selected = ", ".join(form.format(name) for form, name in zip(chosen, columns, strict=True))
        cursor.execute(f"INSERT INTO {table} ({names}) SELECT {selected} FROM staged; DROP TABLE staged")


def _rows(wire: Mapping[str, Column]) -> bytes:
    layout = [cell for name, column in wire.items() for cell in ((f"{name}_width", ">i4"), (name, column.dtype))]
    rows = np.empty(len(next(iter(wire.values()))), np.dtype([("fields", ">i2"), *layout]))
    rows["fields"] = len(wire)
    for name, column in wire.items():
        rows[f"{name}_width"] = column.dtype.itemsize
        rows[name] = column
    return BINARY_HEADER + rows.tobytes() + BINARY_TRAILER


def _wire(column: Column) -> Column:
    """A column as PostgreSQL wants it: network byte order, times since its epoch, texts of one width."""
    if column.ndim == 2:
        return _arrays(column)
    if column.dtype.kind == "M":
        since = (column.astype("datetime64[us]") - POSTGRES_EPOCH).astype(np.int64)
        return np.where(np.isnat(column), NEVER, since).astype(">i8")
    if column.dtype.kind == "U":
        return np.char.ljust(column, column.dtype.itemsize // 4).astype("S")
    return column if column.dtype.kind in "bV" else column.astype(column.dtype.newbyteorder(">"))


def _arrays(table: Column) -> Column:
    """Each row as an array: dimensions, NULLs, type, length, first index, then the items behind their widths."""
    number, kind = ITEMS[table.dtype.str[1:]]
    items = np.empty(table.shape, [("width", ">i4"), ("value", kind)])
    items["width"], items["value"] = np.dtype(kind).itemsize, table
    head = np.tile(np.array([1, 0, number, table.shape[1], 1], ">i4"), (len(table), 1))
    joined = np.hstack([head.view(np.uint8), items.view(np.uint8)])
    return joined.view(f"V{joined.shape[1]}").reshape(-1)
