"""A day or a week in one answer."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.api.serializers import reports as answers
from analytics.api.views.base import DetailView, detailed
from analytics.reports.periods import DAILY, WEEKLY, NoPeriodError, period_named
from analytics.selectors.report import NotBegunError, report


class PeriodReportView(DetailView):
    """What the page of the same report shows; 404 for what is no period or has not begun."""

    answer_class = answers.PeriodReport
    kind = ""

    def found(self, **address: Any) -> Any:
        try:
            return report(period_named(self.kind, address["period"]))
        except (NoPeriodError, NotBegunError) as error:
            raise NotFound(str(error)) from error


class DailyReportView(PeriodReportView):
    kind = DAILY

    @detailed("The report of a day, such as 2021-07-02", answers.PeriodReport, "daily_report", "reports")
    def get(self, request: Request, period: str) -> Response:
        return super().get(request, period=period)


class WeeklyReportView(PeriodReportView):
    kind = WEEKLY

    @detailed("The report of an ISO week, such as 2021-W26", answers.PeriodReport, "weekly_report", "reports")
    def get(self, request: Request, period: str) -> Response:
        return super().get(request, period=period)
