"""Who may read, who may act, what is refused and how: problem JSON, permissions, triggers."""

import json
from base64 import b64decode
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import redis
from django.conf import settings
from django.contrib.auth.models import Group, User
from pytest_django import Settings
from rest_framework.test import APIClient

from alphapulse_site.models import JobRun
from analytics.models import AcknowledgedRequest
from analytics.tokens import create_token
from tests.analytics import rows
from tests.at_once import run_at_once

pytestmark = pytest.mark.django_db

READS = (
    *(f"/api/learning/{name}" for name in ("performance", "head-weights", "improvements", "recommendations")),
    *(f"/api/learning/{name}" for name in ("stats", "rejection-analysis", "scheduler")),
    *("/api/signals/", "/api/shadows/", "/api/schema/"),
)
ACTS = ("/api/learning/trigger-daily", "/api/learning/trigger-weekly")


def is_problem(answer: Any, status: int) -> bool:
    body = answer.json()
    return (
        answer.status_code == status
        and answer["Content-Type"] == "application/problem+json"
        and {"type", "title", "status", "detail", "instance"} <= set(body)
        and body["status"] == status
    )


@pytest.fixture
def production(settings: Settings) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False


@pytest.mark.parametrize("path", READS)
def test_anonymous_readers_are_refused_in_production(production: None, path: str) -> None:
    assert APIClient().get(path).status_code == 401


@pytest.mark.parametrize("path", [READS[0], "/api/schema/", "/api/docs/", "/api/docs/?script=", "/api/versions/"])
@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/vnd.oai.openapi"])
def test_a_refusal_is_a_problem(production: None, path: str, accept: str) -> None:
    answer = APIClient().get(path, headers={"Accept": accept})

    assert is_problem(answer, 401) or (answer.status_code == 406 and is_problem(answer, 406))


@pytest.mark.parametrize("path", READS)
def test_a_token_may_read(production: None, reader: User, path: str) -> None:
    client = APIClient(headers={"Authorization": f"Bearer {create_token(name='t', scope='read', user=reader)[1]}"})

    assert client.get(path).status_code == 200


def test_a_session_may_read(production: None, reader: User) -> None:
    client = APIClient()
    client.force_login(reader)

    assert client.get(READS[0]).status_code == 200


@pytest.mark.parametrize("path", READS[:7])
def test_a_final_slash_is_forgiven(anonymous: APIClient, path: str) -> None:
    assert anonymous.get(f"{path}/").status_code == 200


WRONG = [
    ("performance", {"period": "0d"}, "1d to 365d"),
    ("performance", {"period": "366d"}, "1d to 365d"),
    ("performance", {"period": "week"}, "1d to 365d"),
    ("performance", {"period": "7"}, "1d to 365d"),
    ("performance", {"period": "-3d"}, "1d to 365d"),
    ("performance", {"symbol": "NOPE"}, "symbols look like BTCUSDT"),
    ("performance", {"symbol": "A\x00B"}, "symbol"),
    ("performance", {"timeframe": "7m"}, "timeframe"),
    ("performance", {"symbol": ""}, "empty; send a value, or leave it out"),
    ("performance", {"perod": "7d"}, "known are: symbol, timeframe, period"),
    ("head-weights", {"days": "0"}, "days"),
    ("head-weights", {"days": "366"}, "days"),
    ("head-weights", {"days": "ten"}, "days"),
    ("improvements", {"weeks": "53"}, "weeks"),
    ("stats", {"x": "1"}, "unknown; known are: none"),
    ("stats", {"cursor": "x"}, "unknown"),
]


@pytest.mark.parametrize(("name", "query", "said"), WRONG)
def test_nonsense_is_refused_with_what_to_do(anonymous: APIClient, name: str, query: dict[str, str], said: str) -> None:
    answer = anonymous.get(f"/api/learning/{name}", query)

    assert is_problem(answer, 400)
    assert said in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == next(iter(query))


def test_an_unknown_address_is_a_problem(anonymous: APIClient) -> None:
    answer = anonymous.get("/api/learning/nothing")

    assert is_problem(answer, 404)
    assert "/api/schema/" in answer.json()["detail"]


