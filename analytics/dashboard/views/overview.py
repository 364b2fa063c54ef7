"""The first page: is it alive, what did it decide, what is open, what did it earn, what did it learn."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings

from analytics.dashboard.charts import curve, day_of
from analytics.dashboard.views.base import Page
from analytics.frame import Frame
from analytics.selectors import overview
from analytics.selectors.nights import last_night
from analytics.selectors.standing import standing


class OverviewPage(Page):
    template_name = "dashboard/overview.html"
    active: ClassVar[str] = "overview"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        frame: Frame = context["frame"]
        return context | (seen_at(frame.at) if frame.at else {})


def seen_at(at: datetime) -> dict[str, Any]:
    """Everything on the page, as of a market time."""
    equity, nights = overview.equity(at), overview.learning_curve()
    night = last_night()
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    saved = [(day_of(night["period"]), night) for night in nights]
    return {
        "hour": overview.decided(at - timedelta(hours=1), at),
        "today": overview.decided(midnight, at),
        "open": overview.open_signals(),
        "ended": overview.last_outcomes(at),
        "equity": equity,
        "equity_chart": {"digits": 0, "series": [curve("equity", "accent", equity.curve, kind="area")]},
        "learning_chart": {
            "digits": 4,
            "series": [
                curve("saved a scan", "accent", [(day, night["value"]) for day, night in saved]),
                curve("95 % above", "muted", [(day, night["ci_high"]) for day, night in saved], dashed=True),
                curve("95 % below", "muted", [(day, night["ci_low"]) for day, night in saved], dashed=True),
            ],
        },
        "decisions": overview.newest_decisions(at),
        "night": night,
        "standing": standing(night) if night else None,
        "quote_asset": settings.ALPHAPULSE_QUOTE_ASSET,
    }
