"""The market in the admin: everything can be seen, and what the system records cannot be written."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ingestion.candles import store_candles, to_datetime
from ingestion.importing import list_symbol
from ingestion.models import (
    BackfillRun,
    CandleGap,
    CandleRevision,
    CandleSource,
    FeedGap,
    FeedSeries,
    QuarantinedMessage,
    RequestBudget,
    RequestPause,
)
from tests.ingestion.market import MARCH_24, made_candles

NOW = datetime(2023, 4, 1, tzinfo=UTC)
RECORDED = (
    *("candlegap", "candlerevision", "quarantinedmessage", "backfillrun", "marketfeed", "feedseries", "feedgap"),
    *("requestpause", "requestbudget"),
)


@pytest.fixture
def market(db: None) -> None:
    list_symbol("BTCUSDT", to_datetime(MARCH_24))
    store_candles({"BTCUSDT": made_candles(count=40)}, source=CandleSource.IMPORT)
    CandleGap.objects.create(
        symbol="BTCUSDT", start=NOW, end=NOW.replace(hour=1), status="filling", first_seen=NOW, last_checked=NOW
    )
    QuarantinedMessage.objects.create(source="import", payload="<b>NaN</b>", reason="open is empty", received_at=NOW)
    BackfillRun.objects.create(symbol="BTCUSDT", start=NOW, end=NOW.replace(hour=1), status="done", started_at=NOW)
    feed = {"name": "crypto.funding", "symbol": "BTCUSDT"}
    FeedSeries.objects.create(**feed, wanted_since=NOW)
    FeedGap.objects.create(
        **feed, start=NOW, end=NOW.replace(hour=1), status="filling", first_seen=NOW, last_checked=NOW
    )
    RequestPause.objects.create(host="fapi.example", until=NOW, reason="429", noted_at=NOW)
    RequestBudget.objects.create(host="api.example", window_start=NOW, used=40, most=6000)
    CandleRevision.objects.create(
        **{"symbol": "BTCUSDT", "open_time": NOW, "old_source": "stream", "new_source": "rest"},
        old_figures=[1.0, 1.0, 1.0, 1.0, 7.5, None, None, None, None],
        new_figures=[1.0, 1.0, 1.0, 1.0, 7.75, 7.75, None, None, None],
    )


@pytest.mark.parametrize("model", ["symbol", *RECORDED])
def test_every_list_opens(admin_client: Client, market: None, model: str) -> None:
    assert admin_client.get(reverse(f"admin:ingestion_{model}_changelist")).status_code == 200


@pytest.mark.parametrize("model", RECORDED)
def test_what_the_system_records_cannot_be_added_by_hand(admin_client: Client, market: None, model: str) -> None:
    assert admin_client.get(reverse(f"admin:ingestion_{model}_add")).status_code == 403


def test_a_symbol_shows_its_latest_candles_without_counting_them(admin_client: Client, market: None) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = admin_client.get(reverse("admin:ingestion_symbol_change", args=["BTCUSDT"])).content.decode()

    assert page.count("2023-03-24 00:") >= 30
    assert "00:39: open" in page
    assert not any("COUNT(*)" in query["sql"] and '"candles"' in query["sql"] for query in queries)


def test_a_payload_is_shown_as_text(admin_client: Client, market: None) -> None:
    row = QuarantinedMessage.objects.get()

    page = admin_client.get(reverse("admin:ingestion_quarantinedmessage_change", args=[row.pk])).content.decode()

    assert "&lt;b&gt;NaN&lt;/b&gt;" in page


def test_a_correction_says_which_figures_changed(admin_client: Client, market: None) -> None:
    page = admin_client.get(reverse("admin:ingestion_candlerevision_changelist")).content.decode()

    assert "volume 7.5 -&gt; 7.75, quote_volume unknown -&gt; 7.75</td>" in page


def test_what_the_exchange_says_of_a_symbol_cannot_be_edited(admin_client: Client, market: None) -> None:
    page = admin_client.get(reverse("admin:ingestion_symbol_change", args=["BTCUSDT"])).content.decode()

    assert 'name="is_active"' in page
    assert not any(f'name="{name}"' in page for name in ("trading_status", "tick_size", "complete_until"))
