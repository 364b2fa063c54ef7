"""How each head did: its own record on every resolved lean, beside the weight it has and the weight it may get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analytics.selectors.estimates import (
    NO_ESTIMATE,
    Daily,
    Estimate,
    daily_difference,
    daily_mean,
    daily_ratio,
    per_day,
)
from analytics.selectors.outcomes import Outcomes
from analytics.selectors.scores import HeadVotes, head_votes
from ingestion.timeframes import FloatArray
from signals.consensus import Weights

TREND_DAYS = 4
RANKED = 3


@dataclass(frozen=True)
class HeadRecord:
    """What one head's votes were worth. `skill`: log-loss it saves against the base rate, in nats a vote."""

    name: str
    agreed: int
    signals: int
    wins: int
    win_rate: Estimate
    log_loss: Estimate
    skill: Estimate
    change: Estimate  # skill in the later half of the days minus that in the earlier half

    @property
    def trend(self) -> str | None:
        """Whether its skill moved between the halves; None where the days are too few to ask."""
        if self.change.ci_low is None:
            return None
        if self.change.lies_above(0.0):
            return "improving"
        return "declining" if self.change.lies_below(0.0) else "no change shown"


def head_records(outcomes: Outcomes, versions: Mapping[int, Weights], names: tuple[str, ...]) -> list[HeadRecord]:
    """One record a head, in head order; empty estimates where it has not voted."""
    bias = outcomes.intercepts(versions)
    return [_record(name, head_votes(outcomes, place, bias)) for place, name in enumerate(names)]


def _record(name: str, votes: HeadVotes) -> HeadRecord:
    agreed = votes.agreed
    wins = agreed & votes.lean_won
    saved = votes.base_loss - votes.own_loss
    return HeadRecord(
        name=name,
        agreed=int(agreed.sum()),
        signals=int((agreed & votes.is_signal).sum()),
        wins=int(wins.sum()),
        win_rate=daily_ratio(per_day(votes.day[agreed], votes.lean_won[agreed].astype(np.float64))),
        log_loss=daily_mean(votes.day, votes.own_loss),
        skill=daily_mean(votes.day, saved),
        change=_change(per_day(votes.day, saved)),
    )


def _change(skill: Daily) -> Estimate:
    """Later half of the days against the earlier half; none under four days."""
    if len(skill.days) < TREND_DAYS:
        return NO_ESTIMATE
    middle = len(skill.days) // 2
    return daily_difference(skill.part(slice(middle, None)), skill.part(slice(None, middle)))


def described(
    record: HeadRecord, current: Mapping[str, float], suggested: Mapping[str, float], advised: set[str]
) -> dict[str, Any]:
    """A head's record as the API says it."""
    return {
        **record.win_rate.beside("win_rate_when_agreed"),
        "signals_contributed": record.signals,
        "wins": record.wins,
        "losses": record.agreed - record.wins,
        **record.log_loss.beside("log_loss", prefix="log_loss_"),
        **record.skill.beside("skill", prefix="skill_"),
        "current_weight": current.get(record.name),
        "suggested_weight": suggested.get(record.name),
        "weight_adjustment_needed": record.name in advised if record.skill.n else None,
        "performance_trend": record.trend,
    }


def ranking(records: list[HeadRecord]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The heads that save most log-loss a vote, and those that save least; heads without a vote are in neither."""
    known = sorted((record for record in records if record.skill.value is not None), key=_skill, reverse=True)
    rows = [
        {"head": record.name, **record.skill.beside("skill"), "log_loss": record.log_loss.value} for record in known
    ]
    return rows[:RANKED], rows[::-1][:RANKED]


def _skill(record: HeadRecord) -> float:
    return record.skill.value if record.skill.value is not None else -np.inf


def pull(outcomes: Outcomes) -> FloatArray:
    """How each outcome would have the heads' betas move, (n, H): the slope of its log-likelihood, (y - p) side z.

    Its mean is 0 where no change of that weight would have lowered the loss: the score test (Rao 1948).
    """
    surprise = outcomes.won - outcomes.win_probability
    moved: FloatArray = (surprise * outcomes.side)[:, None] * outcomes.evidence
    return moved
