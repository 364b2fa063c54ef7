"""TRUNCATE passes row triggers by: the ledger and the versions refuse it by one of their own."""

from django.db import migrations

CREATE = """
CREATE TRIGGER never_wiped BEFORE TRUNCATE ON learning_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER never_wiped BEFORE TRUNCATE ON learning_state
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();
"""
REMOVE = """
DROP TRIGGER never_wiped ON learning_state;
DROP TRIGGER never_wiped ON learning_events;
"""


class Migration(migrations.Migration):
    dependencies = [("learning", "0005_refusals_by_regime_and_symbol")]

    operations = [migrations.RunSQL(CREATE, REMOVE)]
