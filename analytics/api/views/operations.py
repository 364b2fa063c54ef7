"""What runs and how well: job runs, parked tasks, the heads' report, and health."""

from typing import Any

from django.contrib.auth.models import User
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alphapulse_site.models import JobRun, ParkedTask
from alphapulse_site.parking import NotSentError, UnknownTaskError, retry_parked
from analytics import health
from analytics.acknowledged import Acknowledged
from analytics.api import filters, parameters
from analytics.api.errors import CannotBeDone, OutOfReach
from analytics.api.serializers import operations as answers
from analytics.api.serializers import records
from analytics.api.views.acting import ActView, acting
from analytics.api.views.base import DetailView, ListView, Read, ReportView, described, detailed, existing, listed
from analytics.selectors import schedule
from analytics.selectors.head_report import head_report


@extend_schema_view(get=listed("Runs of jobs, newest first", answers.JobRunState, "job_runs", "operations"))
class JobRunsView(ListView):
    """One row a job and period, with what it reported."""

    queryset = JobRun.objects.all()
    serializer_class = answers.JobRunState
    filterset_class = filters.JobFilter
    orders = {"-started_at": ("-started_at", "-id"), "started_at": ("started_at", "id")}

    def paginate_queryset(self, queryset: Any) -> Any:
        return [schedule.run_state(run) for run in super().paginate_queryset(queryset) or []]

    def table_rows(self, rows: Any) -> Any:
        return map(schedule.run_state, super().table_rows(rows))


class JobRunView(DetailView):
    """One run of a job: poll it until it is done or failed."""

    answer_class = answers.JobRunState

    @detailed("One run of a job", answers.JobRunState, "job_run", "operations")
    def get(self, request: Request, number: int) -> Response:
        return super().get(request, number=number)

    def found(self, **address: Any) -> Any:
        run = JobRun.objects.filter(pk=address["number"]).first()
        return schedule.run_state(existing(run, f"there is no run {address['number']}; /api/jobs/ lists them."))


@extend_schema_view(
    get=listed("Tasks that failed for good, newest first", records.Parked, "parked_tasks", "operations")
)
class ParkedTasksView(ListView):
    """With their arguments and errors, and whether they were sent again."""

    queryset = ParkedTask.objects.all()
    serializer_class = records.Parked
    filterset_class = filters.ParkedFilter
    orders = {"-parked_at": ("-parked_at", "-id"), "parked_at": ("parked_at", "id")}


@extend_schema_view(
    post=acting(
        "Send a parked task again",
        "retry_parked_task",
        tag="operations",
        answer=records.Retried,
        also=(404, 409, 503),
        description="Once: who asks second is told that it was sent. If it fails again, it is parked again.",
    )
)
class RetryView(ActView):
    """The task goes out under a new id, and the row remembers who sent it."""

    def act(self, user: User, said: dict[str, Any], **address: Any) -> Acknowledged:
        try:
            sent = retry_parked(parked_id=address["number"], by=user.get_username())
        except UnknownTaskError as error:
            raise CannotBeDone(str(error)) from error
        except NotSentError as error:
            raise OutOfReach(str(error)) from error
        row = ParkedTask.objects.filter(pk=address["number"]).first()
        if row is None:
            raise NotFound(f"no task {address['number']} is parked; /api/parked-tasks/ lists them.")
        return Acknowledged(200, dict(records.Retried({"sent": sent, "task": row}).data))


@extend_schema_view(
    get=described("What each head is worth", parameters.LongPerformanceQuery, records.HeadReport, "heads", "learning")
)
class HeadsView(ReportView):
    query_class, answer_class = parameters.LongPerformanceQuery, records.HeadReport

    def report(self, query: Any) -> dict[str, Any]:
        return head_report(query.scope(), query.period_text)


@extend_schema_view(
    get=described("Every check of being well", parameters.NoQuery, answers.Health, "health", "operations")
)
class HealthReportView(Read):
    """The checks of /healthz, for readers; an unhealthy system is an answer here, and not an error."""

    def get(self, request: Request) -> Response:
        parameters.checked(parameters.NoQuery, request)
        return Response(answers.Health(health_body(health.checks())).data)


class HealthView(APIView):
    """200 only while data is fresh and queues move, for load balancers and people; it says why if not."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = ()

    @extend_schema(
        operation_id="healthz",
        summary="Whether data is fresh and queues move",
        tags=["operations"],
        responses={200: answers.Health, 503: OpenApiResponse(answers.Health, "with the reasons")},
    )
    def get(self, request: Request) -> Response:
        body = health_body(health.checks())
        return Response(answers.Health(body).data, status=200 if body["status"] == "ok" else 503)


def health_body(checks: list[health.Check]) -> dict[str, Any]:
    well = all(check.passed for check in checks)
    return {"status": "ok" if well else "unhealthy", "checks": checks}