def test_a_wrong_method_is_a_problem(anonymous: APIClient, operators_client: APIClient) -> None:
    assert is_problem(operators_client.post("/api/learning/stats"), 405)
    assert is_problem(anonymous.get(ACTS[0]), 405)


def test_a_form_we_do_not_speak_is_a_problem(anonymous: APIClient) -> None:
    assert is_problem(anonymous.get(READS[0], headers={"Accept": "application/xml"}), 406)


@pytest.fixture
def market(empty_broker: None) -> None:
    """Scanned since the first of July; the market clock stands at Saturday noon, the tenth."""
    rows.market_clock()
    rows.scan_close(rows.NOW - timedelta(days=9, hours=11))


@pytest.mark.parametrize("path", ACTS)
def test_only_operators_act(market: None, reader: User, path: str) -> None:
    known = APIClient()
    known.force_authenticate(reader)

    assert is_problem(APIClient().post(path), 401)
    assert is_problem(known.post(path), 403)
    assert not JobRun.objects.exists()


def test_a_member_of_the_group_operators_acts(market: None, reader: User) -> None:
    reader.groups.add(Group.objects.get_or_create(name="operators")[0])
    client = APIClient()
    client.force_authenticate(reader)

    assert client.post(ACTS[0]).status_code == 202


def queued() -> list[tuple[str, list[Any]]]:
    """Tasks that wait in the learning queue, with their arguments, as they lie in the broker."""
    path, _, number = settings.CELERY_BROKER_URL.removeprefix("redis+socket://").partition("?virtual_host=")
    client = redis.Redis(unix_socket_path=unquote(path), db=int(number))
    key = f"{settings.CELERY_BROKER_TRANSPORT_OPTIONS['global_keyprefix']}learning"
    messages = [json.loads(message) for message in client.lrange(key, 0, -1)]
    client.close()
    return [(message["headers"]["task"], json.loads(b64decode(message["body"]))[0]) for message in messages]


def test_a_trigger_queues_the_last_period_that_ended(market: None, operators_client: APIClient) -> None:
    answer = operators_client.post(ACTS[0])

    run = JobRun.objects.get()
    assert answer.status_code == 202
    assert answer.json()["status"] == "queued"
    assert (answer.json()["job_run"], answer.json()["period"]) == (run.pk, "2021-07-09")
    assert (run.job, run.period, run.attempts) == ("daily_learning", "2021-07-09", 0)
    assert queued() == [("learning.run_daily", ["2021-07-09"])]
    polled = operators_client.get(answer["Location"])
    assert (polled.status_code, polled.json()["status"], polled.json()["period"]) == (200, "queued", "2021-07-09")


def test_the_weekly_trigger_takes_an_iso_week(market: None, operators_client: APIClient) -> None:
    answer = operators_client.post(ACTS[1], {"period": "2021-W26"}, format="json")

    assert answer.json()["period"] == "2021-W26"  # ended on Sunday the fourth of July
    assert queued() == [("learning.run_weekly", ["2021-W26"])]


def test_the_same_period_twice_is_one_run(market: None, operators_client: APIClient) -> None:
    first, second = (operators_client.post(ACTS[0], {"period": "2021-07-08"}, format="json") for _ in range(2))

    assert first.json()["job_run"] == second.json()["job_run"]
    assert JobRun.objects.count() == 1


def test_a_run_that_is_done_is_answered_and_not_queued_again(market: None, operators_client: APIClient) -> None:
    done = rows.job_run("daily_learning", "2021-07-08", status=JobRun.Status.DONE)

    answer = operators_client.post(ACTS[0], {"period": "2021-07-08"}, format="json")

    assert (answer.status_code, answer.json()["job_run"], answer.json()["status"]) == (202, done.pk, "done")
    assert not queued()


