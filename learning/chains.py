"""The hash chains of versions and ledger, recomputed from the first link on."""

from collections.abc import Iterator

from learning import ledger
from learning.models import LearningEvent, LearningState
from learning.versions import version_hash


def verify_chain() -> list[str]:
    """What is wrong with the versions' and the ledger's hash chains; empty when every link holds."""
    return [*broken_versions(), *(problem for _, problem in walked_ledger() if problem)]


def broken_versions() -> Iterator[str]:
    """One line for each version that does not have the hash of what it says, or stands where another should."""
    last: dict[str, LearningState] = {}
    for row in LearningState.objects.order_by("state_type", "version").iterator(chunk_size=100):
        before = last.get(row.state_type)
        expected = before.version + 1 if before else 1
        if row.version != expected:
            yield f"{row.state_type} has no version {expected}; restore the database from a backup"
        elif version_hash(row, before.hash if before else "") != row.hash:
            yield f"{row} does not have the hash of its content; restore the database from a backup"
        last[row.state_type] = row


def walked_ledger() -> Iterator[tuple[LearningEvent, str]]:
    """Every event in order, with what is wrong with it, empty where nothing is.

    After a broken link the walk goes on from what is stored, so that each fault is told where it is.
    """
    previous, expected = ledger.GENESIS, 1
    for event in LearningEvent.objects.order_by("sequence").iterator():
        problem = ""
        if event.sequence != expected:
            problem = f"the ledger has no event {expected}; restore the database from a backup"
        elif ledger.chain_hash(previous, event) != event.hash:
            problem = f"ledger event {event.sequence} does not have the hash of its content; restore from a backup"
        yield event, problem
        previous, expected = event.hash, event.sequence + 1
