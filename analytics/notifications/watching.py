"""Health as spells: when a check began to fail, and when it passed again. One row a spell, however often one looks."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from analytics import health
from analytics.notifications.models import UnwellSpell
from analytics.selectors.lateness import late_jobs

OF_DATA = ("database", "stream", "market clock", "candles", "decisions")


def note_health(*, now: datetime) -> None:
    """Open a spell for every check that has begun to fail and end those that are over. Safe to run twice."""
    found = {check.name: check.reason for check in health.checks() if not check.passed}
    note_unwell(unwell=found | late_jobs(), now=now)


def note_unwell(*, unwell: Mapping[str, str], now: datetime) -> None:
    """The same for given checks: name -> what was seen."""
    spells = [
        UnwellSpell(name=name[:120], is_data=name in OF_DATA, seen=seen, began_at=now) for name, seen in unwell.items()
    ]
    with transaction.atomic():
        UnwellSpell.objects.filter(ended_at=None).exclude(name__in=[spell.name for spell in spells]).update(
            ended_at=now
        )
        # The one open spell of a check is kept, with what was seen first.
        UnwellSpell.objects.bulk_create(spells, ignore_conflicts=True)
