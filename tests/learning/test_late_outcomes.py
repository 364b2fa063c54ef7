"""An outcome that is told after the night of its maturity was learned is learned, and charged, the night after."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from learning import outcomes, selectors, services
from learning.audit import audit
from learning.calendar import DAILY, DAY_MS, DueJob
from learning.chains import verify_chain
from learning.daily import teach_night
from learning.ledger import append_outcomes
from learning.lessons import Memory
from learning.models import LearningEvent, LearningState
from learning.procedure import Procedure
from learning.versions import weights_content
from signals.configuration import rules
from signals.models import LateScan, RejectedSignal, Signal
from signals.rows import to_ms, to_time
from signals.services import track
from tests.learning.outcomes import BEGAN, SYMBOLS, UNTIL, store_history
from tests.signals.decided import QUARTER

EARLY, LATE = SYMBOLS


def follow(symbol: str, until: datetime) -> None:
    for model in (Signal, RejectedSignal):
        track(model, until=until, symbols=[symbol])


@pytest.fixture
def nights(transactional_db: None) -> list[DueJob]:
    """Three nights learned; the second symbol's gap was explained only after the second, with which all had matured."""
    until = store_history(until=UNTIL + timedelta(days=1))
    follow(EARLY, until)
    jobs = [job for job in selectors.due_jobs() if job.job == DAILY]
    for job in jobs:
        if job == jobs[2]:
            follow(LATE, until)
        assert services.run_job(job) is not None
    return jobs


def told_late() -> list[LearningEvent]:
    return [row for row in LearningEvent.objects.filter(kind="outcome") if row.detail]


def procedures() -> list[Procedure]:
    rows = LearningState.objects.filter(state_type="head_weights", procedure__isnull=False).order_by("version")
    by_night = {row.period: Procedure.from_bytes(bytes(row.procedure or b"")) for row in rows}
    return list(by_night.values())


def test_the_row_names_the_night_that_learns_it_and_only_where_it_is_late(nights: list[DueJob]) -> None:
    _, matured, learned = (night.cut_off_ms // DAY_MS for night in nights)
    rows = list(LearningEvent.objects.filter(kind="outcome"))

    for row in rows:
        assert row.matured_at is not None
        assert to_ms(row.matured_at) <= matured * DAY_MS
        assert row.detail == ({"night": learned} if row.symbol == LATE else {})
    assert 0 < len(told_late()) < len(rows)
    assert verify_chain() == []


def test_late_outcomes_are_charged_in_the_next_night_and_the_certificate_holds(nights: list[DueJob]) -> None:
    late = {row.scan_id.hex.encode() for row in told_late() if row.scan_id and not row.is_void}
    others = LearningEvent.objects.filter(symbol=EARLY, is_void=False).count()

    last = procedures()[-1]

    events = outcomes.known_by(to_time(nights[2].cut_off_ms), timeframe="15m")
    assert late == set(events.key[events.matured_day == nights[2].cut_off_ms // DAY_MS].tolist())
    assert [score.scans for score in last.scores] == [others, len(late)]
    assert last.learner.certificate.nights == 2
    for row in LearningState.objects.filter(state_type="head_weights", procedure__isnull=False):
        assert row.certificate["holds"]


def test_a_rebuild_from_the_ledger_makes_the_versions_that_were_stored(nights: list[DueJob]) -> None:
    memory, drafted = Memory.at_birth(services.CONFIG), []
    for job, stored in zip(nights, procedures(), strict=True):
        lesson = teach_night(job, memory, outcomes.known_by(to_time(job.cut_off_ms), timeframe="15m"), services.CONFIG)
        memory = lesson.memory
        drafted += [draft.weights for draft in lesson.drafts if draft.weights]
        assert memory.procedure.digest == stored.digest
    rows = LearningState.objects.filter(state_type="head_weights", version__gt=1).order_by("version")
    assert [row.content for row in rows] == [weights_content(weights) for weights in drafted]
    assert audit().differences == []


def test_before_the_first_night_nothing_is_late(transactional_db: None) -> None:
    until = store_history()
    for symbol in SYMBOLS:
        follow(symbol, until)

    assert services.append_outcomes() > 0
    assert told_late() == []
    assert selectors.last_night() is None


@pytest.mark.django_db
def test_outcomes_that_the_bracket_of_a_late_scan_may_overlap_wait_for_it() -> None:
    until, late = store_history(), BEGAN + timedelta(hours=10)
    for symbol in SYMBOLS:
        follow(symbol, until)
    LateScan.objects.create(timeframe="15m", close_time=late, symbol=LATE, missing_minutes=3)

    append_outcomes(timeframe=QUARTER, until=until, rules=rules())
    ended = {symbol: LearningEvent.objects.filter(symbol=symbol, ended_at__gt=late).count() for symbol in SYMBOLS}
    before = LearningEvent.objects.filter(symbol=LATE, ended_at__lte=late).count()
    LateScan.objects.update(scanned_at=timezone.now())
    append_outcomes(timeframe=QUARTER, until=until, rules=rules())

    assert before > 0
    assert ended[EARLY] > 0
    assert ended[LATE] == 0
    assert LearningEvent.objects.filter(symbol=LATE, ended_at__gt=late).exists()
