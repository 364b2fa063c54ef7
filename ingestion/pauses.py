"""Hosts that must be left alone for a while. On record, so that a restart or another process asks no sooner."""

from datetime import datetime

from django.utils import timezone

from ingestion.models import RequestPause


def pause_requests(host: str, *, until: datetime, reason: str) -> None:
    """Ask the host for nothing before `until`. A pause is never made shorter."""
    row = RequestPause(host=host, until=until, reason=reason, noted_at=timezone.now())
    RequestPause.objects.bulk_create([row], ignore_conflicts=True)
    shorter = RequestPause.objects.filter(host=host, until__lt=until)
    shorter.update(until=until, reason=reason, noted_at=row.noted_at)


def pause_in_force(host: str, now: datetime) -> RequestPause | None:
    """The pause of this host that has not ended yet."""
    return RequestPause.objects.filter(host=host, until__gt=now).first()
