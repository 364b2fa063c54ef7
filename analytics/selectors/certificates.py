"""The certificate: what learning may have cost beside each of its candidates, and what it did cost, night by night."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.selectors.scope import Scope
from analytics.selectors.versions import HEAD_WEIGHTS
from analytics.selectors.weight_course import midnight_after
from learning.models import LearningState


@dataclass(frozen=True)
class Against:
    """Excess log-loss over one candidate since the first night, and the most that it may be; nats of weighed events."""

    candidate: str
    excess: float
    bound: float

    @property
    def room(self) -> float:
        return self.bound - self.excess


@dataclass(frozen=True)
class CertifiedNight:
    """One night's certificate, the newest that it has. `nearest`: the candidate with the least room."""

    period: str
    second: int
    holds: bool
    equal: Against
    zero: Against
    nearest: Against


def rows_of(certificate: Mapping[str, Any]) -> list[Against]:
    """A certificate candidate by candidate, the one nearest to its bound first; empty where there is none."""
    excess, bound = certificate.get("excess", {}), certificate.get("bound", {})
    found = [Against(name, excess[name], bound[name]) for name in bound if name in excess]
    return sorted(found, key=lambda row: row.room)


def certified_nights(scope: Scope) -> list[CertifiedNight]:
    """Oldest first."""
    drafts = LearningState.objects.filter(state_type=HEAD_WEIGHTS, created_by="nightly", certificate__has_key="bound")
    newest = drafts.order_by("period", "-version").distinct("period").values_list("period", "certificate")
    ended = ((period, midnight_after(period), certificate) for period, certificate in newest)
    return [_night(*night) for night in ended if scope.since < night[1] <= scope.until]


def _night(period: str, at: Any, certificate: Mapping[str, Any]) -> CertifiedNight:
    rows = rows_of(certificate)
    by_name = {row.candidate: row for row in rows}
    return CertifiedNight(period, int(at.timestamp()), certificate["holds"], by_name["equal"], by_name["zero"], rows[0])
