"""A client for each kind of reader, and the settings that the rows of these tests assume."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient


@pytest.fixture(autouse=True)
def fifteen_minutes(settings: Settings) -> None:
    settings.ALPHAPULSE_SCAN_TIMEFRAME = "15m"


@pytest.fixture(autouse=True)
def static_root(settings: Settings, tmp_path: Path) -> None:
    """WhiteNoise warns, and a warning fails a test, when the collected files have no directory."""
    settings.STATIC_ROOT = tmp_path


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create(username="operator", is_staff=True)


@pytest.fixture
def reader(db: None) -> User:
    return User.objects.create(username="reader")


@pytest.fixture
def anonymous(db: None) -> APIClient:
    """Nobody, on the embedded profile."""
    return APIClient()


@pytest.fixture
def operators_client(operator: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(operator)
    return client
