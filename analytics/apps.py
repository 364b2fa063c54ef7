from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AnalyticsConfig(AppConfig):
    """What people see: the API, the health of the system, and its doctor."""

    name = "analytics"
    verbose_name = "Messages and reports"

    def ready(self) -> None:
        post_migrate.connect(_grant, sender=self, dispatch_uid="grant readers and operators their permissions")


def _grant(**_: Any) -> None:
    # Imported here, for it needs the models.
    from analytics.groups import grant_permissions

    grant_permissions()
