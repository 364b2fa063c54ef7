"""The three ways out: Telegram, a webhook, e-mail. Each says what became of one try, and never a secret."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from smtplib import SMTPException, SMTPRecipientsRefused, SMTPSenderRefused
from typing import Any

from django.conf import settings
from django.core.mail import BadHeaderError, EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from analytics.notifications.models import Channel, Notification
from analytics.notifications.signing import SecretError, signed_headers
from analytics.notifications.transport import RefusedAddressError, Reply, UnreachableError, post
from analytics.notifications.waiting import asked_to_wait
from analytics.notifications.words import Message

LONGEST_TELEGRAM = 4096
LONGEST_SUBJECT = 180


class Became(Enum):
    """`REFUSED`: this message can never be delivered; `CLOSED`: nothing can, on this channel."""

    DELIVERED = "delivered"
    AGAIN = "again"
    REFUSED = "refused"
    CLOSED = "closed"


@dataclass(frozen=True)
class Result:
    """What became of one try; `wait`: what the receiver asked for."""

    became: Became
    reason: str = ""
    wait: timedelta | None = None


@dataclass(frozen=True)
class Outgoing:
    """One message on its way to a channel."""

    row: Notification
    message: Message
    link: str

    @property
    def channel(self) -> Channel:
        return self.row.channel

    @property
    def text(self) -> str:
        return "\n".join(part for part in (self.message.title, self.message.text, self.link) if part)


def send(outgoing: Outgoing) -> Result:
    """Try once. What fails is told by the result; a secret that is not set closes the channel."""
    try:
        return WAYS[outgoing.channel.medium](outgoing)
    except (RefusedAddressError, SecretError) as error:
        return Result(Became.CLOSED, str(error))
    except UnreachableError as error:
        return Result(Became.AGAIN, str(error))


def secret_of(channel: Channel, usual: str) -> str:
    """The secret that the channel names, from the environment. Raises SecretError where it is not set."""
    name = channel.secret_name or usual
    secret = settings.ALPHAPULSE_CHANNEL_SECRETS.get(name, "")
    if not secret:
        raise SecretError(f"{name} is not set in the environment of the workers")
    return str(secret)


def _telegram(outgoing: Outgoing) -> Result:
    token = secret_of(outgoing.channel, "ALPHAPULSE_CHANNEL_TELEGRAM_TOKEN")
    body = {
        "chat_id": outgoing.channel.address,
        "text": shortened(outgoing.text, LONGEST_TELEGRAM),
        "link_preview_options": {"is_disabled": True},
    }
    url = f"{settings.ALPHAPULSE_TELEGRAM_URL}/bot{token}/sendMessage"
    # The address is ours and not the channel's, so that it may lie anywhere.
    reply = post(url, json.dumps(body).encode(), {}, private_allowed=True)
    return _telegram_result(reply)


def _telegram_result(reply: Reply) -> Result:
    said = _json(reply.body)
    reason = f"Telegram answered {reply.status}: {str(said.get('description', ''))[:200]}"
    if reply.status == 200 and said.get("ok") is True:
        return Result(Became.DELIVERED)
    if reply.status in (401, 403, 404) or (reply.status == 400 and "chat not found" in reason):
        return Result(Became.CLOSED, reason)
    if reply.status == 400:
        return Result(Became.REFUSED, reason)
    parameters = said.get("parameters") or {}
    return Result(Became.AGAIN, reason, _seconds(parameters.get("retry_after")) or _retry_after(reply))


def shortened(text: str, most: int) -> str:
    """As many whole lines as fit, counted as Telegram counts them (UTF-16), with a mark where some are left out."""

    def length(words: str) -> int:
        return len(words.encode("utf-16-le")) // 2

    if length(text) <= most:
        return text
    lines = text.split("\n")
    while len(lines) > 1 and length("\n".join(lines)) > most - 2:
        lines.pop()
    return "\n".join(lines)[: most // 2 if length(lines[0]) > most - 2 else None] + "\n\u2026"


def _webhook(outgoing: Outgoing) -> Result:
    secret = secret_of(outgoing.channel, "ALPHAPULSE_CHANNEL_WEBHOOK_SECRET")
    now = datetime.now(UTC)
    body = json.dumps(webhook_body(outgoing)).encode()
    headers = signed_headers(outgoing.row.message_id, int(now.timestamp()), body, secret)
    reply = post(outgoing.channel.address, body, dict(headers), private_allowed=settings.ALPHAPULSE_WEBHOOK_PRIVATE)
    return _webhook_result(reply)


def webhook_body(outgoing: Outgoing) -> dict[str, Any]:
    """What a receiver gets: the kind, when it happened, the facts, and the same in words."""
    row = outgoing.row
    told = {"title": outgoing.message.title, "text": outgoing.message.text, "url": outgoing.link}
    return {
        "type": row.kind,
        "timestamp": row.happened_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "data": {**row.payload, **told, "key": row.key},
    }


def _webhook_result(reply: Reply) -> Result:
    if 200 <= reply.status < 300:
        return Result(Became.DELIVERED)
    reason = f"the receiver answered {reply.status}"
    if reply.status in (403, 404, 410):
        return Result(Became.CLOSED, reason)
    if reply.status == 413:
        return Result(Became.REFUSED, reason)
    if 300 <= reply.status < 400:
        reason += "; redirects are not followed, write the address it leads to"
    return Result(Became.AGAIN, reason, _retry_after(reply))


def _email(outgoing: Outgoing) -> Result:
    host = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    mail = EmailMultiAlternatives(
        subject=" ".join(outgoing.message.title.split())[:LONGEST_SUBJECT],
        body=f"{outgoing.message.text}\n\n{outgoing.link}\n",
        to=[outgoing.channel.address],
        headers={"Message-ID": f"<{outgoing.row.message_id}@{host}>", "Auto-Submitted": "auto-generated"},
        connection=get_connection(),
    )
    mail.attach_alternative(html_of(outgoing), "text/html")
    try:
        mail.send()
    except SMTPRecipientsRefused as error:
        return _smtp_result(min(code for code, _ in error.recipients.values()), "the address was refused")
    except SMTPSenderRefused as error:
        return Result(Became.AGAIN, f"the mail server refused the sender ({error.smtp_code})")
    except BadHeaderError:
        return Result(Became.CLOSED, "the address holds a line break")
    except (SMTPException, OSError) as error:
        return Result(Became.AGAIN, f"the mail server did not take it ({type(error).__name__})")
    return Result(Became.DELIVERED)


def html_of(outgoing: Outgoing) -> str:
    """The message for mail programs: no picture, no script, nothing loaded from anywhere."""
    context = {"message": outgoing.message, "link": outgoing.link, "payload": outgoing.row.payload}
    return render_to_string("notifications/mail.html", context)


def _smtp_result(code: int, what: str) -> Result:
    """A code from 500 on is for good, one below is for now."""
    return Result(Became.CLOSED if code >= 500 else Became.AGAIN, f"{what} ({code})")


WAYS: Mapping[str, Callable[[Outgoing], Result]] = {
    Channel.Medium.TELEGRAM: _telegram,
    Channel.Medium.WEBHOOK: _webhook,
    Channel.Medium.EMAIL: _email,
}


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _retry_after(reply: Reply) -> timedelta | None:
    """Seconds, or a date (RFC 9110)."""
    said = reply.headers.get("retry-after", "")
    if said.isdecimal():
        return _seconds(int(said[:9]))
    try:
        until = parsedate_to_datetime(said)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return _seconds((until - datetime.now(UTC)).total_seconds())


def _seconds(asked: Any) -> timedelta | None:
    return asked_to_wait(float(asked)) if isinstance(asked, int | float) and asked > 0 else None
