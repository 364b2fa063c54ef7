"""All metrics in the text format of Prometheus, of one moment."""

import logging
import platform
from collections.abc import Iterator

from django import get_version
from django.conf import settings
from django.db import Error, connection, transaction
from prometheus_client import generate_latest
from prometheus_client.core import InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from analytics.frame import Frame, frame
from analytics.metrics.database import database
from analytics.metrics.decisions import closes, followed
from analytics.metrics.families import gauge, gauges
from analytics.metrics.jobs import jobs, outbox
from analytics.metrics.learner import learner
from analytics.metrics.market import market, troubles
from analytics.metrics.queues import broker, parked, signs_of_life
from analytics.selectors.kept import kept_for

logger = logging.getLogger(__name__)

# Prometheus waits for ten seconds, and the broker may take three of them.
STATEMENT_SECONDS = 5


class State(Collector):
    """Reads the state of the system each time it is collected."""

    def collect(self) -> Iterator[Metric]:
        yield from _build()
        yield from broker()
        yield from _stored()


@kept_for(2)
def exposition() -> bytes:
    """At most two seconds old, so that many who ask cost no more than one."""
    # A registry would collect once more to learn the names.
    return generate_latest(State())


def _build() -> Iterator[Metric]:
    said = {
        "version": str(settings.SPECTACULAR_SETTINGS["VERSION"]),
        "profile": settings.PROFILE,
        "python": platform.python_version(),
        "django": get_version(),
    }
    yield InfoMetricFamily("alphapulse_build", "Which program this is.", value=said)


def _stored() -> Iterator[Metric]:
    """All that PostgreSQL knows, or nothing of it: half of it would look like the whole."""
    try:
        found = _read()
    except Error as error:
        logger.warning("metrics without the database: %s", str(error).strip())
        found = list(_database_up(False))
    yield from found


def _database_up(answers: bool) -> Iterator[Metric]:
    return gauge("alphapulse_database_up", "Whether PostgreSQL answers in time.", answers)


def _read() -> list[Metric]:
    """Under one time limit a statement, which ends with the transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{STATEMENT_SECONDS}s"])
        now = frame()
        return [
            *_database_up(True),
            *_checked(now),
            *database(),
            *signs_of_life(),
            *market(now),
            *troubles(),
            *closes(),
            *followed(now),
            *jobs(now),
            *outbox(),
            *parked(),
            *learner(),
        ]


def _checked(now: Frame) -> Iterator[Metric]:
    """The conditions of /healthz."""
    yield from gauges(
        "alphapulse_check_passed",
        "Whether a condition of being healthy holds, as /healthz says it.",
        "check",
        {check.name: check.passed for check in now.checks},
    )
    yield from gauge("alphapulse_healthy", "Whether every condition of being healthy holds.", now.is_well)