@pytest.mark.parametrize("period", ["2021-07-10", "2021-06-20", "20210708", "yesterday", "2021-W26", "2021-02-30"])
def test_a_period_that_has_not_ended_or_is_none_is_refused(
    market: None, operators_client: APIClient, period: str
) -> None:
    answer = operators_client.post(ACTS[0], {"period": period}, format="json")

    assert is_problem(answer, 400)
    assert "2021-07-01 to 2021-07-09" in answer.json()["detail"]
    assert not JobRun.objects.exists()


def test_before_the_first_scan_there_is_nothing_to_run(operators_client: APIClient) -> None:
    answer = operators_client.post(ACTS[0])

    assert is_problem(answer, 400)
    assert "no period has ended yet" in answer.json()["detail"]


def test_an_idempotency_key_gets_its_first_answer_also_after_midnight(
    market: None, operators_client: APIClient
) -> None:
    key = {"Idempotency-Key": "a"}
    first = operators_client.post(ACTS[0], headers=key)
    rows.MarketClock.objects.update(closed_until=rows.NOW + timedelta(days=1))

    again = operators_client.post(ACTS[0], headers=key)
    fresh = operators_client.post(ACTS[0], headers={"Idempotency-Key": "b"})

    assert (first.json()["period"], again.json()["period"], fresh.json()["period"]) == (
        "2021-07-09",
        "2021-07-09",
        "2021-07-10",
    )
    assert first.json()["job_run"] == again.json()["job_run"]
    assert AcknowledgedRequest.objects.count() == 2


def test_a_key_that_comes_with_another_request_is_refused(market: None, operators_client: APIClient) -> None:
    key = {"Idempotency-Key": "a"}
    operators_client.post(ACTS[0], headers=key)

    assert is_problem(operators_client.post(ACTS[1], headers=key), 422)
    assert is_problem(operators_client.post(ACTS[0], {"period": "2021-07-08"}, format="json", headers=key), 422)
    assert JobRun.objects.count() == 1


def test_keys_of_two_operators_are_their_own(market: None, operators_client: APIClient) -> None:
    other = APIClient()
    other.force_authenticate(User.objects.create(username="other", is_staff=True))
    key = {"Idempotency-Key": "a"}
    operators_client.post(ACTS[0], headers=key)

    answer = other.post(ACTS[0], {"period": "2021-07-08"}, format="json", headers=key)

    assert answer.json()["period"] == "2021-07-08"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ('["2021-07-08"]', "application/json", 400),
        ('{"period": ["x"]}', "application/json", 400),
        ("period=2021-07-08", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_is_none_is_a_problem(
    market: None, operators_client: APIClient, body: str, kind: str, status: int
) -> None:
    assert is_problem(operators_client.post(ACTS[0], body, content_type=kind), status)


@pytest.mark.parametrize("key", ["", "k" * 201, "a b", "k\u00e9", "k\n"])
def test_a_key_that_is_none_is_refused_and_nothing_is_done(market: None, operators_client: APIClient, key: str) -> None:
    assert is_problem(operators_client.post(ACTS[0], headers={"Idempotency-Key": key}), 400)
    assert not JobRun.objects.exists()


def test_an_unknown_run_is_a_problem(anonymous: APIClient) -> None:
    assert is_problem(anonymous.get("/api/jobs/1/"), 404)


ASK = """
from django.contrib.auth.models import User
from analytics.acknowledged import Acknowledged, acknowledge_once
from analytics.triggers import DAILY, request_run
operator = User.objects.get(username="operator")
def act():
    return Acknowledged(202, {"job_run": request_run(job=DAILY, period="").pk, "by": number})
found = acknowledge_once(user=operator, key="a", fingerprint="same", act=act)
answer = [found.body, found.is_repeated]
"""


@pytest.mark.django_db(transaction=True)
def test_four_processes_with_one_key_get_the_answer_of_one(
    empty_broker: None, process_environment: dict[str, str], operator: User
) -> None:
    rows.market_clock()
    rows.scan_close(rows.NOW - timedelta(days=9))

    answers = run_at_once(ASK, process_environment)

    assert len({body["by"] for body, _ in answers}) == 1
    assert sorted(is_repeated for _, is_repeated in answers) == [False, True, True, True]
    assert JobRun.objects.count() == AcknowledgedRequest.objects.count() == 1
