#!/usr/bin/env python
"""The command line of AlphaPulse: `python manage.py help` lists every command."""

import argparse
import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def use_data_option(arguments: list[str]) -> None:
    """Make `up --data DIR` known before the settings are read, since they name places under it."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--data")
    directory = parser.parse_known_args(arguments)[0].data
    if directory:
        os.environ["ALPHAPULSE_DATA"] = directory


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphapulse_site.settings")
    if sys.argv[1:2] == ["up"]:
        use_data_option(sys.argv[2:])
    try:
        # Read now, so that a mistake in the environment is one line and not a trace.
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as error:
        sys.exit(f"settings: {error}")
    execute_from_command_line(sys.argv)
