"""Two versions side by side."""

from datetime import timedelta

import numpy as np
import pytest

from analytics.selectors.version_diff import replaced_by, version_diff, version_row
from learning.versions import create_version
from signals.consensus import Weights
from tests.analytics import rows

pytestmark = pytest.mark.django_db


def test_each_head_says_what_it_was_and_what_it_became() -> None:
    before = rows.version()
    betas = [0.2] * (len(rows.HEAD_NAMES) - 1) + [0.6]
    after = rows.version(weights=rows.weights(betas, (-0.7, -0.5)), effective_from=rows.NOW)

    found = version_diff(after, before)

    last = found["heads"][-1]
    assert (last["head"], last["before"], last["after"]) == (rows.HEAD_NAMES[-1], 0.2, 0.6)
    assert last["change"] == pytest.approx(0.4)
    assert last["share_after"] == pytest.approx(0.6 / (0.2 * (len(betas) - 1) + 0.6))
    assert {row["name"]: row["change"] for row in found["values"]}["bias_short"] == pytest.approx(0.2)
    assert [row["change"] for row in found["heads"][:-1]] == [0.0] * (len(betas) - 1)
    assert not found["same"]


def test_a_head_that_one_of_them_does_not_know_has_no_change() -> None:
    before = rows.version(weights=Weights(("technical", "gone"), np.array([0.2, 0.2]), np.array([0.0, 0.0])))
    after = rows.version()

    heads = {row["head"]: row for row in version_diff(after, before)["heads"]}

    assert (heads["gone"]["after"], heads["gone"]["change"]) == (None, None)
    assert heads["technical"]["change"] == 0.0


def test_other_state_types_are_compared_number_by_number() -> None:
    first, second = (
        create_version("thresholds", content={"quality_r": value}, status="active", created_by="x")
        for value in (0.05, 0.08)
    )

    found = version_diff(second, first)

    assert found["heads"] == []
    assert found["values"] == [{"name": "quality_r", "before": 0.05, "after": 0.08, "change": pytest.approx(0.03)}]


def test_a_version_is_held_against_what_was_in_force_and_not_against_a_challenger() -> None:
    ruling = rows.version()
    rows.version(status="challenger", effective_from=None)
    made = rows.version(effective_from=rows.NOW + timedelta(days=1))

    assert replaced_by(made) == ruling
    assert replaced_by(ruling) is None
    assert version_row("head_weights", 9) is None
