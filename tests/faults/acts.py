"""What an operator asks for while the system is harmed.

Most of it leaves no trace in the tables that are compared with a life without faults, and so may come at any moment: a
parked task is sent again (each one once, and the row says under which id; the task is a canary), the learning of a day
is asked for (the schedule does the same sooner or later, in the same order), and all kinds of what is refused. A
rollback makes a version and an event, and so can come only where the other life does the same at the same minute.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

LEARN_DAY, LEARN_WEEK = "/api/learning/trigger-daily", "/api/learning/trigger-weekly"
ROLL_BACK, LET_GO = "/api/versions/head_weights/1/rollback/", "/api/versions/head_weights/release/"
# Of no market that a test lives through.
WEEK_TO_COME = "2099-W01"
NO_ROW = 10**12
ASKER = "asker"
# Parked long ago: what was parked within a day is a complaint of the doctor's.
PARK = """INSERT INTO parked_tasks (task_id, name, args, kwargs, error, traceback, parked_at, retried_by, retried_as)
    SELECT 'asked for ' || n, 'alphapulse_site.canary', '["maintenance"]', '{}', 'made up', '',
    now() - interval '9 days', '', '' FROM generate_series(1, %s) AS n"""
PARKED = "SELECT id FROM parked_tasks WHERE task_id LIKE 'asked for %' ORDER BY id"


@dataclass(frozen=True)
class Act:
    """One request. `right`: the statuses that may come of it, whatever is done to the system.

    `is_final`: what refuses it refuses it for ever, unlike a day that will have ended.
    """

    path: str
    right: tuple[int, ...]
    body: Mapping[str, Any] = field(default_factory=dict)
    key: str = field(default_factory=lambda: str(uuid4()))
    is_final: bool = True


def send_again(row: int, *, key: str = "") -> Act:
    """One that nobody has sent again; with the key of something else it has to be refused."""
    path = f"/api/parked-tasks/{row}/retry/"
    return Act(path, (422,), key=key) if key else Act(path, (200,))


def send_again_and_more(row: int) -> Act:
    """With a member that nobody knows: refused, though the row could be sent."""
    return Act(f"/api/parked-tasks/{row}/retry/", (400,), {"and": "more"})


def send_what_is_not_there() -> Act:
    return Act(f"/api/parked-tasks/{NO_ROW}/retry/", (404,))


def learn_day(day: str) -> Act:
    return Act(LEARN_DAY, (202, 400), {"period": day}, is_final=False)


def learn_a_week_to_come() -> Act:
    return Act(LEARN_WEEK, (400,), {"period": WEEK_TO_COME})


def let_go() -> Act:
    """Where nothing is held."""
    return Act(LET_GO, (409,))


def roll_back() -> Act:
    return Act(ROLL_BACK, (201,))


def days_between(start: datetime, end: datetime) -> list[str]:
    """Those that end in this market, and the last one, which does not."""
    days = (end.date() - start.date()).days + 1
    return [f"{start + timedelta(days=day):%Y-%m-%d}" for day in range(days)]


def endless(
    chance: random.Random, rows: Iterator[int], days: list[str], *, is_acknowledged: Callable[[Act], bool]
) -> Iterator[Act]:
    """Acts for a soak, as long as there are rows."""
    sent = send_again(next(rows))
    yield sent
    for row in rows:
        match chance.randrange(10):
            case 0:
                yield learn_day(chance.choice(days))
            case 1:
                yield chance.choice([let_go, learn_a_week_to_come, send_what_is_not_there])()
            case 2:
                yield send_again_and_more(row)
            case 3 if is_acknowledged(sent):
                yield send_again(row, key=sent.key)
            case _:
                yield (sent := send_again(row))
