from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """What we decide at each close, and what became of it."""

    name = "signals"
    verbose_name = "What was decided"
