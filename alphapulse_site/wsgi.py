"""The web process: gunicorn serves `application`."""

import os

from django.core.wsgi import get_wsgi_application

# The workers are what uses the processors: numpy's own threads would wait for each other by spinning.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphapulse_site.settings")
application = get_wsgi_application()
