"""Scans found by their close alone: the newest of all timeframes are what lists begin with."""

from django.db import migrations

# For one timeframe at one close, or at closes of a span, the two orders of the columns serve alike.
BY_CLOSE = """
CREATE INDEX scan_history_by_close ON scan_history (close_time, timeframe);
DROP INDEX scan_history_close;
"""
BY_TIMEFRAME = """
CREATE INDEX scan_history_close ON scan_history (timeframe, close_time);
DROP INDEX scan_history_by_close;
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0007_voided_by_hand")]

    operations = [migrations.RunSQL(BY_CLOSE, BY_TIMEFRAME)]
