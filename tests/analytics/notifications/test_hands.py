"""What people do with channels and the outbox: in the admin and on the command line."""

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from analytics.models import Channel, Notification
from analytics.notifications.delivering import deliver
from analytics.tasks import notify
from tests.analytics import rows
from tests.analytics.notifications.conftest import MakeChannel
from tests.analytics.notifications.receiver import Answer, Receiver
from tests.analytics.notifications.secret_values import SECRET
from tests.analytics.notifications.test_delivering import reread, waiting

pytestmark = pytest.mark.django_db
CHANNELS, OUTBOX = (reverse(f"admin:analytics_{name}_changelist") for name in ("channel", "notification"))
FORM = {
    "name": "phone",
    "medium": "telegram",
    "address": "-1001",
    "kinds": ["signal", "data_stale"],
    "symbols": "BTCUSDT,ETHUSDT",
    "directions": ["1"],
    "time_zone": "Europe/Berlin",
    "is_active": "on",
    "quiet_since": "22:00",
    "quiet_until": "07:00",
}


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    return client


def chosen(action: str, *ids: int, **more: str) -> dict[str, object]:
    return {"action": action, "_selected_action": list(ids), **more}


def test_a_channel_is_made_in_the_admin_and_hears_from_then_on(admin: Client) -> None:
    answer = admin.post(reverse("admin:analytics_channel_add"), FORM)

    assert answer.status_code == 302, answer.context["adminform"].form.errors
    made = Channel.objects.get()
    assert (made.kinds, made.symbols, made.directions) == (["signal", "data_stale"], ["BTCUSDT", "ETHUSDT"], [1])
    assert timezone.now() - made.listens_since < timedelta(minutes=1)
    assert made.market_since is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"medium": "webhook", "address": "javascript:alert(1)"}, "address"),
        ({"medium": "email", "address": "nobody"}, "address"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"secret_name": "SECRET_KEY"}, "secret_name"),
        ({"quiet_until": ""}, "quiet_until"),
        ({"kinds": ["everything"]}, "kinds"),
    ],
)
def test_what_cannot_work_is_said_at_the_field(admin: Client, wrong: dict[str, str], field: str) -> None:
    answer = admin.post(reverse("admin:analytics_channel_add"), FORM | wrong)

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors


def test_other_wishes_begin_now_and_the_same_ones_go_on(admin: Client, channel: MakeChannel) -> None:
    rows.market_clock()
    made = channel()
    where = reverse("admin:analytics_channel_change", args=[made.pk])
    same = {"name": "hook", "medium": "webhook", "address": made.address, "time_zone": "UTC", "is_active": "on"}

    admin.post(where, same | {"kinds": made.kinds})
    assert Channel.objects.get().seen_until == made.seen_until
    admin.post(where, same | {"kinds": ["outcome"]})
    assert Channel.objects.get().seen_until is None


def test_a_test_message_is_sent_after_a_question(admin: Client, channel: MakeChannel, receiver: Receiver) -> None:
    made = channel()

    question = admin.post(CHANNELS, chosen("send_test", made.pk))
    assert (b"Are you sure?" in question.content, receiver.got) == (True, [])
    answer = admin.post(CHANNELS, chosen("send_test", made.pk, confirmed="yes"), follow=True)

    assert b"The channel hook took it." in answer.content
    assert len(receiver.got) == 1


def test_a_message_that_failed_is_sent_again_after_a_question(
    admin: Client, channel: MakeChannel, receiver: Receiver
) -> None:
    row = waiting(channel(), created_at=timezone.now() - timedelta(hours=25))
    receiver.answers = [Answer(500)]
    deliver()
    Channel.objects.update(paused_until=None)

    assert b"Are you sure?" in admin.post(OUTBOX, chosen("again", row.pk)).content
    assert reread(row).state == "failed"
    answer = admin.post(OUTBOX, chosen("again", row.pk, confirmed="yes"), follow=True)

    assert b"goes out within a minute." in answer.content
    assert deliver().delivered == 1


def test_no_page_of_the_admin_shows_a_secret_or_where_a_list_need_not_lead(
    admin: Client, channel: MakeChannel, receiver: Receiver
) -> None:
    made = channel(address=f"{receiver.url}/services/key-in-the-path")
    row = waiting(made)
    deliver()

    pages = [admin.get(where).content.decode() for where in (CHANNELS, OUTBOX)]
    pages.append(admin.get(reverse("admin:analytics_notification_change", args=[row.pk])).content.decode())

    assert "hook" in pages[0]
    assert "AlphaPulse can reach you here" in pages[1]
    assert not any(secret in page for page in pages for secret in (SECRET, "key-in-the-path"))


def test_the_outbox_is_only_read(admin: Client, channel: MakeChannel) -> None:
    row = waiting(channel())
    where = reverse("admin:analytics_notification_change", args=[row.pk])

    admin.post(where, {"state": "delivered"})

    assert reread(row).state == "pending"
    assert admin.get(reverse("admin:analytics_notification_add")).status_code == 403


def said(*arguments: str) -> str:
    out = io.StringIO()
    call_command("notify", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_tries_a_channel(channel: MakeChannel, receiver: Receiver) -> None:
    made = channel()

    assert said("test", "hook") == "hook took the test message\n"
    receiver.answers = [Answer(500)]
    with pytest.raises(CommandError, match="hook did not take it: the receiver answered 500"):
        said("test", "hook")
    with pytest.raises(CommandError, match="closed or rests"):
        said("test", "hook")
    with pytest.raises(CommandError, match="Known are: hook"):
        said("test", "hock")
    Channel.objects.filter(pk=made.pk).update(paused_until=None, is_active=False, disabled_reason="gone")
    assert said("status") == "hook (webhook): closed: gone; 1 delivered, 2 pending\n"


def test_a_run_finds_writes_and_sends(channel: MakeChannel, receiver: Receiver) -> None:
    rows.market_clock()
    channel(kinds=["signal"])
    rows.signal(None, rows.NOW - timedelta(minutes=15))

    assert said("send") == "1 written, 1 delivered, 0 failed\n"
    notify()

    assert len(receiver.got) == 1
    assert Notification.objects.get().state == "delivered"
