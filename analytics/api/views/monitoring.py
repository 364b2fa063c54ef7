"""What Prometheus reads."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from analytics.api.views.base import Read
from analytics.metrics.exposition import exposition


class PlainText(BaseRenderer):
    """The one form of this address, for those who ask for it by the Accept header."""

    media_type, format, charset = "text/plain", "txt", "utf-8"

    def render(self, data: str, accepted_media_type: str | None = None, renderer_context: object = None) -> str:
        return data


class MetricsView(Read):
    """For readers, like the rest; Prometheus sends a token that may read. It costs the same however often it is asked
    for, so nobody is refused for asking often."""

    renderer_classes = (PlainText,)
    throttle_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_PLAIN_0_0_4)
