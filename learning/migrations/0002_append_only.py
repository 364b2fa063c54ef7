"""The ledger and the versions refuse to be rewritten, whoever asks: the database itself says no."""

from django.db import migrations

CREATE = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused. Append a new row that says what changed.', TG_TABLE_NAME, TG_OP;
END $$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON learning_events
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();

CREATE FUNCTION refuse_rewriting_a_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR to_jsonb(NEW) - 'status' <> to_jsonb(OLD) - 'status' THEN
        RAISE EXCEPTION 'version % of % is immutable: only its status may change.', OLD.version, OLD.state_type;
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON learning_state
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_a_version();
"""
REMOVE = """
DROP TRIGGER immutable ON learning_state;
DROP TRIGGER append_only ON learning_events;
DROP FUNCTION refuse_rewriting_a_version();
DROP FUNCTION refuse_rewriting();
"""


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial")]

    operations = [migrations.RunSQL(CREATE, REMOVE)]
