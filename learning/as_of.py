"""The ledger and the versions as a job finds them: now, or as they stood before one of the ledger's events."""

from datetime import datetime

from django.db.models import Q, QuerySet

from learning.events import Events, join
from learning.models import LearningState
from learning.outcomes import EVERYTHING, NOTHING, Extent, known_within, stated_within
from learning.stated import Stated
from signals.configuration import scan_timeframe


class AsOf:
    """What a job knows; as all stands now unless it is moved.

    Outcomes that were read once are kept, so that going through the ledger from job to job reads each of them once.
    """

    def __init__(self) -> None:
        self._before = EVERYTHING
        self._newest: dict[str, int] | None = None
        self._events: tuple[Events | None, Extent] = (None, NOTHING)
        self._leans: tuple[Stated | None, Extent] = (None, NOTHING)

    def move(self, before: int, newest: dict[str, int]) -> None:
        """To before the event of this number, when these were the newest versions by state type."""
        self._before, self._newest = before, dict(newest)

    @property
    def versions(self) -> QuerySet[LearningState]:
        """The versions there were."""
        if self._newest is None:
            return LearningState.objects.all()
        known = Q(pk=None)
        for state_type, version in self._newest.items():
            known |= Q(state_type=state_type, version__lte=version)
        return LearningState.objects.filter(known)

    def outcomes(self, at: datetime) -> Events:
        """The outcomes of the ledger that had ended by then and are not void, in any order."""
        extent = Extent(at, self._before)
        known, read = self._events if _reaches_beyond(extent, self._events) else (None, NOTHING)
        found = known_within(extent, timeframe=scan_timeframe().name, known=read)
        found = found if known is None else join([known, found])
        self._events = (found, extent)
        return found

    def stated(self, at: datetime) -> Stated:
        """The leans of the same outcomes as the weights of their decision stated them, in any order."""
        extent = Extent(at, self._before)
        known, read = self._leans if _reaches_beyond(extent, self._leans) else (None, NOTHING)
        found = stated_within(extent, timeframe=scan_timeframe().name, known=read)
        found = found if known is None else Stated.concatenate([known, found])
        self._leans = (found, extent)
        return found


def _reaches_beyond(extent: Extent, kept: tuple[object, Extent]) -> bool:
    """Whether all that was read belongs to the extent, so that only the rest has to be read."""
    _, read = kept
    return read.at <= extent.at and read.before <= extent.before
