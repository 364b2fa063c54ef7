"""A scan explained to people: by the API under its id, and on its page in the admin."""

from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.plugin import DjangoDbBlocker
from rest_framework.test import APIClient

from ingestion.models import Candle
from signals.heads import HEADS
from signals.models import ScanHistory
from tests.analytics import rows
from tests.signals.lived_close import CLOSE, live_close

pytestmark = pytest.mark.django_db
PATH = "/api/scans/{}/"


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        live_close()
        yield
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def scan(lived: None) -> ScanHistory:
    return ScanHistory.objects.get(symbol="BTCUSDT", close_time=CLOSE)


def told(client: APIClient, scan: ScanHistory) -> dict[str, Any]:
    answer = client.get(PATH.format(scan.scan_id))
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_a_scan_is_explained_under_its_id(anonymous: APIClient, scan: ScanHistory) -> None:
    body = told(anonymous, scan)

    assert (body["scan_id"], body["symbol"], body["recomputed"]) == (str(scan.scan_id), "BTCUSDT", False)
    assert [vote["head"] for vote in body["votes"]] == [head.name for head in HEADS]
    assert reduce(add, (vote["contribution"] for vote in body["votes"]), 0.0) == body["pool"]["log_odds"]
    technical = body["votes"][0]["reasons"]
    assert 3 <= len(technical) <= 4
    assert all(set(reason) == {"name", "value", "pull"} and -1 <= reason["pull"] <= 1 for reason in technical)
    assert len(body["gates"]) == 6


def test_the_last_scan_of_a_symbol_says_the_same(anonymous: APIClient, scan: ScanHistory) -> None:
    assert anonymous.get("/api/scans/", {"symbol": "BTCUSDT"}).json() == told(anonymous, scan)


def test_reasons_that_were_not_stored_are_made_again_and_marked(anonymous: APIClient, scan: ScanHistory) -> None:
    stored = told(anonymous, scan)
    ScanHistory.objects.filter(scan_id=scan.scan_id).update(reasons=None)

    again = told(anonymous, scan)

    assert again == stored | {"recomputed": True}


def test_reasons_that_nobody_can_know_any_more_are_null(anonymous: APIClient, scan: ScanHistory) -> None:
    ScanHistory.objects.filter(scan_id=scan.scan_id).update(reasons=None)
    Candle.objects.filter(symbol="BTCUSDT").delete()

    body = told(anonymous, scan)

    assert body["recomputed"] is False
    assert [vote["reasons"] for vote in body["votes"]] == [None] * len(HEADS)
    assert body["votes"][0]["contribution"] is not None


@pytest.mark.parametrize("scan_id", [uuid4(), "no-id", "1"])
def test_a_scan_that_is_not_there_is_a_problem(anonymous: APIClient, scan_id: object) -> None:
    answer = anonymous.get(PATH.format(scan_id))

    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert "/api/" in answer.json()["detail"]


def test_a_stored_explanation_costs_few_queries(
    anonymous: APIClient, scan: ScanHistory, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(4):
        told(anonymous, scan)


@pytest.fixture
def superuser(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(client: Client, scan: ScanHistory) -> str:
    answer = client.get(f"/admin/signals/decidedscan/{scan.scan_id}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_of_a_scan_shows_what_the_api_says(superuser: Client, anonymous: APIClient, scan: ScanHistory) -> None:
    body, shown = told(anonymous, scan), page(superuser, scan)

    assert body["answer"] in shown
    for vote in body["votes"]:
        assert f'aria-label="{vote["contribution"]:+.4f}"' in shown
        for reason in vote["reasons"]:
            assert f"{reason['name']} {reason['value']:.6g} ({reason['pull']:+.2f})" in shown
    for gate in body["gates"]:
        assert f"<td>{gate['gate']}</td>" in shown
        assert gate["margin"] is None or f"<td>{gate['margin']:.4f}</td>" in shown
    assert f"They add up to {body['pool']['log_odds']:+.4f}" in shown
    assert "As they were stored with the scan" in shown


def test_the_page_says_when_reasons_were_made_again(superuser: Client, scan: ScanHistory) -> None:
    ScanHistory.objects.filter(scan_id=scan.scan_id).update(reasons=None)

    assert "Made again from the stored candles" in page(superuser, scan)


def test_the_page_says_when_no_reason_is_known(superuser: Client, scan: ScanHistory) -> None:
    ScanHistory.objects.filter(scan_id=scan.scan_id).update(reasons=None)
    Candle.objects.filter(symbol="BTCUSDT").delete()

    assert "They were not stored, and its candles do not give them any more" in page(superuser, scan)


def test_a_scan_without_a_lean_has_no_probability(superuser: Client, scan: ScanHistory) -> None:
    empty = [0.0] * len(HEADS)
    rows.scan(
        CLOSE,
        symbol="XRPUSDT",
        lean=0,
        log_odds=0.0,
        win_probability=None,
        expected_r=None,
        directions=[0] * len(HEADS),
        probabilities=empty,
        confidences=empty,
    )
    quiet = ScanHistory.objects.get(symbol="XRPUSDT")

    assert "No trade: the votes leaned to neither side." in page(superuser, quiet)
    assert "They add up to +0.0000: no lean." in page(superuser, quiet)
