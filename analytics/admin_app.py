"""Django's admin as an app of ours; apart from `apps`, where Django looks for one configuration."""

from django.contrib.admin.apps import AdminConfig


class AdminPages(AdminConfig):
    """Django's admin with our front page, order and doors."""

    default_site = "analytics.admin_site.AlphaPulseAdmin"
