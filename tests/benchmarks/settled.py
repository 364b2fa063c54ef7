"""A benchmark's own servers and settings, chosen before Django reads any."""

import os

from alphapulse_site.places import Places


def point_at(places: Places, **settings: str) -> None:
    """Make the settings those of this directory; quiet, and as `settings` says beside that."""
    places.root.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "ALPHAPULSE_DATA": str(places.root),
        "DATABASE_URL": places.database_url(),
        "REDIS_URL": places.broker_url,
        "DJANGO_SETTINGS_MODULE": "alphapulse_site.settings",
        "LOG_LEVEL": "WARNING",
        **settings,
    }
