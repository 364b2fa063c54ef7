"""Addresses of the API. Those under learning/ are written without a final slash, and answer with one too."""

from csp.decorators import csp_update
from django.urls import path, register_converter
from django.urls.converters import IntConverter, StringConverter
from drf_spectacular.views import SpectacularSwaggerSplitView

from analytics.api.views import decisions, learning, market, monitoring, operations, reports, versions
from analytics.api.views.schema import SchemaView
from learning.models import STATE_TYPES


class RowConverter(IntConverter):
    """A row's number: one that a bigint holds, so that a longer one is an address that does not exist."""

    regex = "[0-9]{1,18}"


class VersionConverter(IntConverter):
    """A version's number: one that an integer holds."""

    regex = "[0-9]{1,9}"


class StateTypeConverter(StringConverter):
    """What is learned in versions."""

    regex = "|".join(name for name, _ in STATE_TYPES)


register_converter(RowConverter, "row")
register_converter(VersionConverter, "version")
register_converter(StateTypeConverter, "state_type")
VERSION = "api/versions/<state_type:state_type>/<version:version>"

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
    path("api/signals/<row:number>/", decisions.SignalView.as_view(), name="signal"),
    path("api/shadows/", decisions.ShadowsView.as_view(), name="shadows"),
    path("api/shadows/<row:number>/", decisions.ShadowView.as_view(), name="shadow"),
    path("api/scans/", decisions.ScanView.as_view(), name="scans"),
    path("api/scans/history/", decisions.ScanHistoryView.as_view(), name="scan-history"),
    path("api/scans/<uuid:scan_id>/", decisions.ScanByIdView.as_view(), name="scan-by-id"),
    path("api/positions/", market.PositionsView.as_view(), name="positions"),
    path("api/candles/", market.CandlesView.as_view(), name="candles"),
    path("api/gaps/", market.GapsView.as_view(), name="gaps"),
    path("api/symbols/", market.SymbolsView.as_view(), name="symbols"),
    path("api/versions/", versions.VersionsView.as_view(), name="versions"),
    path("api/versions/head_weights/freeze/", versions.FreezeView.as_view(), name="freeze"),
    path("api/versions/head_weights/release/", versions.ReleaseView.as_view(), name="release"),
    path("api/versions/head_weights/<version:version>/pin/", versions.PinView.as_view(), name="pin"),
    path(f"{VERSION}/", versions.VersionView.as_view(), name="version"),
    path(f"{VERSION}/diff/", versions.VersionDiffView.as_view(), name="version-diff"),
    path(f"{VERSION}/rollback/", versions.RollbackView.as_view(), name="rollback"),
    path("api/heads/", operations.HeadsView.as_view(), name="heads"),
    path("api/jobs/", operations.JobRunsView.as_view(), name="job-runs"),
    path("api/jobs/<row:number>/", operations.JobRunView.as_view(), name="job-run"),
    path("api/parked-tasks/", operations.ParkedTasksView.as_view(), name="parked-tasks"),
    path("api/parked-tasks/<row:number>/retry/", operations.RetryView.as_view(), name="retry-parked-task"),
    path("api/health/", operations.HealthReportView.as_view(), name="health"),
    path("api/reports/daily/<str:period>/", reports.DailyReportView.as_view(), name="daily-report"),
    path("api/reports/weekly/<str:period>/", reports.WeeklyReportView.as_view(), name="weekly-report"),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    # The split view keeps its script in a file of its own: no inline script. Swagger's pages style themselves inline.
    path("api/docs/", styled_inline(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
    path("healthz", operations.HealthView.as_view(), name="healthz"),
    path("metrics", monitoring.MetricsView.as_view(), name="metrics"),
]
