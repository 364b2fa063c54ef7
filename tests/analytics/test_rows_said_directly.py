"""A row of a list is said field by field as REST framework says it, only faster."""

from datetime import timedelta
from typing import Any

import pytest
from rest_framework.serializers import ModelSerializer

from analytics.api.serializers.decisions import PublishedSignal, Shadow
from tests.analytics import rows


@pytest.mark.django_db
@pytest.mark.parametrize("net_r", [None, 1.5, -1.0])
@pytest.mark.parametrize(("serializer", "make"), [(PublishedSignal, rows.signal), (Shadow, rows.shadow)])
def test_it_says_what_rest_framework_says(serializer: Any, make: Any, net_r: float | None) -> None:
    row = make(net_r, rows.NOW - timedelta(days=2, microseconds=1))
    row.refresh_from_db()

    said = serializer(row).data

    assert dict(said) == ModelSerializer.to_representation(serializer(row), row)
    assert list(said) == list(serializer.Meta.fields)
