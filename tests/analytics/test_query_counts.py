"""How many queries each page may cost: bounded, and the same for five rows of everything and for fifty."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from alphapulse_site.models import ParkedTask
from ingestion.models import BackfillRun, CandleGap, QuarantinedMessage
from ingestion.partitions import ensure_partitions
from signals.models import Position
from tests.addresses import Address, addresses
from tests.analytics import rows

FEW, MANY = 5, 50
QUARTER = timedelta(minutes=15)
# Queries of an address, by its name without the query behind it; of the admin, by what kind of page it is.
BOUNDS: dict[str, int] = {
    **{"performance": 15, "head-weights": 8, "improvements": 12, "recommendations": 14, "stats": 20},
    **{"rejection-analysis": 10, "scheduler": 10, "signals": 6, "signal": 5, "shadows": 6, "shadow": 5},
    **{"scans": 13, "scan-history": 5, "scan-by-id": 11, "positions": 5, "candles": 7, "gaps": 5},
    **{"symbols": 6, "versions": 5, "version": 8, "version-diff": 6, "heads": 11, "job-runs": 5},
    **{"job-run": 5, "parked-tasks": 5, "health": 9, "daily-report": 33, "weekly-report": 32, "schema": 4},
    **{"docs": 4, "healthz": 7, "metrics": 44},
    **{"dashboard:retry": 14, "dashboard:run": 14},
    **{"dashboard:overview": 31, "dashboard:signals": 18, "dashboard:signal": 21, "dashboard:shadows": 19},
    **{"dashboard:shadow": 21, "dashboard:rejections": 24, "dashboard:why": 30, "dashboard:learning": 38},
    **{"dashboard:versions": 12, "dashboard:version": 18, "dashboard:rollback": 18, "dashboard:pin": 18},
    **{"dashboard:freeze": 17, "dashboard:release": 17, "dashboard:data": 22, "dashboard:reports": 14},
    **{"dashboard:report": 38, "dashboard:jobs": 17, "dashboard:login": 4},
}
ADMIN_INDEX, ADMIN_LIST, ADMIN_PAGE = 10, 10, 12


def bound(address: Address) -> int:
    if address.name == "admin:index":
        return ADMIN_INDEX
    if address.name.startswith("admin:"):
        return ADMIN_LIST if address.name.endswith(" list") else ADMIN_PAGE
    name = address.name.partition(" ")[0]
    assert name in BOUNDS, f"{name} has no bound: look at the queries of {address.path} and add it to BOUNDS"
    return BOUNDS[name]


def make_rows(first: int, until: int) -> None:
    """One of everything a place: a symbol, its decisions and outcomes, a night, and what went wrong."""
    for place in range(first, until):
        at = rows.NOW - timedelta(days=2) - place * QUARTER
        name = rows.symbol("BTCUSDT" if place == 0 else f"S{place:03d}USDT").name
        refused = rows.shadow(-1.0, at, symbol=name)
        rows.scan(at, refused.scan_id, symbol=name)
        signal = rows.signal(1.0 if place % 2 else None, at - timedelta(days=1), symbol=name)
        rows.scan(at - timedelta(days=1), signal.scan_id, symbol=name, rejection="")
        rows.scan_close(at)
        rows.scan_close(at - timedelta(days=1))
        _around(place, name)
        Position.objects.create(signal=signal, quantity=1, equity_before=10_000, opened_at=signal.opened_at)
        rows.event(-1.0, rows.evidence(technical=0.5), at, scan_id=refused.scan_id, symbol=name)
        rows.version(effective_from=rows.NOW - timedelta(days=100 - place), period=f"2021-05-{place % 28 + 1:02d}")


def _around(place: int, name: str) -> None:
    at = rows.NOW - timedelta(days=3, minutes=place)
    times = {"symbol": name, "start": at, "end": at + timedelta(minutes=1)}
    CandleGap.objects.create(**times, status="filling", first_seen=at, last_checked=at)
    BackfillRun.objects.create(**times, status="done", started_at=at)
    QuarantinedMessage.objects.create(
        source="rest", line=place, payload="{}", payload_digest=f"{place:064x}", reason="drawn", received_at=at
    )
    ParkedTask.objects.create(task_id=f"drawn-{place}", name="signals.scan", error="drawn", parked_at=at)
    rows.job_run("daily_learning", f"2021-05-{place:02d}")


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return client


def counted(client: Client) -> dict[Address, int]:
    """The queries of each address that can be got."""
    found = {}
    for address in addresses():
        with CaptureQueriesContext(connection) as captured:
            status = client.get(address.path).status_code
        if status == 405:
            continue
        assert status < 400 or address.name == "healthz", f"{address.path} answers {status}; see tests/addresses.py"
        found[Address(address.name, address.path.partition("?")[0])] = len(captured)
    return found


@pytest.mark.slow
def test_no_page_costs_more_queries_for_more_rows(superuser: Client) -> None:
    rows.market_clock()
    ensure_partitions("scan_history", rows.NOW - timedelta(days=9), rows.NOW)
    make_rows(0, FEW)
    few = {address.name: count for address, count in counted(superuser).items()}
    make_rows(FEW, MANY)
    many = counted(superuser)

    grown = [
        f"{each.name}: {few[each.name]} queries for {FEW} rows, {count} for {MANY}"
        for each, count in many.items()
        if count > few[each.name]
    ]
    assert not grown, "\n".join(grown)
    over = [
        f"{each.name}: {count} queries, its bound is {bound(each)}"
        for each, count in many.items()
        if count > bound(each)
    ]
    assert not over, "\n".join(over)
