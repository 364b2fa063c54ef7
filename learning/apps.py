from django.apps import AppConfig


class LearningConfig(AppConfig):
    """What the outcomes taught: versions, the ledger, what refusals were worth."""

    name = "learning"
    verbose_name = "What was learned"
