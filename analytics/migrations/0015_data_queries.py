"""Queries about patients' records, and the marks by which a write to any clinical table has them derived again.

Statement-level triggers, as those that mark courses; a patient without a course is marked too, and so are laboratory values.
"""

import uuid
from importlib import import_module

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

_marks = import_module("analytics.migrations.0002_mark_stale_courses")
PATIENTS_OF = {**_marks.PATIENTS_OF, "treatments_labresult": "SELECT patient_id FROM touched"}
MARKS, NO_MARKS = "", ""
for table, patients in PATIENTS_OF.items():
    for name, (operation, tables, rows) in _marks.TOUCHED.items():
        function = f"analytics_check_{name}_{table}"
        MARKS += f"""
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO analytics_stalecheck (patient_id)
    WITH touched AS ({rows})
    SELECT DISTINCT * FROM ({patients}) AS patients;
    RETURN NULL;
END $$;
CREATE TRIGGER mark_check_after_{name} AFTER {operation} ON {table}
    REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION {function}();
"""
        NO_MARKS += f"DROP TRIGGER mark_check_after_{name} ON {table};\nDROP FUNCTION {function}();\n"
# What was recorded before is looked at too.
MARK_ALL = (
    "INSERT INTO analytics_stalecheck (patient_id) SELECT id FROM patients_patient WHERE voided_at IS NULL"
)


class Migration(migrations.Migration):
    dependencies = [
        ("analytics", "0014_unchanged_outcomes"),
        ("accounts", "0001_records"),
        ("imaging", "0004_lesions_of_studies"),
        ("patients", "0005_dates_of_performance_and_prior_therapy"),
        ("treatments", "0010_response_rules_sentence"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DataCheck",
            fields=[
                (
                    "patient",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="data_check",
                        serialize=False,
                        to="patients.patient",
                    ),
                ),
                (
                    "checked_on",
                    models.DateField(help_text="The centre's day that the rules took for today.", null=True),
                ),
            ],
        ),
        migrations.CreateModel(
            name="DataQuery",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("labs_missing", "Cycle given without laboratory values"),
                            ("activity_deviation", "Activity off by more than 20 %"),
                            ("cycle_date_past", "Planned cycle long past"),
                            ("baseline_missing", "No baseline before cycle 1"),
                            ("imaging_missing", "PET/CT missing after a cycle"),
                            ("final_imaging_missing", "No study after completion"),
                            ("progression_not_noted", "PD without progression noted"),
                            ("follow_up_old", "Follow-up older than 6 months"),
                            ("death_cause_unknown", "Death without cause"),
                            ("course_open_after_death", "Course open after death"),
                            ("diagnosis_missing", "Diagnosis missing"),
                            ("manual", "Raised by hand"),
                        ],
                        max_length=24,
                    ),
                ),
                (
                    "record_kind",
                    models.CharField(
                        choices=[
                            ("patient", "Patient"),
                            ("course", "Course"),
                            ("cycle", "Cycle"),
                            ("administration", "Given cycle"),
                            ("study", "Study"),
                            ("death", "Death"),
                        ],
                        max_length=14,
                    ),
                ),
                ("record_id", models.UUIDField()),
                ("facts", models.JSONField(help_text="What it follows from; raised by hand, what is asked.")),
                ("fingerprint", models.CharField(help_text="SHA-256 of the facts.", max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("answered", "Answered"), ("closed", "Closed")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("opened_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "assigned_to",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="assigned_queries",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        help_text="Blank: the rule, or it is not closed.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "course",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="data_queries",
                        to="treatments.course",
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        help_text="Blank: the rule.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="data_queries",
                        to="patients.patient",
                    ),
                ),
                (
                    "centre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="accounts.centre"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "data queries",
                "ordering": ["-opened_at", "-id"],
            },
        ),
        migrations.CreateModel(
            name="DataQueryAnswer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "action",
                    models.CharField(
                        choices=[
                            ("answered", "Answered"),
                            ("assigned", "Assigned"),
                            ("closed", "Closed"),
                            ("reopened", "Opened again"),
                        ],
                        max_length=8,
                    ),
                ),
                ("text", models.CharField(blank=True, max_length=1000)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "assigned_to",
                    models.ForeignKey(
                        help_text="Of an assignment; blank: to nobody.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "by",
                    models.ForeignKey(
                        help_text="Blank: the rule.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "query",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="analytics.dataquery",
                    ),
                ),
            ],
            options={
                "ordering": ["at", "id"],
            },
        ),
        migrations.CreateModel(
            name="StaleCheck",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("patient_id", models.UUIDField()),
                ("marked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "indexes": [models.Index(fields=["patient_id"], name="analytics_stalecheck_patient")],
            },
        ),
        migrations.AddIndex(
            model_name="dataquery",
            index=models.Index(
                condition=models.Q(("status", "closed"), _negated=True),
                fields=["opened_at", "id"],
                name="analytics_query_pending",
            ),
        ),
        migrations.AddIndex(
            model_name="dataquery",
            index=models.Index(
                condition=models.Q(("status", "closed"), _negated=True),
                fields=["centre", "rule", "status", "assigned_to"],
                name="analytics_query_counted",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataquery",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    models.Q(("status", "closed"), _negated=True), models.Q(("rule", "manual"), _negated=True)
                ),
                fields=("rule", "record_id"),
                name="analytics_dataquery_one_open",
                violation_error_message="This is asked of the record already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataquery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at__isnull", False), ("status", "closed")),
                    models.Q(
                        models.Q(("status", "closed"), _negated=True),
                        ("closed_at__isnull", True),
                        ("closed_by__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="analytics_dataquery_closed_has_time",
                violation_error_message="A closed query has the time at which it was closed, no other has.",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataquery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "rule__in",
                        [
                            "labs_missing",
                            "activity_deviation",
                            "cycle_date_past",
                            "baseline_missing",
                            "imaging_missing",
                            "final_imaging_missing",
                            "progression_not_noted",
                            "follow_up_old",
                            "death_cause_unknown",
                            "course_open_after_death",
                            "diagnosis_missing",
                            "manual",
                        ],
                    )
                ),
                name="analytics_dataquery_rule_known",
                violation_error_message="This rule is not one of the list.",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataquery",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("record_kind__in", ["patient", "course", "cycle", "administration", "study", "death"])
                ),
                name="analytics_dataquery_record_kind_known",
                violation_error_message="This record kind is not one of the list.",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataquery",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "answered", "closed"])),
                name="analytics_dataquery_status_known",
                violation_error_message="This status is not one of the list.",
            ),
        ),
        migrations.AddConstraint(
            model_name="dataqueryanswer",
            constraint=models.CheckConstraint(
                condition=models.Q(("action__in", ["answered", "assigned", "closed", "reopened"])),
                name="analytics_dataqueryanswer_action_known",
                violation_error_message="This action is not one of the list.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="dataqueryanswer",
            trigger=pgtrigger.compiler.Trigger(
                name="kept",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="519c85146b3fb662144eb9b7d86a1935346dab37",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_kept_7f82c",
                    table="analytics_dataqueryanswer",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.RunSQL(MARKS, NO_MARKS),
        migrations.RunSQL(MARK_ALL, migrations.RunSQL.noop),
    ]
