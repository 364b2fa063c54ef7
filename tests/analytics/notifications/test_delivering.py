"""Sending: at least once and under one id, whatever the receiver does and whenever we are killed."""

import json
import logging
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from analytics.models import Channel, Notification
from analytics.notifications import services
from analytics.notifications.collecting import blank_row, collect
from analytics.notifications.delivering import claim, deliver, mark, outgoing, send_again
from analytics.notifications.kinds import Kind
from analytics.notifications.sending import send
from analytics.notifications.watching import note_unwell
from tests.analytics import rows
from tests.analytics.notifications.conftest import MakeChannel
from tests.analytics.notifications.receiver import Answer, Receiver
from tests.analytics.notifications.secret_values import KEY, SECRET, TOKEN
from tests.analytics.notifications.test_signing import openssl
from tests.at_once import run_at_once

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db


def waiting(channel: Channel, key: str = "test:1", created_at: datetime | None = None, **columns: Any) -> Notification:
    """A due row."""
    at = created_at or timezone.now() - timedelta(minutes=1)
    row = blank_row(channel, Kind.TEST, key, at, at, **({"payload": {"channel": channel.name}} | columns))
    row.save(force_insert=True)
    return row


def reread(row: Notification) -> Notification:
    return Notification.objects.select_related("channel").get(pk=row.pk)


def due_again(channel: Channel) -> None:
    """As if the time to wait were over."""
    Notification.objects.filter(channel=channel, state="pending").update(next_attempt_at=timezone.now())
    Channel.objects.filter(pk=channel.pk).update(paused_until=None)


def test_a_webhook_gets_a_body_that_it_can_verify(channel: MakeChannel, receiver: Receiver) -> None:
    row = waiting(channel())

    assert deliver().delivered == 1
    got = receiver.got[0]
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    assert got.headers["webhook-signature"] == f"v1,{openssl(signed, KEY)}"
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
    assert got.headers["webhook-id"] == row.message_id
    body = json.loads(got.body)
    assert (body["type"], body["data"]["key"]) == ("test", "test:1")
    assert body["data"]["url"] == "https://pulse.example.org/"
    assert reread(row).state == "delivered"
    assert deliver().delivered == 0


def test_telegram_gets_plain_words(channel: MakeChannel, receiver: Receiver, settings: Settings) -> None:
    settings.ALPHAPULSE_TELEGRAM_URL = receiver.url
    waiting(channel(medium="telegram", address="-10042"))

    deliver()

    assert receiver.got[0].path == f"/bot{TOKEN}/sendMessage"
    body = json.loads(receiver.got[0].body)
    assert (body["chat_id"], body["link_preview_options"]) == ("-10042", {"is_disabled": True})
    assert body["text"].startswith("AlphaPulse can reach you here\n")
    assert "parse_mode" not in body


@pytest.mark.parametrize("status", [500, 502, 408, 302, 400, 422])
def test_what_may_pass_is_tried_again_under_the_same_id(channel: MakeChannel, receiver: Receiver, status: int) -> None:
    made = channel()
    row = waiting(made)
    receiver.answers = [Answer(status, headers={"Location": f"{receiver.url}/elsewhere"})]
    began = timezone.now()

    assert (deliver().failed, deliver().failed) == (1, 0)
    failed = reread(row)
    assert (failed.state, failed.attempts) == ("pending", 1)
    assert str(status) in failed.last_error
    assert timedelta(seconds=59) < failed.next_attempt_at - began < timedelta(seconds=65)
    assert failed.channel.paused_until == failed.next_attempt_at
    due_again(made)
    assert deliver().delivered == 1
    assert {got.headers["webhook-id"] for got in receiver.got} == {row.message_id}
    assert [got.path for got in receiver.got] == ["/hook", "/hook"]  # no redirect was followed
    assert reread(row).channel.failures == 0


def test_an_ailing_channel_is_tried_once_and_the_others_go_on(channel: MakeChannel, receiver: Receiver) -> None:
    ailing, well = channel("ailing"), channel("well")
    for number in range(3):
        waiting(ailing, f"test:{number}", created_at=timezone.now() - timedelta(minutes=10 - number))
        waiting(well, f"test:{number}")
    receiver.answers = [Answer(500)]

    sent = deliver()

    assert (sent.delivered, sent.failed) == (3, 1)
    assert Notification.objects.filter(channel=ailing, state="pending").count() == 3


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 900}}'),
        ({"Retry-After": "900"}, b""),
        ({"Retry-After": "a date"}, b""),
    ],
)
def test_telegram_is_left_alone_for_as_long_as_it_asks(
    channel: MakeChannel, receiver: Receiver, settings: Settings, headers: dict[str, str], body: bytes
) -> None:
    settings.ALPHAPULSE_TELEGRAM_URL = receiver.url
    made = channel(medium="telegram", address="1")
    row = waiting(made)
    began = timezone.now()
    # A date of the moment the modules are collected would be minutes old in a full run.
    date = {"a date": format_datetime(began + timedelta(seconds=900))}
    receiver.answers = [Answer(429, body, {name: date.get(value, value) for name, value in headers.items()})]

    deliver()

    waits = reread(row).next_attempt_at - began
    assert timedelta(seconds=800) < waits < timedelta(seconds=905)


