"""Nothing has happened yet: every key is there, every figure is null, every count is 0."""

from typing import Any

import pytest
from rest_framework.test import APIClient

READS = ("performance", "head-weights", "improvements", "recommendations", "stats", "rejection-analysis", "scheduler")

KEYS = {
    "performance": {"overall", "head_performance", "learning_progress", "timestamp"},
    "head-weights": {"current_weights", "weight_history", "days_analyzed", "timestamp"},
    "improvements": {"weekly_trends", "best_performing_heads", "worst_performing_heads", "timestamp"},
    "recommendations": {"recommendations", "total_recommendations", "high_priority_count", "timestamp"},
    "stats": {"coordinator", "monitor", "rejection_learning", "timestamp"},
    "rejection-analysis": {
        *("rejection_statistics", "rejection_breakdown", "by_reason", "rejection_accuracy", "opportunity_cost_r"),
        *("learning_data_multiplier", "timestamp"),
    },
    "scheduler": {"scheduler", "timestamp"},
}
CONSTANTS = {"learning_config", "configuration", "jobs"}


@pytest.mark.parametrize("name", READS)
def test_the_keys_are_there(anonymous: APIClient, name: str) -> None:
    answer = anonymous.get(f"/api/learning/{name}")

    assert answer.status_code == 200
    assert KEYS[name] <= set(answer.json())


def figures(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every leaf of a JSON value with its path; the schedule and the settings are no figures."""
    if isinstance(value, dict):
        return [leaf for key in value if key not in CONSTANTS for leaf in figures(value[key], f"{path}.{key}")]
    if isinstance(value, list):
        return [leaf for place, item in enumerate(value) for leaf in figures(item, f"{path}[{place}]")]
    return [(path, value)]


@pytest.mark.parametrize("name", READS)
def test_no_figure_is_invented(anonymous: APIClient, name: str) -> None:
    answer = anonymous.get(f"/api/learning/{name}").json()

    numbers = {path: value for path, value in figures(answer) if isinstance(value, float | int) and value is not False}
    allowed = ("days_analyzed", "check_interval_seconds", "thinned_by", "total_jobs")
    invented = {path: value for path, value in numbers.items() if value != 0 and not path.endswith(allowed)}

    assert not invented
    assert not [path for path, value in numbers.items() if isinstance(value, float)], "a rate without a case is null"
