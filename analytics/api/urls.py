"""Addresses of the API. Those under learning/ are written without a final slash, and answer with one too."""

from csp.decorators import csp_update
from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from analytics.api.views import decisions, learning, operations

styled_inline = csp_update({"style-src": ["'self'", "'unsafe-inline'"]})
LEARNING = {
    "performance": learning.PerformanceView,
    "head-weights": learning.HeadWeightsView,
    "improvements": learning.ImprovementsView,
    "recommendations": learning.RecommendationsView,
    "stats": learning.StatsView,
    "rejection-analysis": learning.RejectionAnalysisView,
    "scheduler": learning.SchedulerView,
    "trigger-daily": learning.TriggerDailyView,
    "trigger-weekly": learning.TriggerWeeklyView,
}

urlpatterns = [
    *(path(f"api/learning/{name}", view.as_view(), name=name) for name, view in LEARNING.items()),
    *(path(f"api/learning/{name}/", view.as_view()) for name, view in LEARNING.items()),
    path("api/signals/", decisions.SignalsView.as_view(), name="signals"),
    path("api/shadows/", decisions.ShadowsView.as_view(), name="shadows"),
    path("api/scans/", decisions.ScanView.as_view(), name="scans"),
    path("api/scans/<uuid:scan_id>/", decisions.ScanByIdView.as_view(), name="scan-by-id"),
    path("api/jobs/<int:number>/", operations.JobRunView.as_view(), name="job-run"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    # The split view keeps its script in a file of its own: no inline script. Swagger's pages style themselves inline.
    path("api/docs/", styled_inline(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
    path("healthz", operations.HealthView.as_view(), name="healthz"),
]