def test_a_slow_receiver_costs_seconds(
    channel: MakeChannel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics.notifications.transport.READ_SECONDS", 0.2)
    row = waiting(channel())
    receiver.answers = [Answer(after=1.0)]

    deliver()

    assert reread(row).last_error == "no answer (ReadTimeout)"


def test_nobody_there_is_said_without_the_address(
    channel: MakeChannel, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALPHAPULSE_TELEGRAM_URL = "http://127.0.0.1:9"
    row = waiting(channel(medium="telegram", address="1"))

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("urllib3").setLevel(logging.INFO)
        deliver()

    assert reread(row).last_error == "no answer (ConnectionError)"
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_receiver_that_is_gone_closes_its_channel(channel: MakeChannel, receiver: Receiver, status: int) -> None:
    made = channel()
    row = waiting(made)
    receiver.answers = [Answer(status)]

    deliver()
    deliver()

    closed = reread(row).channel
    assert (closed.is_active, closed.disabled_reason) == (False, f"the receiver answered {status}")
    assert len(receiver.got) == 1
    closed.is_active = True
    services.save_channel(channel=closed)
    assert deliver().delivered == 1  # what it missed comes when it is opened again
    assert reread(row).channel.disabled_reason == ""


@pytest.mark.parametrize(
    ("status", "description", "became"),
    [
        (403, "Forbidden: bot was blocked by the user", "closed"),
        (401, "Unauthorized", "closed"),
        (404, "Not Found", "closed"),
        (400, "Bad Request: chat not found", "closed"),
        (400, "Bad Request: message text is empty", "failed"),
        (200, "", "pending"),  # without ok it was not taken
    ],
)
def test_what_telegram_refuses(
    channel: MakeChannel, receiver: Receiver, settings: Settings, status: int, description: str, became: str
) -> None:
    settings.ALPHAPULSE_TELEGRAM_URL = receiver.url
    row = waiting(channel(medium="telegram", address="1"))
    receiver.answers = [Answer(status, json.dumps({"ok": False, "description": description}).encode())]

    deliver()

    found = reread(row)
    assert ((found.channel.is_active and found.state) or "closed") == became
    assert description in found.last_error


def test_a_secret_that_is_not_set_closes_the_channel(channel: MakeChannel, settings: Settings) -> None:
    row = waiting(channel(secret_name="ALPHAPULSE_CHANNEL_NOT_SET"))

    deliver()

    reason = reread(row).channel.disabled_reason
    assert reason == "ALPHAPULSE_CHANNEL_NOT_SET is not set in the environment of the workers"


@pytest.mark.parametrize("address", ["{url}", "http://localhost:{port}/", "http://[::ffff:127.0.0.1]:{port}/"])
def test_in_production_a_webhook_cannot_lead_into_our_network(
    channel: MakeChannel, receiver: Receiver, settings: Settings, address: str
) -> None:
    settings.ALPHAPULSE_WEBHOOK_PRIVATE = False
    row = waiting(channel(address=address.format(url=receiver.url, port=receiver.port)))

    deliver()

    found = reread(row)
    assert found.channel.is_active is False or found.last_error == "no answer (ConnectionError)"
    assert "public internet" in found.last_error or "no answer" in found.last_error
    assert receiver.got == []


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://example.org/", "gopher://x", "http://", "//x"])
def test_a_webhook_is_http_or_https(channel: MakeChannel, address: str) -> None:
    row = waiting(channel(address=address))

    deliver()

    assert reread(row).channel.disabled_reason == "it is no http or https address"


def test_it_gives_up_after_a_day_and_can_be_sent_again(channel: MakeChannel, receiver: Receiver) -> None:
    made = channel()
    row = waiting(made, created_at=timezone.now() - timedelta(hours=25))
    receiver.answers = [Answer(500)]

    deliver()

    assert (reread(row).state, send_again(notification_id=row.pk, now=timezone.now())) == ("failed", True)
    due_again(made)
    deliver()
    assert reread(row).state == "delivered"
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1


def test_what_has_no_turn_is_given_up_too(channel: MakeChannel) -> None:
    row = waiting(channel(is_active=False), created_at=timezone.now() - timedelta(hours=25))

    deliver()

    assert reread(row).state == "failed"


def test_two_senders_do_not_claim_the_same_row(channel: MakeChannel) -> None:
    row = waiting(channel())

    assert claim(now=timezone.now()) == row
    assert claim(now=timezone.now()) is None


def test_a_late_failure_does_not_undo_a_delivery(channel: MakeChannel, receiver: Receiver) -> None:
    """A sender stalls beyond its claim; another one delivers; then the first one hears that it failed."""
    made = channel()
    row = waiting(made)
    stalled = claim(now=timezone.now())
    assert stalled is not None
    receiver.answers = [Answer(500)]
    late = send(outgoing(stalled))
    due_again(made)

    deliver()
    mark(row=stalled, result=late, now=timezone.now())

    assert (reread(row).state, reread(row).channel.failures) == ("delivered", 0)


def test_a_digest_brings_what_was_held_and_marks_all_of_it(channel: MakeChannel, receiver: Receiver) -> None:
    rows.market_clock()
    made = channel(quiet_since="00:00", quiet_until="23:59", kinds=["data_stale"], urgent_at_night=False)
    now = timezone.now().replace(hour=12)
    note_unwell(unwell={"candles": "9 min behind", "stream": "silent"}, now=now - timedelta(minutes=10))
    collect(now=now)
    Channel.objects.filter(pk=made.pk).update(quiet_since=None, quiet_until=None)
    Notification.objects.filter(kind="digest").update(next_attempt_at=timezone.now())

    sent = deliver()

    assert (sent.delivered, len(receiver.got)) == (1, 1)
    body = json.loads(receiver.got[0].body)
    assert body["type"] == "digest"
    assert sorted(part["facts"]["check"] for part in body["data"]["parts"]) == ["candles", "stream"]
    assert "Data are stale: candles" in body["data"]["text"]
    assert set(Notification.objects.values_list("state", flat=True)) == {"delivered"}


def test_what_is_due_in_quiet_hours_waits_for_their_end(channel: MakeChannel, receiver: Receiver) -> None:
    made = channel(quiet_since="00:00", quiet_until="00:00")
    now = timezone.now()
    row = waiting(made)
    hours = {"quiet_since": (now - timedelta(hours=1)).time(), "quiet_until": (now + timedelta(hours=1)).time()}
    Channel.objects.filter(pk=made.pk).update(**hours)

    deliver()

    assert receiver.got == []
    assert reread(row).next_attempt_at - now == timedelta(hours=1)


def test_a_channel_can_be_tried_at_any_hour(channel: MakeChannel, receiver: Receiver) -> None:
    made = channel(quiet_since="00:00", quiet_until="23:59")

    result = services.try_channel(channel=made)

    assert result is not None
    assert (result.became.value, len(receiver.got)) == ("delivered", 1)


KILLED_BEFORE_MARKING = """
import os, signal
import django; django.setup()
from analytics.notifications import delivering
delivering.mark = lambda **_: os.kill(os.getpid(), signal.SIGKILL)
delivering.deliver()
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_killed_between_sending_and_marking_it_is_sent_again_under_the_same_id(
    channel: MakeChannel, receiver: Receiver, process_environment: dict[str, str]
) -> None:
    made = channel()
    row = waiting(made)
    secret = {"ALPHAPULSE_CHANNEL_WEBHOOK_SECRET": SECRET}
    environment = process_environment | secret | {"DJANGO_SETTINGS_MODULE": "alphapulse_site.settings"}

    child = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_MARKING], cwd=ROOT, env=environment, timeout=60, check=False
    )

    assert child.returncode == -signal.SIGKILL
    left = reread(row)
    assert (left.state, left.attempts, len(receiver.got)) == ("pending", 1, 1)
    assert deliver().delivered == 0  # the claim of the dead holds for a minute
    due_again(made)
    assert deliver().delivered == 1
    assert [got.headers["webhook-id"] for got in receiver.got] == [row.message_id] * 2


COLLECTED = """
from django.utils import timezone
from analytics.notifications.collecting import collect
answer = collect(now=timezone.now())
"""
DELIVERED = "from analytics.notifications.delivering import deliver; answer = deliver().delivered"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_many_workers_at_once_write_one_row_an_event_and_send_each_once(
    channel: MakeChannel, receiver: Receiver, process_environment: dict[str, str]
) -> None:
    rows.market_clock()
    made = [channel(f"hook-{number}", kinds=["signal"]) for number in range(3)]
    signals = [rows.signal(None, rows.NOW - timedelta(minutes=15 + number)) for number in range(5)]
    environment = process_environment | {"ALPHAPULSE_CHANNEL_WEBHOOK_SECRET": SECRET}

    run_at_once(COLLECTED, environment)
    collect(now=timezone.now())  # what none of them could take, since each found the channel with another one
    delivered = run_at_once(DELIVERED, environment)

    expected = {(each.pk, f"signal:{signal.scan_id}") for each in made for signal in signals}
    assert set(Notification.objects.values_list("channel", "key")) == expected
    assert Notification.objects.filter(state="delivered", attempts=1).count() == sum(delivered) == len(expected)
    assert len({got.headers["webhook-id"] for got in receiver.got}) == len(receiver.got) == len(expected)
