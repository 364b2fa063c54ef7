"""Monthly partitions: the right months, made once, by however many sessions."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from ingestion.candles import load_candles, store_candles, to_ms
from ingestion.models import CandleSource
from ingestion.partitions import ensure_partitions, months_between, partition_name, partitions_of, tables
from ingestion.tasks import upkeep_partitions
from tests.ingestion.market import made_candles

MOMENTS = st.datetimes(datetime(2017, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))


def month(year: int, number: int) -> datetime:
    return datetime(year, number, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (month(2021, 6), month(2021, 7), [month(2021, 6)]),
        (month(2021, 6), month(2021, 7) + timedelta(milliseconds=1), [month(2021, 6), month(2021, 7)]),
        (datetime(2023, 12, 31, 23, 59, tzinfo=UTC), month(2024, 1) + timedelta(1), [month(2023, 12), month(2024, 1)]),
        (datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 2, 29, 1, tzinfo=UTC), [month(2024, 2)]),
        (month(2021, 6), month(2021, 6), []),
        # 1 July in Berlin is still June in UTC.
        (datetime(2021, 7, 1, tzinfo=timezone(timedelta(hours=2))), month(2021, 7), [month(2021, 6)]),
    ],
)
def test_the_months_of_a_span(start: datetime, end: datetime, expected: list[datetime]) -> None:
    assert months_between(start, end) == expected


@given(st.tuples(MOMENTS, MOMENTS).map(sorted))
def test_every_moment_of_a_span_lies_in_one_of_its_months(span: list[datetime]) -> None:
    start, end = span
    months = months_between(start, end)

    assert sorted(set(months)) == months
    if start < end:
        last = end - timedelta(microseconds=1)
        assert months[0] <= start
        assert (months[-1].year, months[-1].month) == (last.year, last.month)
        assert len(months) == (last.year - start.year) * 12 + last.month - start.month + 1


def test_candles_across_the_end_of_a_month_and_of_a_year_are_stored_and_read(db: None) -> None:
    for end in (month(2021, 7), month(2024, 1)):
        candles = made_candles(count=120, start_ms=to_ms(end) - 60 * 60_000)
        store_candles({"BTCUSDT": candles}, source=CandleSource.IMPORT)

        loaded = load_candles("BTCUSDT", int(candles.open_ms[0]), int(candles.open_ms[-1]) + 1)

        assert loaded.close.tobytes() == candles.close.tobytes()
    assert {"candles_y2021m06", "candles_y2021m07", "candles_y2023m12", "candles_y2024m01"} <= set(
        partitions_of("candles")
    )


def test_partitions_are_made_once(db: None) -> None:
    assert ensure_partitions("candles", month(2031, 11), month(2032, 2)) == 3
    assert ensure_partitions("candles", month(2031, 11), month(2032, 3)) == 1
    assert ensure_partitions("candles", month(2031, 11), month(2032, 3)) == 0


def test_a_partition_carries_the_checks_and_the_key(db: None) -> None:
    ensure_partitions("candles", month(2031, 11), month(2031, 12))

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT contype::text, count(*) FROM pg_constraint WHERE conrelid IN"
            " (to_regclass('candles'), to_regclass('candles_y2031m11')) GROUP BY conrelid, contype ORDER BY 1"
        )
        counts: dict[str, set[int]] = {}
        for kind, count in cursor.fetchall():
            counts.setdefault(kind, set()).add(count)
    assert counts["p"] == {1}
    assert len(counts["c"]) == 1


def test_a_table_that_is_not_partitioned_is_left_alone(db: None) -> None:
    assert ensure_partitions("symbols", month(2031, 11), month(2032, 2)) == 0


def test_upkeep_makes_the_months_ahead_for_every_partitioned_table(db: None) -> None:
    upkeep_partitions()

    now = datetime.now(UTC)
    for table in tables():
        assert partition_name(table, month(now.year, now.month)) in partitions_of(table)
    assert "candles" in tables()


def test_sessions_at_once_make_each_partition_once(transactional_db: None) -> None:
    start_together = Barrier(4)

    def make() -> int:
        try:
            start_together.wait(timeout=10)
            return ensure_partitions("candles", month(2030, 1), month(2032, 1))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [future.result(timeout=60) for future in [pool.submit(make) for _ in range(4)]]

    there = [name for name in partitions_of("candles") if name.startswith("candles_y203")]
    with connection.cursor() as cursor:
        for name in there:
            cursor.execute(f"DROP TABLE {name}")
    assert (sum(made), len(there)) == (24, 24)
