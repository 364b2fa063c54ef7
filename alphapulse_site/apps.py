from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The frame as an app: its models, its canary task and the `up` command."""

    name = "alphapulse_site"
    verbose_name = "Jobs and the clock"

    def ready(self) -> None:
        # Imported for its signal receiver, which needs the models and so cannot be imported sooner.
        from alphapulse_site import parking  # noqa: F401
