"""What runs when, what ran, what gave up, and every check of being well."""

from typing import Any, ClassVar

from django.conf import settings

from analytics.dashboard.views.base import Page
from analytics.frame import Frame
from analytics.selectors import schedule
from analytics.selectors.signs import Signs


class JobsPage(Page):
    template_name = "dashboard/jobs.html"
    active: ClassVar[str] = "jobs"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        frame: Frame = context["frame"]
        return context | {
            "schedule": schedule.scheduler(Signs.read(), frame.at),
            "runs": schedule.last_runs(),
            "parked": schedule.parked_tasks(),
            "flower": settings.ALPHAPULSE_FLOWER_URL,
        }
