"""One view of the database for a long look at it: what moves meanwhile looks like no fault."""

from contextlib import AbstractContextManager, nullcontext

from django.db import connection, transaction


def snapshot() -> AbstractContextManager[object]:
    """A repeatable, read-only view; inside somebody's transaction that one's own."""
    return nullcontext() if connection.in_atomic_block else Snapshot()


class Snapshot(transaction.Atomic):
    """A transaction that sees the database as it was at its first statement and cannot write."""

    def __init__(self) -> None:
        super().__init__(using=None, savepoint=True, durable=True)

    def __enter__(self) -> None:
        super().__enter__()
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
