"""Limits a minute: counted for all processes in one place, told as a problem, and lifted where nobody counts."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from pytest_django import Settings
from redis.exceptions import ConnectionError as OutOfReachError
from rest_framework.test import APIClient

from analytics.api import throttles
from analytics.tokens import create_token

pytestmark = pytest.mark.django_db

READ, ACT = "/api/signals/", "/api/learning/trigger-daily"


@pytest.fixture(autouse=True)
def limits(settings: Settings, empty_broker: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALPHAPULSE_RATES = {"anonymous": 2, "read": 3, "write": 1}
    monkeypatch.setattr(throttles.time, "time", lambda: 1_000_000_007.0)


def statuses(client: APIClient, count: int) -> list[int]:
    return [client.get(READ).status_code for _ in range(count)]


def test_too_many_is_a_problem_that_says_when_to_come_back(anonymous: APIClient) -> None:
    assert statuses(anonymous, 2) == [200, 200]

    answer = anonymous.get(READ)

    assert (answer.status_code, answer["Content-Type"]) == (429, "application/problem+json")
    assert answer["Retry-After"] == "13"  # seconds to the full minute
    assert answer.json()["title"] == "Too Many Requests"


def test_a_token_counts_by_itself_and_writes_apart(operator: User) -> None:
    one, other = (
        APIClient(headers={"Authorization": f"Bearer {create_token(name=name, scope='operate', user=operator)[1]}"})
        for name in ("one", "other")
    )

    assert statuses(one, 4) == [200, 200, 200, 429]
    assert statuses(other, 3) == [200, 200, 200]
    assert [one.post(ACT).status_code for _ in range(2)] == [400, 429]


def test_the_next_minute_is_a_new_one(anonymous: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(anonymous, 3) == [200, 200, 429]

    monkeypatch.setattr(throttles.time, "time", lambda: 1_000_000_040.0)

    assert statuses(anonymous, 1) == [200]


def test_the_count_lies_where_every_process_sees_it(anonymous: APIClient) -> None:
    anonymous.get(READ)

    assert cache.get(f"rate:anonymous:address:127.0.0.1:{1_000_000_007 // 60}") == 1


def test_a_forged_forwarding_does_not_make_a_new_address(anonymous: APIClient) -> None:
    codes = [anonymous.get(READ, headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(3)]

    assert codes == [200, 200, 429]


def test_without_redis_nothing_is_refused_and_the_log_says_so(
    anonymous: APIClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(*args: Any) -> None:
        raise OutOfReachError("gone")

    monkeypatch.setattr(throttles.cache, "add", gone)

    with caplog.at_level(logging.WARNING):
        assert statuses(anonymous, 5) == [200] * 5
    assert "not counted" in caplog.text
