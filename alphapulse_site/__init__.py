"""The frame: settings, Celery, the market clock, jobs, and the embedded servers."""

from alphapulse_site.celery import app as celery_app

__all__ = ["celery_app"]
