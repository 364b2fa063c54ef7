"""The page of what was learned, put together once for all who look while the records stay."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.selectors.certificates import CertifiedNight, certified_nights
from analytics.selectors.kept import kept
from analytics.selectors.nights import Night, last_night
from analytics.selectors.overview import learning_curve
from analytics.selectors.progress import learning_progress
from analytics.selectors.regret_course import RegretCourse, regret_course
from analytics.selectors.reports import HEAD_NAMES, Learned, advice, head_report
from analytics.selectors.scope import Scope
from analytics.selectors.scores import lean_losses
from analytics.selectors.stamps import read_stamp
from analytics.selectors.standing import Standing, standing
from analytics.selectors.versions import turns
from analytics.selectors.weight_course import Lines, acts_by_hand, shares_drafted, shares_in_force
from learning.models import LearningEvent

TURNS_SHOWN = 12
Row = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """What became of a version; `version` None for an alarm, which is about none."""

    at: datetime
    kind: str
    state_type: str
    version: int | None
    by: str
    reason: str


@dataclass(frozen=True)
class LearningPage:
    """Everything on the page; `heads` best first, `scope` the stretch that the figures are about."""

    scope: Scope
    night: Night
    standing: Standing
    in_force: Lines
    drafted: Lines
    acts: list[LearningEvent]
    curve: list[Row]
    certified: list[CertifiedNight]
    regret: RegretCourse
    progress: Row
    heads: list[Row]
    advice: list[Row]
    turns: list[Turn]


@kept
def learning_page(days: int) -> LearningPage | None:
    """The last so many days up to the last decided close; None before there is a market or a version."""
    until, night = read_stamp().until, last_night()
    if until is None or night is None:
        return None
    scope = Scope.last(timedelta(days=days), until=until)
    learned = Learned(scope)
    losses = lean_losses(learned.outcomes, learned.versions)
    return LearningPage(
        scope=scope,
        night=night,
        standing=standing(night),
        in_force=shares_in_force(scope),
        drafted=shares_drafted(scope),
        acts=acts_by_hand(scope),
        curve=learning_curve(),
        certified=certified_nights(scope),
        regret=regret_course(learned.outcomes, losses, HEAD_NAMES),
        progress=learning_progress(learned.outcomes, learned.versions, HEAD_NAMES),
        heads=heads_by_skill(learned),
        advice=advice(learned),
        turns=[turn_of(event) for event in turns()[:TURNS_SHOWN]],
    )


def turn_of(event: LearningEvent) -> Turn:
    """An event as the page tells it; an alarm of drift has its words where others have a reason."""
    told = event.detail
    return Turn(
        at=event.market_at,
        kind=event.kind,
        state_type=told.get("state_type", ""),
        version=told.get("version"),
        by=told.get("by", ""),
        reason=told.get("reason") or told.get("words") or "",
    )


def heads_by_skill(learned: Learned) -> list[Row]:
    """The head report as rows, the most skilful first; those that have not voted last."""
    rows = [{"head": head, **row} for head, row in head_report(learned).items()]
    return sorted(rows, key=lambda row: (row["skill"] is None, -(row["skill"] or 0.0)))
