"""The OpenAPI schema, which changes with the code alone."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request

from analytics.selectors.kept import keep

ALWAYS = "as long as the process lives"


class SchemaView(SpectacularAPIView):
    """The schema in the form that is asked for, made once a process: it takes a tenth of a second."""

    def _get_schema_response(self, request: Request) -> HttpResponse:
        renderer = request.accepted_renderer
        asked = ("schema", type(renderer), request.version, self._get_version_parameter(request))
        body, headers = keep(asked, lambda: ALWAYS, lambda: self._made(request, renderer))
        return HttpResponse(body, headers=headers)

    def _made(self, request: Request, renderer: Any) -> tuple[bytes, dict[str, str]]:
        answer = super()._get_schema_response(request)
        kind = f"{renderer.media_type}; charset={renderer.charset}"
        headers = {"Content-Disposition": answer["Content-Disposition"], "Content-Type": kind}
        return renderer.render(answer.data, renderer.media_type, {}), headers
