from django.apps import AppConfig


class IngestionConfig(AppConfig):
    """The market, stored: candles, gaps, feeds, and how they came in."""

    name = "ingestion"
    verbose_name = "The market"
