"""Servers before settings, settings before the first import of a model, and what tests of several apps share."""

import os

import django
import pytest
from hypothesis import settings as hypothesis_settings
from pytest_django.plugin import DjangoDbBlocker

from tests import servers
from tests.signals import oracle_table

# While this file is imported, because a test folder's conftest may import models, and comes right after it.
servers.start_once()
os.environ["DJANGO_SETTINGS_MODULE"] = "alphapulse_site.settings"
django.setup()

# Two shared cores make single examples slow now and then, which says nothing about the code.
hypothesis_settings.register_profile("alphapulse", deadline=None, print_blob=True)
hypothesis_settings.load_profile("alphapulse")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that no worker is left alone with one at the end; the rest keeps its random order."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_configure(config: pytest.Config) -> None:
    """Keep the settings' name from xdist's workers: pytest-django would read settings before a worker has a broker."""
    if config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ.pop("DJANGO_SETTINGS_MODULE")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test measured is told when it was run; here, since only this file is read where workers report to."""
    rows = oracle_table.recorded(report for reports in terminalreporter.stats.values() for report in reports)
    if rows:
        terminalreporter.section(oracle_table.HEADING)
        for line in oracle_table.lines(rows):
            terminalreporter.line(line)


def pytest_unconfigure() -> None:
    servers.stop()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Tests wipe their tables by TRUNCATE, which ledger and versions refuse: in this database their owner lets them."""
    from django.db import connection

    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("learning_events", "learning_state"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER never_wiped")


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """The environment for a child process that works on this test's own database and broker."""
    from django.db import connection

    places_url = os.environ["DATABASE_URL"]
    name = str(connection.settings_dict["NAME"])
    return os.environ | {"DATABASE_URL": places_url.replace("///alphapulse?", f"///{name}?")}


@pytest.fixture
def empty_broker() -> None:
    """Nothing in this test worker's queues."""
    import redis
    from django.conf import settings

    path, _, number = settings.CELERY_BROKER_URL.removeprefix("redis+socket://").partition("?virtual_host=")
    redis.Redis(unix_socket_path=path, db=int(number)).flushdb()
