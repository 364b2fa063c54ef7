"""Tokens: hashed at rest, of a scope, expiring and revocable; a token never may more than its user."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.test import APIClient

from analytics.models import ApiToken
from analytics.tokens import TokenError, account_for, create_token, revoke_token
from tests.analytics import rows

pytestmark = pytest.mark.django_db

READ, ACT = "/api/signals/", "/api/learning/trigger-daily"


@pytest.fixture(autouse=True)
def production(settings: Settings) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False


def bearer(secret: str, word: str = "Bearer") -> APIClient:
    return APIClient(headers={"Authorization": f"{word} {secret}"})


def test_the_secret_is_stored_nowhere(reader: User) -> None:
    row, secret = create_token(name="script", scope="read", user=reader)

    stored = {str(value) for value in ApiToken.objects.values().get().values()}
    assert not [value for value in stored if secret in value or secret.removeprefix("alphapulse_") in value]
    assert bearer(secret).get(READ).status_code == 200
    assert bearer(secret, "Token").get(READ).status_code == 200
    assert bearer(row.digest).get(READ).status_code == 401


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer a b", "Bearer nonsense", "Bearer \xff", "Bearer alphapulse_", "Basic YTpi", "nothing"]
)
def test_what_is_no_token_opens_nothing(header: str) -> None:
    answer = APIClient(headers={"Authorization": header}).get(READ)

    assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_read_token_cannot_write_even_if_its_user_can(operator: User) -> None:
    rows.market_clock()
    rows.scan_close(rows.NOW - timedelta(days=9))
    reads, acts = (create_token(name=scope, scope=scope, user=operator)[1] for scope in ("read", "operate"))

    refused, done = bearer(reads).post(ACT), bearer(acts).post(ACT)

    assert (refused.status_code, done.status_code) == (403, 202)
    assert "may only read" in refused.json()["detail"]


def test_an_operating_token_needs_an_operator(reader: User) -> None:
    with pytest.raises(TokenError, match="reader is no operator"):
        create_token(name="script", scope="operate", user=reader)


def test_an_operating_token_may_no_more_than_its_user_may_now(operator: User) -> None:
    _, secret = create_token(name="script", scope="operate", user=operator)
    User.objects.update(is_staff=False)

    assert bearer(secret).post(ACT).status_code == 403
    assert bearer(secret).get(READ).status_code == 200


def test_expired_revoked_and_of_a_blocked_user_it_opens_nothing(reader: User) -> None:
    soon = timezone.now() + timedelta(days=1)
    secrets = [create_token(name=name, scope="read", user=reader, expires_at=soon)[1] for name in ("a", "b", "c")]
    ApiToken.objects.filter(name="a").update(expires_at=timezone.now())
    assert (revoke_token(name="b"), revoke_token(name="b")) == (True, False)

    assert [bearer(secret).get(READ).status_code for secret in secrets] == [401, 401, 200]
    User.objects.update(is_active=False)
    assert bearer(secrets[2]).get(READ).status_code == 401


def test_a_user_may_have_several_and_a_name_is_free_again_once_revoked(reader: User) -> None:
    create_token(name="a", scope="read", user=reader)
    create_token(name="b", scope="read", user=reader)
    with pytest.raises(TokenError, match="there is a token a already"):
        create_token(name="a", scope="read", user=reader)

    revoke_token(name="a")
    create_token(name="a", scope="read", user=reader)

    assert ApiToken.objects.filter(user=reader).count() == 3


def test_its_last_use_is_noted_once_a_minute(
    reader: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    row, secret = create_token(name="a", scope="read", user=reader)
    bearer(secret).get(READ)
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None

    with django_assert_max_num_queries(2):
        bearer(secret).get(READ)
    row.refresh_from_db()
    assert row.last_used_at == first


def test_a_session_of_an_operator_writes_with_csrf_only(operator: User) -> None:
    rows.market_clock()
    rows.scan_close(rows.NOW - timedelta(days=9))
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(operator)
    client.cookies["csrftoken"] = "c" * 32

    assert client.post(ACT).status_code == 403
    assert client.post(ACT, headers={"X-CSRFToken": "c" * 32}).status_code == 202


def test_the_command_makes_lists_and_revokes(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("token", "create", "grafana", "--scope", "read", "--days", "90")
    secret = capsys.readouterr().out.strip()
    call_command("token", "list")
    listed = capsys.readouterr().out

    assert bearer(secret).get(READ).status_code == 200
    assert listed.startswith("grafana\tread\tgrafana\tliving\tuntil 20")
    assert secret not in listed
    assert not User.objects.get(username="grafana").has_usable_password()
    call_command("token", "revoke", "grafana")
    assert bearer(secret).get(READ).status_code == 401
    with pytest.raises(CommandError, match="no living token"):
        call_command("token", "revoke", "grafana")


def test_the_command_makes_an_operator_of_the_account_it_makes(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("token", "create", "ops", "--scope", "operate")

    assert bearer(capsys.readouterr().out.strip()).post(ACT).status_code == 400  # nothing to run yet


@pytest.mark.parametrize(
    ("more", "said"), [(["--user", "nobody"], "no user nobody"), (["--days", "0"], "1 to 3650"), ([], "no operator")]
)
def test_the_command_says_what_is_wrong(reader: User, more: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("token", "create", "reader", "--scope", "operate", *more)


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


ADMIN = "/admin/analytics/apitoken/"


def test_the_admin_tells_the_secret_once(root: Client, operator: User) -> None:
    asked = {"name": "script", "user": str(operator.pk), "scope": "operate", "expires_at_0": "", "expires_at_1": ""}

    told = root.post(f"{ADMIN}add/", asked, follow=True).content.decode()

    secret = re.search(r"alphapulse_[\w-]{43}", told)
    assert secret is not None
    assert bearer(secret[0]).get(READ).status_code == 200
    row = ApiToken.objects.get()
    assert (row.user, row.scope) == (operator, "operate")
    for path in ("", f"{row.pk}/change/"):
        page = root.get(f"{ADMIN}{path}").content.decode()
        assert "script" in page
        assert secret[0] not in page
        assert row.digest not in page


def test_the_admin_refuses_what_the_service_refuses(root: Client, reader: User) -> None:
    asked = {"name": "script", "user": str(reader.pk), "scope": "operate", "expires_at_0": "", "expires_at_1": ""}
    assert "is no operator" in root.post(f"{ADMIN}add/", asked).content.decode()

    create_token(name="script", scope="read", user=reader)
    again = root.post(f"{ADMIN}add/", asked | {"scope": "read"})
    assert (again.status_code, ApiToken.objects.count()) == (200, 1)


def test_only_a_superuser_makes_a_token_of_somebody_else(operator: User, reader: User) -> None:
    operator.user_permissions.add(*Permission.objects.filter(codename__endswith="_apitoken"))
    client = Client()
    client.force_login(operator)
    asked = {"name": "script", "user": str(reader.pk), "scope": "read", "expires_at_0": "", "expires_at_1": ""}

    refused = client.post(f"{ADMIN}add/", asked)
    made = client.post(f"{ADMIN}add/", asked | {"user": str(operator.pk)})

    assert (refused.status_code, made.status_code) == (200, 302)
    assert ApiToken.objects.get().user == operator


def test_a_token_is_revoked_in_the_admin_once_that_was_confirmed(root: Client, reader: User) -> None:
    row, secret = create_token(name="script", scope="read", user=reader)
    asked = {"action": "revoke", "_selected_action": str(row.pk)}

    assert b"cannot be undone" in root.post(ADMIN, asked).content
    assert bearer(secret).get(READ).status_code == 200
    root.post(ADMIN, asked | {"confirmed": "yes"})
    assert bearer(secret).get(READ).status_code == 401


def test_an_account_that_was_there_is_made_no_operator(reader: User) -> None:
    assert account_for(name="reader", scope="operate") == reader
    assert not reader.groups.exists()
