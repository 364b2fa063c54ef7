"""A day or a week on one page, and the list of them."""

from typing import Any, ClassVar

from django.http import Http404

from alphapulse_site.clock import market_now
from analytics.dashboard.views.base import Page
from analytics.reports.periods import KINDS, NoPeriodError, Period, period_at, period_named
from analytics.reports.plots import equity_plot, gates_plot
from analytics.selectors.report import NotBegunError, first_period, report

LISTED = {"daily": 14, "weekly": 8}


class ReportsPage(Page):
    """The newest days and weeks."""

    template_name = "dashboard/reports.html"
    active: ClassVar[str] = "reports"
    refresh: ClassVar[int] = 0

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {"lists": {kind: newest(kind) for kind in KINDS}}


def newest(kind: str) -> list[Period]:
    """The running period and those before it, as far back as anything was scanned."""
    at, first = market_now(), first_period(kind)
    if at is None or first is None:
        return []
    found = [period_at(kind, at)]
    while len(found) < LISTED[kind] and found[-1].since > first.since:
        found.append(found[-1].before)
    return found


class ReportPage(Page):
    template_name = "dashboard/report.html"
    active: ClassVar[str] = "reports"
    refresh: ClassVar[int] = 0

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        try:
            period = period_named(kwargs["kind"], kwargs["period"])
            found = report(period)
        except (NoPeriodError, NotBegunError) as error:
            raise Http404(str(error)) from error
        return super().get_context_data(**kwargs) | {
            "report": found,
            "before": period.before,
            "after": period.after if found["as_of"] > period.until else None,
            "equity_plot": equity_plot(found["equity"]),
            "gates_plot": gates_plot(found["gates"]["by_reason"]),
        }
