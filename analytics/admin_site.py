"""The admin as one place: its name, its order of what people look for, who may enter, and whether all is well."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest
from django.template.response import TemplateResponse

from analytics.access import OPERATORS, READERS
from analytics.health import checks

# Apps in this order, and in each the models that people look for first; what is not named follows by its name.
ORDER = {
    "signals": ("Signal", "RejectedSignal", "DecidedScan", "Position", "VoidedDecision"),
    "learning": ("LearningState", "ActiveLearningState", "LearningEvent", "RejectionLearningMetrics"),
    "ingestion": (
        *("Symbol", "CandleGap", "CandleRevision", "BackfillRun", "QuarantinedMessage"),
        *("MarketFeed", "FeedSeries", "FeedGap", "RequestBudget", "RequestPause"),
    ),
    "alphapulse_site": ("ParkedTask", "JobRun", "Heartbeat", "MarketClock"),
    "analytics": ("Channel", "Notification", "UnwellSpell", "ApiToken"),
    "auth": ("User", "Group"),
}


class AlphaPulseAdmin(AdminSite):
    """Open to staff and to the groups of readers and operators; what each may do there is a matter of permissions."""

    site_header = site_title = "AlphaPulse"
    index_title = "Records"
    site_url = "/"
    login_form = AuthenticationForm

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        if not user.is_active:
            return False
        return bool(user.is_staff or user.groups.filter(name__in=(READERS, OPERATORS)).exists())

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        found = super().get_app_list(request, app_label)
        apps = list(ORDER)
        for app in found:
            models = list(ORDER.get(app["app_label"], ()))
            app["models"].sort(key=lambda model: (_place(models, model["object_name"]), model["name"]))
        return sorted(found, key=lambda app: (_place(apps, app["app_label"]), app["name"]))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        failed = [check for check in checks() if not check.passed]
        return super().index(request, {"failed": failed, **(extra_context or {})})


def _place(known: list[str], name: str) -> int:
    return known.index(name) if name in known else len(known)
