"""Weights over time: each head's share in the versions that decided, and in what each night drafted."""

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings

from analytics.selectors.scope import Scope
from analytics.selectors.versions import HEAD_WEIGHTS, shares
from learning.lessons import HEAD_NAMES
from learning.models import LearningEvent, LearningState
from learning.selectors import weights_from
from signals.selectors import first_close

# One line a head: (unix second, share), or None where a version does not know the head.
Line = list[tuple[int, float | None]]
Lines = dict[str, Line]
BY_HAND = ("rollback", "pin", "freeze", "release")


def shares_in_force(scope: Scope) -> Lines:
    """The shares that decided in a stretch of market time, as steps that last until its end."""
    took_effect = LearningState.objects.filter(state_type=HEAD_WEIGHTS, effective_from__lte=scope.until)
    rows = took_effect.order_by("effective_from", "version").values_list("effective_from", "content")
    found = [(at, content) for at, content in rows if at is not None]
    began = _began(scope)
    ruling = [row for row in found if row[0] <= began][-1:]
    later = [row for row in found if row[0] > began]
    steps = [(max(at, began), content) for at, content in (*ruling, *later)]
    return _lines([*steps, *((scope.until, content) for _, content in steps[-1:])])


def _began(scope: Scope) -> datetime:
    """Nothing was decided before the first close, whatever a version says of its beginning."""
    first = first_close(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    return max(scope.since, first) if first else scope.since


def shares_drafted(scope: Scope) -> Lines:
    """The learner's own weights, night by night, at the midnight that ended it; most of them may never have decided."""
    nightly = LearningState.objects.filter(state_type=HEAD_WEIGHTS, created_by="nightly")
    drafts = nightly.order_by("period", "-version").distinct("period").values_list("period", "content")
    rows = [(midnight_after(period), content) for period, content in drafts]
    return _lines((at, content) for at, content in rows if scope.since < at <= scope.until)


def midnight_after(period: str) -> datetime:
    """The end of a day such as 2021-07-02."""
    return datetime.combine(datetime.fromisoformat(period).date() + timedelta(days=1), time.min, UTC)


def _lines(rows: Iterable[tuple[datetime, dict[str, Any]]]) -> Lines:
    by_second = {int(at.timestamp()): shares(weights_from(content)) for at, content in rows}
    return {head: [(second, known.get(head)) for second, known in by_second.items()] for head in HEAD_NAMES}


def acts_by_hand(scope: Scope) -> list[LearningEvent]:
    """What people did to the versions in a stretch of market time, oldest first."""
    return list(LearningEvent.objects.filter(kind__in=BY_HAND, **scope.filters("market_at")).order_by("sequence"))
