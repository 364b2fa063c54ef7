"""Scans found by what came of them: six in seven find no consensus, and the others lie far apart in time."""

from django.db import migrations

# Those without a consensus need no index: the newest fifty are among the newest hundred of all.
BY_REJECTION = """
CREATE INDEX scan_history_by_rejection ON scan_history (rejection, close_time) WHERE rejection <> 'no_consensus';
"""


class Migration(migrations.Migration):
    dependencies = [("signals", "0008_scans_by_close")]

    operations = [migrations.RunSQL(BY_REJECTION, "DROP INDEX scan_history_by_rejection")]
