"""Many rows into and out of PostgreSQL by COPY: rows of one model in, safe to run twice; the columns of a query out."""

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import psycopg2.extras
from django.db import connection, models, transaction
from psycopg2.extensions import Binary

CHUNK = 20_000
BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
BINARY_TRAILER = b"\xff\xff"
POSTGRES_EPOCH_MS = 946_684_800_000  # binary times count microseconds from here


def copy_rows(model: type[models.Model], rows: Iterable[models.Model]) -> int:
    """Insert unsaved instances; rows whose key exists are left as they are. Returns how many were new."""
    fields: list[Any] = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    values = ([_value(field, row) for field in fields] for row in rows)
    return copy_values(model._meta.db_table, [field.column for field in fields], values)


def copy_values(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """The same for plain values in the order of the columns, which nothing converts: JSON comes as `psycopg2`'s."""
    rows, added = iter(rows), 0
    while chunk := list(islice(rows, CHUNK)):
        added += _copy_chunk(table, ", ".join(f'"{column}"' for column in columns), chunk)
    return added


def _copy_chunk(table: str, columns: str, chunk: list[Sequence[Any]]) -> int:
    lines = "".join("\t".join(map(_cell, row)) + "\n" for row in chunk)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {table} LIMIT 0")
        cursor.copy_expert(f"COPY incoming ({columns}) FROM STDIN", io.StringIO(lines))
        cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM incoming ON CONFLICT DO NOTHING")
        added = int(cursor.rowcount)
        cursor.execute("DROP TABLE incoming")
    return added


def _value(field: Any, row: models.Model) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=True), connection)


def _cell(value: Any) -> str:
    if type(value) is float:
        return repr(value)
    if value is None:
        return "\\N"
    text = _text(value)
    if isinstance(value, int | datetime):
        return text
    for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(raw, escaped)
    return text


def _text(value: Any) -> str:
    """A value in PostgreSQL's own text form; floats keep every bit."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, list | tuple):
        return "{" + ",".join(map(_item, value)) + "}"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, psycopg2.extras.Json):
        return str(value.dumps(value.adapted))
    if isinstance(value, Binary):
        return "\\x" + bytes(value.adapted).hex()
    if isinstance(value, int | UUID):
        return str(value)
    raise TypeError(f"copy_rows cannot write a {type(value).__name__}; add its text form")


def _item(value: Any) -> str:
    """A value inside an array; whatever may hold a separator, or be taken for NULL, stands in quotes."""
    if type(value) is float:
        return repr(value)
    if value is None:
        return "NULL"
    text = _text(value)
    if isinstance(value, bool | int | float | list | tuple):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def copy_out(query: str, parameters: Sequence[Any], kinds: Mapping[str, str]) -> npt.NDArray[np.void]:
    """The rows of a query as a structured array: no object a row, every bit as PostgreSQL holds it.

    `kinds`: a name and numpy's big-endian kind for each column of the query, in order (`">f8"` for a float8, `">i8"`
    for a bigint or a time in microseconds since 2000, `"V16"` for a UUID). Raises ValueError if a value is NULL or of
    another width: the query must fill what may be missing.
    """
    layout = [cell for name, kind in kinds.items() for cell in ((f"{name}_width", ">i4"), (name, kind))]
    row = np.dtype([("fields", ">i2"), *layout])
    buffer = io.BytesIO()
    with connection.cursor() as cursor:
        sql = cursor.mogrify(f"COPY ({query}) TO STDOUT (FORMAT binary)", parameters).decode()
        cursor.copy_expert(sql, buffer)
    body = buffer.getbuffer()[len(BINARY_HEADER) : -len(BINARY_TRAILER)]
    rows = np.frombuffer(body, row) if len(body) % row.itemsize == 0 else None
    if rows is None or any((rows[f"{name}_width"] != row[name].itemsize).any() for name in kinds):
        raise ValueError(
            f"a value among {', '.join(kinds)} is NULL or of another width than the query's reader expects"
        )
    return rows
