"""What was refused is kept for people to look at: once, however often it comes."""

from collections.abc import Iterable

from django.utils import timezone

from ingestion.models import CandleSource, QuarantinedMessage
from ingestion.refused import Refused


def quarantine(source: CandleSource, refused: Iterable[Refused]) -> None:
    """Keep what is not kept already, by file, line and digest."""
    now = timezone.now()
    rows = [
        QuarantinedMessage(
            source=source,
            file=each.file,
            line=each.line,
            payload=each.payload,
            payload_digest=each.digest,
            reason=each.reason,
            received_at=now,
        )
        for each in refused
    ]
    QuarantinedMessage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
