from django.apps import AppConfig


class AnalyticsConfig(AppConfig):
    """What people see: the API, the health of the system, and its doctor."""

    name = "analytics"
