"""The settings with shorter limits where the environment says so: nobody waits a quarter of an hour for a test."""

import os

from alphapulse_site.settings import *  # noqa: F403
from alphapulse_site.settings import CELERY_BROKER_TRANSPORT_OPTIONS as OPTIONS

# Tasks that stop where a test wants to strike.
CELERY_IMPORTS = ["tests.faults.probes"]
if "SHORT_VISIBILITY" in os.environ:
    OPTIONS |= {"visibility_timeout": int(os.environ["SHORT_VISIBILITY"]), "unacked_restore_interval": 1}
if "SHORT_LIMIT" in os.environ:
    CELERY_TASK_TIME_LIMIT = int(os.environ["SHORT_LIMIT"])
    CELERY_TASK_SOFT_TIME_LIMIT = CELERY_TASK_TIME_LIMIT - 1
