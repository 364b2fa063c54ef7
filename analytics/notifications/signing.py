"""The signature of a webhook, as Standard Webhooks has it: HMAC-SHA256 over id, timestamp and body. Pure."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from hashlib import sha256

PREFIX = "whsec_"
SHORTEST = 16  # bytes


class SecretError(ValueError):
    """A secret that signs nothing; the message says what to do and never what it is."""


def signed_headers(message_id: str, timestamp: int, body: bytes, secret: str) -> Mapping[str, str]:
    """The three headers of a message. Two secrets between blanks give two signatures, for the days of a change."""
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    signatures = [hmac.new(key, signed, sha256).digest() for key in keys_of(secret)]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }


def keys_of(secret: str) -> list[bytes]:
    """The keys behind one or more secrets of the form whsec_<base64>. Raises SecretError where one is none."""
    keys = [_key(part) for part in secret.split()]
    if not keys or min(len(key) for key in keys) < SHORTEST:
        raise SecretError(f"the secret must be {PREFIX} and base64 of at least {SHORTEST} bytes")
    return keys


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise SecretError(f"the secret does not begin with {PREFIX}")
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise SecretError(f"what follows {PREFIX} is no base64") from error
