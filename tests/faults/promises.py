"""I10: what the API acknowledged is in the database, once and as it was told; what it refused is not.

Everything is compared both ways, so that an act is found too that was done twice, or done and never acknowledged.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.faults.acts import ASKER, LEARN_DAY
from tests.faults.asking import Answer, Asked, Asking

Ask = Callable[..., list[tuple[Any, ...]]]
KEPT = """SELECT key, status, body::text, location FROM acknowledged_requests JOIN auth_user ON auth_user.id = user_id
    WHERE username = %(asker)s"""
SENT_AGAIN = "SELECT 'task ' || id || ' sent again as ' || retried_as FROM parked_tasks WHERE retried_at IS NOT NULL"
VERSIONS = "SELECT state_type || ' version ' || version FROM learning_state WHERE created_by LIKE '%% by ' || %(asker)s"
EVENTS = """SELECT (detail->>'state_type') || ' version ' || (detail->>'version') FROM learning_events
    WHERE detail->>'by' = %(asker)s"""
RUNS = "SELECT 'run ' || id || ' of ' || job || ' ' || period FROM job_runs"
WANTED_RUNS = "SELECT job || ' ' || period FROM job_runs"
SHOWN = 5


def complaints(asking: Asking, ask: Ask) -> list[str]:
    """Everything that is not as it was told, a line each; each key is asked once more before the database is."""
    found = [
        *_unlike(asking.replayed()),
        *_wrong(asking.asked),
        *_unkept(asking.asked, ask(KEPT, {"asker": ASKER})),
        *_undone(asking.asked, ask),
    ]
    return [f"I10 {line}" for line in found]


def figures(asking: Asking) -> str:
    told = Counter("acknowledged" if each.is_acknowledged else "refused" for each in asking.asked)
    unknown = sum(each.unknown > 0 for each in asking.asked)
    return (
        f"{len(asking.asked)} acts asked for: {told['acknowledged']} acknowledged, {told['refused']} refused,"
        f" {unknown} of them unknown at first"
    )


def _unlike(replayed: Iterable[tuple[Asked, Answer | None]]) -> Iterator[str]:
    """What was told otherwise when it was asked once more."""
    for asked, now in replayed:
        first = asked.answer
        assert first is not None
        if now is None or (first.status, first.body, first.location) != (now.status, now.body, now.location):
            yield f"{_named(asked)} and, asked once more, {_said(now)}"
        elif now.is_repeated != first.is_acknowledged:
            yield f"{_named(asked)} and, asked once more, {'repeated' if now.is_repeated else 'not repeated'}"


def _wrong(asked: Iterable[Asked]) -> Iterator[str]:
    for each in asked:
        if each.answer is None or each.answer.status not in each.act.right:
            yield f"{_named(each)}, right is {' or '.join(map(str, each.act.right))}"
        elif "sent" in each.answer.body and not each.answer.body["sent"]:
            yield f"{_named(each)}, but that somebody else had sent it"


def _unkept(asked: list[Asked], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """The keys of all that was acknowledged, and no others, each with its answer."""
    kept = {key: Answer(status, json.loads(body), location) for key, status, body, location in rows}
    told = {each.act.key: each for each in asked if each.is_acknowledged}
    for key, each in told.items():
        answer = each.answer
        assert answer is not None
        if kept.get(key) != Answer(answer.status, answer.body, answer.location):
            yield f"{_named(each)}, kept is that it was {_said(kept.get(key))}"
    # Its first request may still have been on its way, and have come after the day ended.
    late = {each.act.key for each in asked if each.unknown and not each.act.is_final}
    for key in kept.keys() - told.keys() - late:
        yield f"kept is an answer that nobody was told: {key} {_said(kept[key])}"


def _undone(asked: list[Asked], ask: Ask) -> Iterator[str]:
    """What was acknowledged was done once, and nothing else was."""
    bodies = [each.answer.body for each in asked if each.answer and each.is_acknowledged]
    versions = [f"{body['state_type']} version {body['version']}" for body in bodies if "act" in body]
    sent = [body["task"] for body in bodies if "task" in body]
    tasks = [f"task {task['id']} sent again as {task['retried_as']}" for task in sent]
    for told, query in ((versions, VERSIONS), (versions, EVENTS), (tasks, SENT_AGAIN)):
        yield from _differing(told, _listed(ask, query))
    yield from _runs(asked, ask)


def _differing(told: list[str], done: list[str]) -> Iterator[str]:
    missing, more = Counter(told) - Counter(done), Counter(done) - Counter(told)
    for what, rows in (("acknowledged and not done", missing), ("done and not acknowledged", more)):
        yield from (f"{what}: {row}" for row in sorted(rows.elements())[:SHOWN])


def _runs(asked: list[Asked], ask: Ask) -> Iterator[str]:
    """Runs are also made by the schedule, but only of what has ended."""
    wanted = [each for each in asked if "period" in each.act.body]
    told = {_run(each.answer.body, _job(each)) for each in wanted if each.answer and each.is_acknowledged}
    yield from (f"acknowledged and not done: {run}" for run in sorted(told - set(_listed(ask, RUNS))))
    never = [each for each in wanted if each.act.is_final and not each.is_acknowledged]
    refused = {f"{_job(each)} {each.act.body['period']}" for each in never}
    yield from (f"refused and done: {run}" for run in sorted(refused & set(_listed(ask, WANTED_RUNS))))


def _run(body: Any, job: str) -> str:
    return f"run {body['job_run']} of {job} {body['period']}"


def _job(asked: Asked) -> str:
    return "daily_learning" if asked.act.path == LEARN_DAY else "weekly_retraining"


def _listed(ask: Ask, query: str) -> list[str]:
    return [row for (row,) in ask(query, {"asker": ASKER})]


def _named(asked: Asked) -> str:
    return f"{asked.act.path} {dict(asked.act.body)} was {_said(asked.answer)} ({asked.unknown} times unknown before)"


def _said(answer: Answer | None) -> str:
    return f"told {answer.status} {answer.body}" if answer else "told nothing"
