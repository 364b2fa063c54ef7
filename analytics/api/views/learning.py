"""The nine endpoints under /api/learning/ (two of them act)."""

from typing import Any, cast

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from alphapulse_site.clock import market_now
from analytics import triggers
from analytics.api import parameters
from analytics.api.errors import ConflictingKey
from analytics.api.serializers import learning as answers
from analytics.api.serializers import operations
from analytics.api.views.base import ReportView, described, problems
from analytics.selectors import reports, schedule

KEY_HEADER = "Idempotency-Key"
LONGEST_KEY = 200


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

    def report(self, query: Any) -> reports.Report:
        return reports.scheduler()


def triggering(summary: str, operation: str) -> Any:
    """The schema of a trigger."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        request=parameters.TriggerBody,
        parameters=[
            OpenApiParameter(
                KEY_HEADER,
                str,
                OpenApiParameter.HEADER,
                description=f"the same key again gets the first answer; at most {LONGEST_KEY} characters",
            )
        ],
        responses={202: OpenApiResponse(operations.Triggered, "poll Location"), **problems(400, 401, 403, 415, 422)},
    )


class TriggerView(APIView):
    """Ask for one run of a job. The same period twice is one run, and so is the same Idempotency-Key."""

    job = ""

    def post(self, request: Request) -> Response:
        body = parameters.TriggerBody(data=request.data)
        body.is_valid(raise_exception=True)
        key = request.headers.get(KEY_HEADER, "")
        if len(key) > LONGEST_KEY:
            raise ValidationError({KEY_HEADER: f"longer than {LONGEST_KEY} characters; send a shorter one."})
        period = body.validated_data["period"]
        fingerprint = triggers.fingerprint_of(self.job, period)
        try:
            run = triggers.request_run(
                job=self.job, period=period, user=cast(User, request.user), key=key, fingerprint=fingerprint
            )
        except triggers.PeriodError as error:
            raise ValidationError({"period": str(error)}) from error
        except triggers.KeyReusedError as error:
            raise ConflictingKey(str(error)) from error
        answer = {"status": schedule.status(run), "job_run": run.pk, "period": run.period, "timestamp": market_now()}
        return Response(
            operations.Triggered(answer).data,
            status=status.HTTP_202_ACCEPTED,
            headers={"Location": reverse("job-run", args=[run.pk])},
        )


@extend_schema_view(post=triggering("Run the nightly learning of a day", "trigger_daily"))
class TriggerDailyView(TriggerView):
    job = triggers.DAILY


@extend_schema_view(post=triggering("Run the weekly retraining of an ISO week", "trigger_weekly"))
class TriggerWeeklyView(TriggerView):
    job = triggers.WEEKLY
