"""Beat with its real minutes and without the rarer ticks, for `celery --app tests.faults.minutely_beat beat`.

What those wake has to be found by others, whatever the time of day a test runs at.
"""

from alphapulse_site.celery import WATCHED, app

app.conf.beat_schedule = {name: entry for name, entry in app.conf.beat_schedule.items() if name not in WATCHED}
