"""What each reason's rejections were worth, day by day, counted once all of the day's shadows have matured."""

from datetime import date, datetime

from django.db.models import Count, F, Max, Q, Sum

from ingestion.timeframes import Timeframe
from learning.labels import NEUTRAL_R
from learning.models import RejectionLearningMetrics
from signals.models import RejectedSignal, Signal

GOOD = Q(net_r__lt=-NEUTRAL_R)
MISSED = Q(net_r__gt=NEUTRAL_R)


def store_rejection_metrics(*, timeframe: Timeframe, until: datetime) -> int:
    """Add the rows of every day whose last shadow had matured by `until` and that has none; returns how many."""
    counted = RejectionLearningMetrics.objects.filter(timeframe=timeframe.name).aggregate(last=Max("day"))["last"]
    shadows = RejectedSignal.objects.filter(timeframe=timeframe.name)
    days = shadows.values("opened_at__date").annotate(matured=Max("expires_at")).filter(matured__lte=until)
    days = days.exclude(opened_at__date__lte=counted) if counted else days
    added = 0
    # The cut-off's own day may still grow, however short its brackets.
    for row in days.filter(opened_at__date__lt=until.date()).order_by("opened_at__date"):
        added += _store_day(timeframe, row["opened_at__date"])
    return added


def _store_day(timeframe: Timeframe, day: date) -> int:
    of_day = {"timeframe": timeframe.name, "opened_at__date": day}
    signals = Signal.objects.filter(**of_day, net_r__isnull=False).aggregate(count=Count("id"), total=Sum("net_r"))
    by_reason = (
        RejectedSignal.objects.filter(**of_day)
        .values("rejection")
        .annotate(
            shadows=Count("id"),
            good=Count("id", filter=GOOD),
            missed=Count("id", filter=MISSED),
            void=Count("id", filter=Q(net_r=None)),
            total=Sum("net_r"),
            squares=Sum(F("net_r") * F("net_r")),
        )
    )
    rows = [
        RejectionLearningMetrics(
            day=day,
            timeframe=timeframe.name,
            reason=row["rejection"],
            shadows=row["shadows"],
            good=row["good"],
            missed=row["missed"],
            neutral=row["shadows"] - row["good"] - row["missed"] - row["void"],
            void=row["void"],
            sum_net_r=row["total"] or 0.0,
            sum_squared_net_r=row["squares"] or 0.0,
            signals=signals["count"],
            signals_sum_net_r=signals["total"] or 0.0,
        )
        for row in by_reason.order_by("rejection")
    ]
    return len(RejectionLearningMetrics.objects.bulk_create(rows, ignore_conflicts=True))
