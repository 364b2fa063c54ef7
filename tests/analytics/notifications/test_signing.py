"""The signature, against a verifier that shares no code with it: openssl. Beside it waits and addresses."""

import base64
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.notifications.addresses import is_public
from analytics.notifications.signing import SecretError, keys_of, signed_headers
from analytics.notifications.waiting import LONGEST, wait_after
from tests.analytics.notifications.secret_values import KEY, SECRET


def openssl(signed: bytes, key: bytes) -> str:
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"]
    found = subprocess.run(command, input=signed, capture_output=True, check=True, timeout=20).stdout
    return base64.b64encode(found).decode()


@settings(max_examples=15)
@given(body=st.binary(max_size=200), timestamp=st.integers(0, 2**40))
def test_a_receiver_with_openssl_comes_to_the_same_signature(body: bytes, timestamp: int) -> None:
    headers = signed_headers("msg_1", timestamp, body, SECRET)

    expected = openssl(b"msg_1.%d." % timestamp + body, KEY)
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", str(timestamp))


def test_the_vector_of_the_standard_is_met() -> None:
    """From the Standard Webhooks reference libraries."""
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    )

    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_two_secrets_give_two_signatures() -> None:
    other = b"another key of 24 bytes!"
    both = f"{SECRET} whsec_{base64.b64encode(other).decode()}"

    signatures = signed_headers("msg_1", 1, b"{}", both)["webhook-signature"].split()

    assert signatures == [f"v1,{openssl(b'msg_1.1.{}', key)}" for key in (KEY, other)]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "plain words", "whsec_%%%"])
def test_a_secret_that_signs_nothing_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(SecretError) as error:
        keys_of(secret)
    assert not secret.removeprefix("whsec_") or secret not in str(error.value)


def test_waits_double_up_to_an_hour() -> None:
    minutes = [wait_after(attempts).total_seconds() / 60 for attempts in range(1, 9)]

    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]
    assert wait_after(10_000) == LONGEST


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b::5db8:d822", True),
    ],
)
def test_only_the_public_internet_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public
