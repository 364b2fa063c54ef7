"""Every endpoint against its own schema, by Schemathesis: no 500, nothing that the schema does not say.

By each kind of reader, on a database that has a row of everything, with whatever the schema allows and with what it
does not.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks as openapi

from alphapulse_site.celery import QUEUES
from alphapulse_site.models import ParkedTask
from analytics.tokens import create_token
from ingestion.models import CandleGap
from ingestion.partitions import ensure_partitions
from learning.versions import ensure_birth
from signals.models import Position
from tests.analytics import rows
from tests.analytics.test_invariants import candles

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
    openapi.negative_data_rejection,
]
SCAN = UUID("00000000-0000-4000-8000-000000000001")
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def one_connection() -> Iterator[None]:
    """As Django's own client does: a request here runs inside the test's transaction, whose connection stays."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def a_row_of_everything(db: None, empty_broker: None) -> None:
    rows.market_clock()
    rows.symbol()
    ensure_birth()
    rows.version(effective_from=rows.NOW)
    ensure_partitions("scan_history", rows.NOW - HOUR, rows.NOW)
    candles(90)
    rows.scan_close(rows.NOW - timedelta(minutes=15))
    for name in ("stream", "outcome_monitor", "shadow_monitor", *(f"canary:{queue}" for queue in QUEUES)):
        rows.heartbeat(name)
    signal, shadow = rows.signal(1.0), rows.shadow(-1.0, scan_id=SCAN)
    rows.signal(None, rows.NOW - HOUR)
    rows.scan(rows.NOW - HOUR, shadow.scan_id)
    rows.scan(rows.NOW, rejection=None, scan_id=None, passed=[])
    rows.scan_close(rows.NOW - timedelta(days=9))
    rows.event(1.0, rows.evidence(technical=0.5))
    rows.job_run("daily_learning", "2021-07-08", status="done", finished_at=timezone.now())
    Position.objects.create(signal=signal, quantity=2, equity_before=10_000, opened_at=signal.opened_at)
    seen = {"first_seen": timezone.now(), "last_checked": timezone.now()}
    CandleGap.objects.create(symbol="BTCUSDT", start=rows.NOW - HOUR, end=rows.NOW, status="filling", **seen)
    ParkedTask.objects.create(task_id="1", name="alphapulse_site.canary", error="x", parked_at=timezone.now())


def known(case: Any) -> None:
    """Names and numbers of what is there, for the case to find something."""
    case.query = {**(case.query or {}), **({"symbol": "BTCUSDT"} if "symbol" in (case.query or {}) else {})}
    there = {"number": ParkedTask.objects.get().pk, "version": 1, "scan_id": str(SCAN)}
    for name in case.path_parameters or {}:
        case.path_parameters[name] = there.get(name, case.path_parameters[name])


def tried(operation: Any, headers: dict[str, str], *, examples: int, expected: int | None = None) -> None:
    """Requests that the schema allows and does not, each answered as the schema says."""

    @given(
        case=operation.as_strategy(GenerationMode.POSITIVE) | operation.as_strategy(GenerationMode.NEGATIVE),
        is_known=st.booleans(),
    )
    @hypothesis_settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any, is_known: bool) -> None:
        if is_known:
            known(case)
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        is_nowhere = answer.status_code == 404 and "no such address" in answer.text
        assert is_nowhere or expected in (None, answer.status_code), (answer.status_code, answer.text)

    ask()


def operations() -> list[Any]:
    schema: Any = schemathesis.openapi.from_wsgi("/api/schema/?format=json", get_wsgi_application())
    return [found.ok() for found in schema.get_all_operations()]


def bearer(user: User, scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_token(name=scope, scope=scope, user=user)[1]}"}


def each(found: list[Any], headers: dict[str, str], *, reads: int, acts: int, refused: int | None = None) -> None:
    """So many requests of every operation; what went wrong is told of all of them at once."""
    wrong: list[Exception] = []
    for operation in found:
        is_read = operation.method == "get"
        try:
            tried(operation, headers, examples=reads if is_read else acts, expected=None if is_read else refused)
        except (AssertionError, BaseExceptionGroup) as error:
            wrong.append(AssertionError(f"{operation.label}: {error}"))
    assert not wrong, "\n\n".join(str(error) for error in wrong)


def test_nobody_in_particular_reads_on_the_embedded_profile_and_acts_on_nothing(a_row_of_everything: None) -> None:
    each(operations(), {}, reads=12, acts=3, refused=401)


def test_a_reading_token_reads_and_acts_on_nothing(
    a_row_of_everything: None, operator: User, settings: Settings
) -> None:
    headers, found = bearer(operator, "read"), operations()
    settings.ALPHAPULSE_ANONYMOUS_READS = False

    each(found, headers, reads=4, acts=4, refused=403)


def test_an_operating_token_acts_as_the_schema_says(a_row_of_everything: None, operator: User) -> None:
    acts = [operation for operation in operations() if operation.method == "post"]

    assert len(acts) == 7
    each(acts, bearer(operator, "operate"), reads=0, acts=15)


def test_nobody_sees_anything_in_production(a_row_of_everything: None, settings: Settings) -> None:
    found = [operation for operation in operations() if operation.path != "/healthz"]
    settings.ALPHAPULSE_ANONYMOUS_READS = False

    for operation in found:
        tried(operation, {}, examples=2, expected=401)


def test_a_nonsensical_token_is_nobody(a_row_of_everything: None) -> None:
    for operation in operations():
        if operation.path != "/healthz":
            tried(operation, {"Authorization": "Bearer alphapulse_x"}, examples=1, expected=401)


def test_every_answer_has_an_example_that_keeps_to_the_schema() -> None:
    found: Any = SchemaGenerator().get_schema(public=True)
    registry = {"components": found["components"]}

    known, missing = {tag["name"] for tag in found["tags"]}, []
    for path, methods in found["paths"].items():
        for operation in methods.values():
            assert set(operation["tags"]) <= known, path
            answer = next(said for status, said in operation["responses"].items() if status.startswith("2"))
            content = answer["content"].get("application/json")
            if content is None or "examples" not in content:
                missing.append(path)
                continue
            schema = json.loads(json.dumps(registry | content["schema"]))
            jsonschema_rs.validator_for(schema).validate(content["examples"]["recorded"]["value"])

    assert missing == []
