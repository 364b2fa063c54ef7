"""The nine endpoints under /api/learning/ (two of them act)."""

from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import ValidationError

from alphapulse_site.clock import market_now
from alphapulse_site.models import JobRun
from analytics import triggers
from analytics.acknowledged import Acknowledged
from analytics.api import parameters
from analytics.api.serializers import learning as answers
from analytics.api.serializers import operations
from analytics.api.views.acting import ActView, acting
from analytics.api.views.base import ReportView, described, signs_of_life
from analytics.selectors import reports, schedule


@extend_schema_view(
    get=described(
        "How signals, heads and learning did", parameters.PerformanceQuery, answers.Performance, "performance"
    )
)
class PerformanceView(ReportView):
    query_class, answer_class = parameters.PerformanceQuery, answers.Performance

    def report(self, query: Any) -> reports.Report:
        return reports.performance(query.scope(), query.period_text)


@extend_schema_view(
    get=described("Weights in force and their history", parameters.DaysQuery, answers.HeadWeights, "head_weights")
)
class HeadWeightsView(ReportView):
    query_class, answer_class = parameters.DaysQuery, answers.HeadWeights
    stamp = signs_of_life

    def report(self, query: Any) -> reports.Report:
        return reports.head_weights(query.validated_data["days"])


@extend_schema_view(
    get=described("Week by week, best and worst heads", parameters.WeeksQuery, answers.Improvements, "improvements")
)
class ImprovementsView(ReportView):
    query_class, answer_class = parameters.WeeksQuery, answers.Improvements

    def report(self, query: Any) -> reports.Report:
        return reports.improvements(query.scope())


@extend_schema_view(
    get=described(
        "What the figures advise, where an interval excludes no change",
        parameters.LongPerformanceQuery,
        answers.Recommendations,
        "recommendations",
    )
)
class RecommendationsView(ReportView):
    query_class, answer_class = parameters.LongPerformanceQuery, answers.Recommendations

    def report(self, query: Any) -> reports.Report:
        return reports.recommendations(query.scope())


@extend_schema_view(
    get=described("Totals of the monitors and the ledger", parameters.NoQuery, operations.Stats, "stats")
)
class StatsView(ReportView):
    query_class, answer_class = parameters.NoQuery, operations.Stats
    stamp = signs_of_life

    def report(self, query: Any) -> reports.Report:
        return reports.stats()


@extend_schema_view(
    get=described(
        "What the gates refused and what that was worth",
        parameters.LongPerformanceQuery,
        operations.RejectionAnalysis,
        "rejection_analysis",
    )
)
class RejectionAnalysisView(ReportView):
    query_class, answer_class = parameters.LongPerformanceQuery, operations.RejectionAnalysis

    def report(self, query: Any) -> reports.Report:
        return reports.rejections(query.scope())


@extend_schema_view(get=described("What runs when", parameters.NoQuery, operations.Scheduler, "scheduler"))
class SchedulerView(ReportView):
    query_class, answer_class = parameters.NoQuery, operations.Scheduler
    stamp = signs_of_life

    def report(self, query: Any) -> reports.Report:
        return reports.scheduler()


def triggering(summary: str, operation: str, period: str) -> Any:
    """The schema of a trigger."""
    return extend_schema_view(
        post=acting(
            summary,
            operation,
            tag="learning",
            body=parameters.TriggerBody,
            answer=operations.Triggered,
            status=status.HTTP_202_ACCEPTED,
            description="The same period twice is one run. Poll the address in Location until it is done or failed.",
            examples=[OpenApiExample("a period", {"period": period}, request_only=True)],
        )
    )


class TriggerView(ActView):
    """Ask for one run of a job. The same period twice is one run, and so is the same Idempotency-Key."""

    job = ""
    body_class = parameters.TriggerBody

    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        try:
            run = triggers.request_run(job=self.job, period=said["period"])
        except triggers.PeriodError as error:
            raise ValidationError({"period": str(error)}) from error
        answer = {"status": schedule.status(run), "job_run": run.pk, "period": run.period, "timestamp": market_now()}
        where = reverse("job-run", args=[run.pk])
        return Acknowledged(status.HTTP_202_ACCEPTED, dict(operations.Triggered(answer).data), where)

    def afterwards(self, answer: Acknowledged) -> None:
        if answer.body["status"] != JobRun.Status.DONE:
            triggers.wake(job=self.job, period=answer.body["period"])


@triggering("Run the nightly learning of a day", "trigger_daily", "2021-07-02")
class TriggerDailyView(TriggerView):
    job = triggers.DAILY


@triggering("Run the weekly retraining of an ISO week", "trigger_weekly", "2021-W26")
class TriggerWeeklyView(TriggerView):
    job = triggers.WEEKLY
