"""One version for its page: its story, its evidence, the guards, the certificate, and what it decided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum

from analytics.selectors.certificates import Against, rows_of
from analytics.selectors.kept import kept
from analytics.selectors.version_diff import replaced_by, version_diff, version_row
from learning.models import STATE_TYPES, LearningState
from learning.selectors import newest_in_force
from learning.story import Account, story
from learning.why import account_of
from signals.models import ScanClose, Signal

PAGE_SIZE, SIGNALS_SHOWN = 25, 8
DECIDED_WITH = {
    "head_weights": "weight_version",
    "thresholds": "threshold_version",
    "calibration": "calibration_version",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A figure of a version before and after; None where it was not measured."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Decided:
    """What was decided under a version; `newest`: its last signals."""

    closes: int
    scans: int
    signals: int
    newest: list[Signal]


@dataclass(frozen=True)
class VersionPage:
    """`against`: the version that `diff` compares with; None for the first of its kind. `ruling`: the one in force."""

    row: LearningState
    account: Account
    words: list[str]
    certificate: list[Against]
    metrics: list[Figure]
    ruling: LearningState | None
    against: LearningState | None
    diff: Row | None
    decided: Decided

    @property
    def is_ruling(self) -> bool:
        return self.ruling is not None and self.ruling.pk == self.row.pk


@kept
def version_page(state_type: str, version: int, against: int | None) -> VersionPage | None:
    """Compared with the version in force unless another is asked for, itself with what it replaced; None if unknown."""
    row = version_row(state_type, version)
    if row is None:
        return None
    ruling, account = newest_in_force(state_type), account_of(row)
    other = version_row(state_type, against) if against is not None else _usual(row, ruling)
    return VersionPage(
        row=row,
        account=account,
        words=story(account),
        certificate=rows_of(row.certificate),
        metrics=_figures(row.metrics_before, row.metrics_after),
        ruling=ruling,
        against=other,
        diff=version_diff(row, other) if other else None,
        decided=decided_with(state_type, version),
    )


def _usual(row: LearningState, ruling: LearningState | None) -> LearningState | None:
    return replaced_by(row) if ruling is None or ruling.pk == row.pk else ruling


def _figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Figure]:
    """The plain numbers of both; what is nested has a place of its own."""
    names = [*before, *(name for name in after if name not in before)]
    measured = [name for name in names if _is_number(before.get(name)) or _is_number(after.get(name))]
    return [Figure(name, before.get(name), after.get(name)) for name in measured]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def decided_with(state_type: str, version: int) -> Decided:
    """Counted from the closes that were opened with the version."""
    closes = ScanClose.objects.filter(
        **{"timeframe": settings.ALPHAPULSE_SCAN_TIMEFRAME, DECIDED_WITH[state_type]: version},
        decided_at__isnull=False,
    )
    totals = closes.aggregate(
        closes=Count("close_time"), scans=Sum("scans", default=0), signals=Sum("signals", default=0)
    )
    signals = Signal.objects.filter(weight_version=version).order_by("-opened_at", "symbol")
    return Decided(**totals, newest=list(signals[:SIGNALS_SHOWN]) if state_type == "head_weights" else [])


def is_state_type(name: str) -> bool:
    return name in dict(STATE_TYPES)


@dataclass(frozen=True)
class Versions:
    """A page of one state type's versions, newest first; `older`: ask with this number for the ones before."""

    rows: list[LearningState]
    ruling: LearningState | None
    older: int | None


def versions_before(state_type: str, before: int | None, status: str = "") -> Versions:
    """At most 25 versions below a number, or the newest."""
    found = LearningState.objects.filter(state_type=state_type).defer("procedure", "content", "certificate")
    listed = found if before is None else found.filter(version__lt=before)
    listed = listed.filter(status=status) if status else listed
    rows = list(listed.order_by("-version")[: PAGE_SIZE + 1])
    more = len(rows) > PAGE_SIZE
    return Versions(rows[:PAGE_SIZE], newest_in_force(state_type), rows[PAGE_SIZE - 1].version if more else None)
