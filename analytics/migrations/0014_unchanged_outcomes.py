"""An outcome that was derived again as it was is told by comparing rows, before any is taken apart."""

from django.db import migrations

NOTE_CHANGE = """
CREATE OR REPLACE FUNCTION analytics_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ignored text[] := ARRAY['id', 'derived_at'];
    former jsonb; latter jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN
        former := to_jsonb(OLD) - ignored;
    ELSIF OLD.derived_at IS NULL THEN
        latter := '{}';
    ELSE
{early}        SELECT jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, n.value) INTO former, latter
        FROM jsonb_each(to_jsonb(OLD) - ignored) o JOIN jsonb_each(to_jsonb(NEW) - ignored) n USING (key)
        WHERE o.value IS DISTINCT FROM n.value;
    END IF;
    IF former IS NOT NULL OR latter IS NOT NULL THEN
        INSERT INTO analytics_outcomechange (definition_id, course_id, changed_at, known_since, before, after)
        VALUES (OLD.definition_id, OLD.course_id, clock_timestamp(), OLD.derived_at, former, latter);
    END IF;
    RETURN NULL;
END $$;
"""
EARLY = """        NEW.derived_at := OLD.derived_at;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NULL;
        END IF;
"""
WITH_EARLY = NOTE_CHANGE.replace("{early}", EARLY)
WITHOUT = NOTE_CHANGE.replace("{early}", "")


class Migration(migrations.Migration):
    dependencies = [("analytics", "0013_curves_uncompressed")]
    operations = [migrations.RunSQL(WITH_EARLY, WITHOUT)]
