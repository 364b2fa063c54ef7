"""The schedule of beat with minutes of two seconds, for `celery --app tests.faults.quick_beat beat`.

It is the real scheduler and the real table: no test can wait for the minutes of the wall.
"""

from datetime import timedelta

from alphapulse_site.celery import SCHEDULE, app

QUICKER, LONGEST, MINUTE = 30, 4.0, 60.0


def _seconds(name: str) -> float:
    period = SCHEDULE[name][2].total_seconds() if name in SCHEDULE else MINUTE
    return min(period / QUICKER, LONGEST)


app.conf.beat_schedule = {
    name: entry | {"schedule": timedelta(seconds=_seconds(name))} for name, entry in app.conf.beat_schedule.items()
}
app.conf.beat_max_loop_interval = 1
