"""Job runs to poll, and the one address that says whether the system is well."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alphapulse_site.models import JobRun
from analytics import health
from analytics.api.serializers import operations as answers
from analytics.api.views.base import problems
from analytics.selectors import schedule


class JobRunView(APIView):
    """One run of a job: poll it until it is done or failed."""

    @extend_schema(
        operation_id="job_run",
        summary="One run of a job",
        responses={200: answers.JobRunState, **problems(401, 403, 404)},
    )
    def get(self, request: Request, number: int) -> Response:
        return Response(answers.JobRunState(schedule.run_state(get_object_or_404(JobRun, pk=number))).data)


class HealthView(APIView):
    """200 only while data is fresh and queues move, for load balancers and people; it says why if not."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="healthz",
        summary="Whether data is fresh and queues move",
        responses={200: answers.Health, 503: OpenApiResponse(answers.Health, "with the reasons")},
    )
    def get(self, request: Request) -> Response:
        checks = health.checks()
        well = all(check.passed for check in checks)
        body = {"status": "ok" if well else "unhealthy", "checks": checks}
        return Response(answers.Health(body).data, status=200 if well else 503)
