"""E-mail, as a mail server gets it."""

import socket
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pytest_django import Settings

from analytics.models import Notification
from analytics.notifications.delivering import deliver
from tests.analytics.notifications.conftest import MakeChannel
from tests.analytics.notifications.test_delivering import reread, waiting

pytestmark = pytest.mark.django_db


class Mailbox:
    """Takes mail, or refuses addresses with `refusal`."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusal = ""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        envelope.rcpt_tos.append(address)
        return self.refusal or "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        found = message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        return "250 OK"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
def mailbox(settings: Settings) -> Iterator[Mailbox]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = controller.port
    settings.DEFAULT_FROM_EMAIL = "pulse@example.org"
    yield box
    controller.stop(no_assert=True)


def test_a_mail_says_the_same_as_text_and_as_html(channel: MakeChannel, mailbox: Mailbox) -> None:
    row = waiting(channel("desk", medium="email", address="me@example.org"))

    assert deliver().delivered == 1
    mail = mailbox.mails[0]
    assert (mail["To"], mail["From"]) == ("me@example.org", "pulse@example.org")
    assert mail["Subject"] == "AlphaPulse can reach you here"
    assert mail["Message-ID"] == f"<{row.message_id}@example.org>"
    assert mail.get_content_type() == "multipart/alternative"
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    for part in (plain, html):
        assert "A test message to the channel desk." in part.get_content()
        assert "https://pulse.example.org/" in part.get_content()
    assert "<script" not in html.get_content()
    assert "src=" not in html.get_content()


@pytest.mark.parametrize(("refusal", "is_open"), [("550 no such mailbox", False), ("450 come back later", True)])
def test_a_mailbox_that_is_not_there_closes_the_channel(
    channel: MakeChannel, mailbox: Mailbox, refusal: str, is_open: bool
) -> None:
    mailbox.refusal = refusal
    row = waiting(channel(medium="email", address="me@example.org"))

    deliver()

    found = reread(row)
    assert (found.channel.is_active, found.state) == (is_open, "pending")
    assert found.last_error == f"the address was refused ({refusal[:3]})"


def test_a_mail_server_that_is_away_is_tried_again(channel: MakeChannel, mailbox: Mailbox, settings: Settings) -> None:
    settings.EMAIL_PORT = 9
    waiting(channel(medium="email", address="me@example.org"))

    deliver()

    row = Notification.objects.get()
    assert (row.state, row.last_error) == ("pending", "the mail server did not take it (ConnectionRefusedError)")
