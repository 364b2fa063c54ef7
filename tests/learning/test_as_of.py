"""What a job knew: the outcomes before an event of the ledger that had ended by then, however one comes there."""

from datetime import datetime

import numpy as np
import pytest

from learning.as_of import AsOf
from learning.events import collect, digest
from learning.models import LearningEvent, LearningState
from signals.rows import to_time
from tests.learning.test_labels import MIDNIGHT_MS
from tests.learning.test_outcomes import drawn, versions, write

HOUR_MS = 3_600_000
ROWS = 120

__all__ = ["versions"]


def keys_by_brute_force(before: int, at: datetime) -> set[bytes]:
    rows = LearningEvent.objects.filter(kind="outcome", is_void=False)
    return {
        row.scan_id.hex.encode()
        for row in rows
        if row.scan_id and row.sequence < before and row.ended_at and row.ended_at <= at
    }


def moves(seed: int) -> list[tuple[int, datetime]]:
    """Forward through the ledger as jobs go, sometimes standing still; the last goes back to the beginning."""
    draw = np.random.default_rng(seed)
    places = np.sort(draw.integers(0, ROWS + 2, 6)).tolist()
    hours = np.sort(draw.integers(-80, 130, 6)).tolist()
    return [(place, to_time(MIDNIGHT_MS + hour * HOUR_MS)) for place, hour in zip(places, hours, strict=True)] + [
        (places[0], to_time(MIDNIGHT_MS))
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_going_from_job_to_job_knows_what_each_of_them_knew(seed: int) -> None:
    write(drawn(ROWS, seed))
    going = AsOf()

    for before, at in moves(seed):
        going.move(before, {"head_weights": 4})
        afresh = AsOf()
        afresh.move(before, {"head_weights": 4})

        assert set(going.outcomes(at).key.tolist()) == keys_by_brute_force(before, at)
        assert digest(collect(going.outcomes(at)).events) == digest(collect(afresh.outcomes(at)).events)
        assert sorted(going.stated(at).key.tolist()) == sorted(afresh.stated(at).key.tolist())
        assert set(going.stated(at).key.tolist()) <= keys_by_brute_force(before, at)


@pytest.mark.django_db
def test_versions_made_later_were_not_there() -> None:
    then = AsOf()
    then.move(1, {"head_weights": 2})

    assert AsOf().versions.count() == LearningState.objects.count() == 4
    assert list(then.versions.order_by("version").values_list("version", flat=True)) == [1, 2]
    then.move(1, {})
    assert not then.versions.exists()
