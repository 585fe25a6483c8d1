"""Another definition makes a job that workers share, in place of a mark for every course; results know when they are busy."""

from django.db import migrations, models

CREATE = """
CREATE OR REPLACE FUNCTION analytics_stale_for_definition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE analytics_job SET state = 'cancelled', ended_at = clock_timestamp()
    WHERE kind = 'rebuild' AND definition_id = NEW.id AND state IN ('queued', 'running');
    INSERT INTO analytics_job (id, kind, state, definition_id, parameters, done, total, step, problem, attempts,
        requested_at, file_name, content_type)
    VALUES (gen_random_uuid(), 'rebuild', 'queued', NEW.id, '{"reason": "definition"}', 0, 0, '', '', 0,
        clock_timestamp(), '', '');
    RETURN NULL;
END $$;
"""
DROP = """
CREATE OR REPLACE FUNCTION analytics_stale_for_definition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course;
    RETURN NULL;
END $$;
INSERT INTO analytics_stalecourse (course_id) SELECT id FROM treatments_course
    WHERE EXISTS (SELECT FROM analytics_job WHERE kind = 'rebuild' AND state <> 'done');
DELETE FROM analytics_job WHERE kind = 'rebuild';
"""
# What earlier migrations marked course by course, all of it, is shared by workers.
SHARE = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM treatments_course)
        AND NOT EXISTS (SELECT FROM treatments_course c WHERE NOT EXISTS (
            SELECT FROM analytics_stalecourse s WHERE s.course_id = c.id)) THEN
        DELETE FROM analytics_stalecourse;
        INSERT INTO analytics_job (id, kind, state, definition_id, parameters, done, total, step, problem, attempts,
            requested_at, file_name, content_type)
        SELECT gen_random_uuid(), 'rebuild', 'queued', id, '{"reason": "definition"}', 0, 0, '', '', 0,
            clock_timestamp(), '', '' FROM analytics_definition;
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("analytics", "0011_marks_of_performance_and_prior_therapy")]

    operations = [
        migrations.AddField(
            model_name="result",
            name="busy_since",
            field=models.DateTimeField(
                null=True,
                help_text="Since when corrections have come faster than it was computed.",
            ),
        ),
        migrations.AddField(
            model_name="result",
            name="stored_at",
            field=models.DateTimeField(null=True, help_text="When computing it last ended."),
        ),
        migrations.AddIndex(
            model_name="job",
            index=models.Index(
                fields=["definition", "requested_at"],
                condition=models.Q(kind="rebuild"),
                name="analytics_rebuild_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="rebuildchunk",
            index=models.Index(
                fields=["job"], condition=models.Q(done_at__isnull=True), name="analytics_chunk_not_done"
            ),
        ),
        migrations.RunSQL(CREATE, DROP),
        migrations.RunSQL(SHARE, migrations.RunSQL.noop),
    ]
