"""Audit: from the first event of the ledger on, make every version again with the code of the jobs, and compare."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from alphapulse_site.snapshots import snapshot
from learning.as_of import AsOf
from learning.by_hand import KINDS as BY_HAND
from learning.by_hand import columns_by_hand
from learning.calendar import job_at
from learning.chains import broken_versions, walked_ledger
from learning.lessons import HEAD_NAMES
from learning.models import ActiveLearningState, LearningEvent, LearningState
from learning.services import alarms_of, columns_of, event_of, lesson_of, scans_are_kept
from learning.versions import HASHED, VersionError, birth_content, following, made_with, status_once_replaced
from signals.rows import to_ms

Progress = Callable[[str, float], None]
Key = tuple[str, int]  # state type, version
Made = tuple[list[tuple[str, dict[str, Any]]], list[LearningEvent]]

OF_VERSIONS, ALARM = ("promotion", "rejection", "job"), "drift"
BY_JOB = (*OF_VERSIONS, ALARM)
OTHER_CODE, OTHER_HEADS = "made by other code", "made for other heads"
NO_SCANS = "its scans are no longer kept"
# What rewritten rows make the jobs' code say of what it is given.
CANNOT = (ValueError, KeyError, TypeError, LearningState.DoesNotExist, VersionError)
COMPARED = (*HASHED, "effective_from", "procedure", "hash")


@dataclass
class Audit:
    """What was verified and made again, and what differed: one line a difference.

    `not_replayed` counts, by reason, the versions that were taken as they are stored, by their hash only.
    """

    events: int = 0
    outcomes: int = 0
    versions: int = 0
    replayed: int = 0
    not_replayed: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def audit(*, progress: Progress = lambda step, share: None) -> Audit:
    """Verify both hash chains and replay all learning of one snapshot of the database."""
    with snapshot():
        found = Audit(versions=LearningState.objects.count())
        marks = _walked(found, progress)
        found.differences += broken_versions()
        Replay(found, progress).run(marks)
    return found


def _walked(found: Audit, progress: Progress) -> list[LearningEvent]:
    """The events that tell of versions, in order; on the way to them every link of the ledger is verified."""
    total, marks = max(LearningEvent.objects.count(), 1), []
    for event, problem in walked_ledger():
        found.events += 1
        found.outcomes += event.kind == "outcome"
        if problem:
            found.differences.append(problem)
        if event.kind in (*BY_JOB, *BY_HAND):
            marks.append(event)
        if found.events % 1000 == 0 or found.events == total:
            progress("ledger", found.events / total)
    return marks


class Replay:
    """Learning again, step by step in the order of the ledger, each step from what is stored before it.

    So a version that differs is told once, and does not make all those after it differ.
    """

    def __init__(self, found: Audit, progress: Progress) -> None:
        self.found, self.progress = found, progress
        self.then = AsOf()
        self.newest: dict[str, int] = {}  # the newest version of each state type so far
        self.in_force: dict[str, int] = {}
        self.statuses: dict[Key, str] = {}
        born = LearningState.objects.filter(created_by="birth").defer("procedure")
        self.births = list(born.order_by("state_type", "version"))

    def run(self, marks: list[LearningEvent]) -> None:
        told = 0
        for _, step in groupby(marks, key=_step):
            events = list(step)
            self._take_births()
            self.then.move(events[0].sequence, self.newest)
            self._take(events)
            told += len(events)
            self.progress("versions", told / len(marks))
        self._take_births()
        self._finish()

    def _take(self, events: list[LearningEvent]) -> None:
        """One job, or one act by hand: its versions made again, or the reason why they are not."""
        of_versions = [event for event in events if event.kind != ALARM]
        if not of_versions:
            self._differ(f"ledger event {events[0].sequence} is an alarm that no job of its time told")
        rows = [self._told(event) for event in of_versions]
        stored = [row for row in rows if row is not None]
        if stored and len(stored) == len(of_versions):
            reason = self._why_not(events[0], stored)
            if reason:
                self.found.not_replayed[reason] += len(stored)
            else:
                self._replay(events, stored)
        for row in stored:
            self._stands(row)

    def _told(self, event: LearningEvent) -> LearningState | None:
        """The stored version that an event tells of; the next of its type, or the ledger and the versions differ."""
        key = (event.detail.get("state_type", ""), event.detail.get("version", 0))
        row = LearningState.objects.filter(state_type=key[0], version=key[1]).first()
        if row is None:
            self._differ(f"ledger event {event.sequence} tells of {key[0]} version {key[1]}, which is not stored")
        elif key in self.statuses:
            self._differ(f"ledger event {event.sequence} tells of {key[0]} version {key[1]} once more")
            return None
        return row

    def _why_not(self, event: LearningEvent, rows: list[LearningState]) -> str:
        if any(_made_with(row) != made_with() for row in rows):
            return OTHER_CODE
        if any(row.content.get("heads", list(HEAD_NAMES)) != list(HEAD_NAMES) for row in rows):
            return OTHER_HEADS
        job = job_at(to_ms(event.market_at)) if event.kind in BY_JOB else None
        return NO_SCANS if job and not scans_are_kept(job) else ""

    def _replay(self, events: list[LearningEvent], stored: list[LearningState]) -> None:
        first = events[0]
        try:
            made, told = self._by_hand(first) if first.kind in BY_HAND else self._by_job(first)
        except CANNOT as error:
            self._differ(f"{_named(stored[0])} cannot be made again: {error}")
            return
        if len(made) != len(stored):
            count = f"{len(stored)} versions, made again it leaves {len(made)}"
            self._differ(f"{_named(stored[0])}: its job stored {count}")
            return
        numbers = dict(self.newest)
        for row, (state_type, columns) in zip(stored, made, strict=True):
            self.then.move(first.sequence, numbers)
            again = following(self.then.versions, state_type, columns)
            numbers[state_type] = again.version
            self.found.replayed += 1
            self._compare(row, again)
        if _told_by(events) != _told_by(told):
            self._differ(f"ledger event {first.sequence} and its like do not tell what became of {_named(stored[0])}")

    def _by_hand(self, event: LearningEvent) -> Made:
        """State type and columns of the version of an act by hand, and its event."""
        columns = columns_by_hand(event.kind, event.detail, event.market_at, self.then.versions)
        state_type = event.detail["state_type"]
        detail = {**event.detail, "version": self.newest.get(state_type, 0) + 1}
        return [(state_type, columns)], [LearningEvent(kind=event.kind, detail=detail)]

    def _by_job(self, event: LearningEvent) -> Made:
        """State type and columns of each version that the job leaves when it is done again, and the events it tells."""
        job = job_at(to_ms(event.market_at))
        if job is None:
            raise ValueError(f"ledger event {event.sequence} stands at no job's cut-off")
        lesson = lesson_of(job, self.then)
        numbers, told = dict(self.newest), []
        for draft in lesson.drafts:
            numbers[draft.state_type] = numbers.get(draft.state_type, 0) + 1
            told.append(event_of(draft, numbers[draft.state_type]))
        made = [(draft.state_type, columns_of(lesson, draft)) for draft in lesson.drafts]
        return made, [*told, *alarms_of(lesson)]

    def _take_births(self) -> None:
        """What was born next, which no event tells: a state type's first version, or the first for other heads."""
        for place, row in enumerate(self.births):
            if row.version == self.newest.get(row.state_type, 0) + 1:
                del self.births[place]
                self._take_birth(row)
                self._take_births()
                return

    def _take_birth(self, row: LearningState) -> None:
        if _made_with(row) != made_with():
            self.found.not_replayed[OTHER_CODE] += 1
        else:
            self.found.replayed += 1
            heads = tuple(row.content.get("heads", HEAD_NAMES))
            if _text(row.content) != _text(birth_content(row.state_type, heads)):
                self._differ(f"{_named(row)}: content differs from that of a birth")
        self._stands(row)

    def _stands(self, row: LearningState) -> None:
        """From here on it is one of the versions there were."""
        key = (row.state_type, row.version)
        self.newest[row.state_type] = row.version
        self.statuses[key] = row.status if row.effective_from is None else "active"
        if row.effective_from is None:
            if row.status not in ("challenger", "rejected"):
                self._differ(f"{_named(row)} never took effect and is marked {row.status}")
            return
        replaced = self.in_force.get(row.state_type)
        if replaced is not None:
            self.statuses[row.state_type, replaced] = status_once_replaced(row)
        self.in_force[row.state_type] = row.version

    def _finish(self) -> None:
        """What no step made, what is marked otherwise than it became, and what is pointed at."""
        for state_type, version, status in LearningState.objects.order_by("state_type", "version").values_list(
            "state_type", "version", "status"
        ):
            expected = self.statuses.get((state_type, version))
            if expected is None:
                self._differ(f"{state_type} version {version}: no event of the ledger tells of it")
            elif expected != status:
                self._differ(f"{state_type} version {version} is marked {status}, and became {expected}")
        pointed = dict(ActiveLearningState.objects.values_list("state_type", "state__version"))
        for state_type in sorted({*pointed, *self.in_force}):
            if pointed.get(state_type) != self.in_force.get(state_type):
                self._differ(
                    f"{state_type}: version {pointed.get(state_type)} is pointed at, and version "
                    f"{self.in_force.get(state_type)} was put in force last"
                )

    def _compare(self, stored: LearningState, again: LearningState) -> None:
        differing = [name for name in COMPARED if _text(getattr(stored, name)) != _text(getattr(again, name))]
        if differing:
            self._differ(f"{_named(stored)}: {', '.join(differing)}")

    def _differ(self, line: str) -> None:
        self.found.differences.append(line)


def _step(event: LearningEvent) -> Any:
    """What the events of one job have in common; an act by hand stands alone."""
    return ("job", event.market_at) if event.kind in BY_JOB else event.sequence


def _told_by(events: list[LearningEvent]) -> list[tuple[str, Any]]:
    return [(event.kind, _text(event.detail)) for event in events]


def _made_with(row: LearningState) -> dict[str, Any]:
    evidence = row.certificate.get("evidence", {})
    return {name: evidence.get(name) for name in made_with()}


def _named(row: LearningState) -> str:
    return f"{row.state_type} version {row.version}" + (f" ({row.period})" if row.period else "")


def _text(value: Any) -> Any:
    """A value in the form in which equal means equal to the byte."""
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, dict | float) else value
