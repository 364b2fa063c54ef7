from django.apps import AppConfig
from django.conf import settings

from alphapulse_site import logs


class SiteConfig(AppConfig):
    """The frame as an app: its models, its canary task and the `up` command."""

    name = "alphapulse_site"
    verbose_name = "Jobs and the clock"

    def ready(self) -> None:
        # Imported for their signal receivers; what needs the models cannot be imported sooner.
        from alphapulse_site import broker, parking  # noqa: F401

        if settings.ALPHAPULSE_LOG == logs.JSON:
            logs.take_the_rest()
