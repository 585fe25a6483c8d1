"""Performance status, day by day, and what was tried before PRRT: tables with their history."""

import datetime
import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
import pghistory.utils
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import accounts.records


class Migration(migrations.Migration):
    dependencies = [
        ("patients", "0003_mrn_of_current_identities"),
    ]

    operations = [
        migrations.CreateModel(
            name="PerformanceStatus",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "version",
                    models.PositiveIntegerField(
                        db_comment="Raised by a trigger at every change; a form that holds an older one is told.",
                        default=1,
                        editable=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("voided_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("void_reason", models.CharField(blank=True, editable=False, max_length=500)),
                (
                    "ecog",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "0: fully active"),
                            (1, "1: no strenuous work; walks and does light work"),
                            (2, "2: looks after self, cannot work; up more than half of the day"),
                            (3, "3: limited self-care; in bed or chair more than half of the day"),
                            (4, "4: no self-care; always in bed or chair"),
                            (5, "5: dead"),
                        ],
                        db_comment="ECOG performance status, 0 to 5",
                        verbose_name="ECOG",
                    ),
                ),
                ("assessed_on", models.DateField(validators=[accounts.records.not_in_future])),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="performance_statuses",
                        to="patients.patient",
                    ),
                ),
            ],
            options={
                "verbose_name": "performance status",
                "verbose_name_plural": "performance statuses",
                "ordering": ["assessed_on"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PerformanceStatusEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, serialize=False)),
                (
                    "version",
                    models.PositiveIntegerField(
                        db_comment="Raised by a trigger at every change; a form that holds an older one is told.",
                        default=1,
                        editable=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("voided_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("void_reason", models.CharField(blank=True, editable=False, max_length=500)),
                (
                    "ecog",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "0: fully active"),
                            (1, "1: no strenuous work; walks and does light work"),
                            (2, "2: looks after self, cannot work; up more than half of the day"),
                            (3, "3: limited self-care; in bed or chair more than half of the day"),
                            (4, "4: no self-care; always in bed or chair"),
                            (5, "5: dead"),
                        ],
                        db_comment="ECOG performance status, 0 to 5",
                        verbose_name="ECOG",
                    ),
                ),
                ("assessed_on", models.DateField(validators=[accounts.records.not_in_future])),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="patients.performancestatus",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PriorTherapy",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                (
                    "version",
                    models.PositiveIntegerField(
                        db_comment="Raised by a trigger at every change; a form that holds an older one is told.",
                        default=1,
                        editable=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("voided_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("void_reason", models.CharField(blank=True, editable=False, max_length=500)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("somatostatin_analogue", "Somatostatin analogue"),
                            ("everolimus", "Everolimus"),
                            ("sunitinib", "Sunitinib"),
                            ("chemotherapy", "Chemotherapy"),
                            ("liver_directed", "Liver-directed (embolisation, SIRT, ablation)"),
                            ("surgery", "Surgery"),
                            ("external_radiotherapy", "External radiotherapy"),
                            ("mibg", "131I-MIBG"),
                            ("interferon", "Interferon"),
                            ("other", "Other"),
                        ],
                        help_text="Earlier PRRT is not entered here: it has a record of its own, with its activity and doses.",
                        max_length=24,
                    ),
                ),
                (
                    "agent",
                    models.CharField(
                        blank=True,
                        help_text="Drug, regimen or procedure, such as lanreotide.",
                        max_length=100,
                    ),
                ),
                (
                    "started_on",
                    models.DateField(
                        blank=True,
                        help_text="Blank where it is not known.",
                        null=True,
                        validators=[accounts.records.not_in_future],
                    ),
                ),
                (
                    "ended_on",
                    models.DateField(
                        blank=True,
                        help_text="Blank where it goes on, or is not known.",
                        null=True,
                        validators=[accounts.records.not_in_future],
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="prior_therapies",
                        to="patients.patient",
                    ),
                ),
            ],
            options={
                "verbose_name": "prior therapy",
                "verbose_name_plural": "prior therapies",
                "ordering": [models.OrderBy(models.F("started_on"), nulls_first=True), "kind"],
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="PriorTherapyEvent",
            fields=[
                ("pgh_id", models.AutoField(primary_key=True, serialize=False)),
                ("pgh_created_at", models.DateTimeField(auto_now_add=True)),
                ("pgh_label", models.TextField(help_text="The event label.")),
                ("pgh_context", pghistory.utils.JSONField(null=True)),
                ("pgh_context_id", models.UUIDField(null=True)),
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, serialize=False)),
                (
                    "version",
                    models.PositiveIntegerField(
                        db_comment="Raised by a trigger at every change; a form that holds an older one is told.",
                        default=1,
                        editable=False,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("voided_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("void_reason", models.CharField(blank=True, editable=False, max_length=500)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("somatostatin_analogue", "Somatostatin analogue"),
                            ("everolimus", "Everolimus"),
                            ("sunitinib", "Sunitinib"),
                            ("chemotherapy", "Chemotherapy"),
                            ("liver_directed", "Liver-directed (embolisation, SIRT, ablation)"),
                            ("surgery", "Surgery"),
                            ("external_radiotherapy", "External radiotherapy"),
                            ("mibg", "131I-MIBG"),
                            ("interferon", "Interferon"),
                            ("other", "Other"),
                        ],
                        help_text="Earlier PRRT is not entered here: it has a record of its own, with its activity and doses.",
                        max_length=24,
                    ),
                ),
                (
                    "agent",
                    models.CharField(
                        blank=True,
                        help_text="Drug, regimen or procedure, such as lanreotide.",
                        max_length=100,
                    ),
                ),
                (
                    "started_on",
                    models.DateField(
                        blank=True,
                        help_text="Blank where it is not known.",
                        null=True,
                        validators=[accounts.records.not_in_future],
                    ),
                ),
                (
                    "ended_on",
                    models.DateField(
                        blank=True,
                        help_text="Blank where it goes on, or is not known.",
                        null=True,
                        validators=[accounts.records.not_in_future],
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "patient",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        related_query_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "pgh_obj",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="patients.priortherapy",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.AddConstraint(
            model_name="performancestatus",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("void_reason", ""), ("voided_at__isnull", True)),
                    models.Q(("voided_at__isnull", False), models.Q(("void_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="patients_performancestatus_void_has_reason",
                violation_error_message="A voided record needs a reason, and only a voided one has it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="performancestatus",
            constraint=models.UniqueConstraint(
                condition=models.Q(("voided_at__isnull", True)),
                fields=("patient", "assessed_on"),
                name="patients_performancestatus_once_a_day",
                violation_error_message="The performance status of this day is already there: correct that record.",
            ),
        ),
        migrations.AddConstraint(
            model_name="performancestatus",
            constraint=models.CheckConstraint(
                condition=models.Q(("ecog__gte", 0), ("ecog__lte", 5)),
                name="patients_performancestatus_ecog_known",
                violation_error_message="An ECOG performance status is a whole number from 0 to 5.",
            ),
        ),
        migrations.AddConstraint(
            model_name="performancestatus",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("assessed_on__isnull", True),
                    models.Q(
                        ("assessed_on__gte", datetime.date(1890, 1, 1)),
                        ("assessed_on__lt", datetime.date(2150, 1, 1)),
                    ),
                    _connector="OR",
                ),
                name="patients_performancestatus_assessed_on_plausible",
                violation_error_message="This date must lie between 1890-01-01 and 2150-01-01.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="performancestatus",
            trigger=pgtrigger.compiler.Trigger(
                name="bump_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func="NEW.version = OLD.version + 1; RETURN NEW;",
                    hash="435402ef733e09dfdb76674961a207076a8767e1",
                    operation="UPDATE",
                    pgid="pgtrigger_bump_version_8194b",
                    table="patients_performancestatus",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="performancestatus",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="69aec754a6ceb0b14994b548fdf2a85fb12329d1",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_552d2",
                    table="patients_performancestatus",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="performancestatus",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "patients_performancestatusevent" ("assessed_on", "created_at", "ecog", "id", "note", "patient_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "version", "void_reason", "voided_at") VALUES (NEW."assessed_on", NEW."created_at", NEW."ecog", NEW."id", NEW."note", NEW."patient_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', NEW."id", NEW."version", NEW."void_reason", NEW."voided_at"); RETURN NULL;',
                    hash="e659e8a7c461c7836b45ef46652b1ef71aa138aa",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_c4b93",
                    table="patients_performancestatus",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="performancestatus",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "patients_performancestatusevent" ("assessed_on", "created_at", "ecog", "id", "note", "patient_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "version", "void_reason", "voided_at") VALUES (NEW."assessed_on", NEW."created_at", NEW."ecog", NEW."id", NEW."note", NEW."patient_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', NEW."id", NEW."version", NEW."void_reason", NEW."voided_at"); RETURN NULL;',
                    hash="82a87a19691ae9035e050eed85f4f177d69012a3",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_7e435",
                    table="patients_performancestatus",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="performancestatus",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "patients_performancestatusevent" ("assessed_on", "created_at", "ecog", "id", "note", "patient_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "version", "void_reason", "voided_at") VALUES (OLD."assessed_on", OLD."created_at", OLD."ecog", OLD."id", OLD."note", OLD."patient_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', OLD."id", OLD."version", OLD."void_reason", OLD."voided_at"); RETURN NULL;',
                    hash="56a11d9c537c8adc2d5b7e70a832d9a69b1d0048",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_e5cb0",
                    table="patients_performancestatus",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="performancestatusevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="347460e1aa59b8ed1402f8f25fbceb1a205cb9d0",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_642ae",
                    table="patients_performancestatusevent",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="priortherapy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("void_reason", ""), ("voided_at__isnull", True)),
                    models.Q(("voided_at__isnull", False), models.Q(("void_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="patients_priortherapy_void_has_reason",
                violation_error_message="A voided record needs a reason, and only a voided one has it.",
            ),
        ),
        migrations.AddConstraint(
            model_name="priortherapy",
            constraint=models.UniqueConstraint(
                condition=models.Q(("voided_at__isnull", True)),
                fields=("patient", "kind", "agent", "started_on"),
                name="patients_priortherapy_once",
                nulls_distinct=False,
                violation_error_message="This prior therapy is already there: correct that record.",
            ),
        ),
        migrations.AddConstraint(
            model_name="priortherapy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "kind__in",
                        [
                            "somatostatin_analogue",
                            "everolimus",
                            "sunitinib",
                            "chemotherapy",
                            "liver_directed",
                            "surgery",
                            "external_radiotherapy",
                            "mibg",
                            "interferon",
                            "other",
                        ],
                    )
                ),
                name="patients_priortherapy_kind_known",
                violation_error_message="This kind is not one of the list.",
            ),
        ),
        migrations.AddConstraint(
            model_name="priortherapy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("started_on__isnull", True),
                    ("ended_on__isnull", True),
                    ("ended_on__gte", models.F("started_on")),
                    _connector="OR",
                ),
                name="patients_priortherapy_ends_after_start",
                violation_error_message="A therapy cannot end before it started.",
            ),
        ),
        migrations.AddConstraint(
            model_name="priortherapy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("started_on__isnull", True),
                    models.Q(
                        ("started_on__gte", datetime.date(1890, 1, 1)),
                        ("started_on__lt", datetime.date(2150, 1, 1)),
                    ),
                    _connector="OR",
                ),
                name="patients_priortherapy_started_on_plausible",
                violation_error_message="This date must lie between 1890-01-01 and 2150-01-01.",
            ),
        ),
        migrations.AddConstraint(
            model_name="priortherapy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("ended_on__isnull", True),
                    models.Q(
                        ("ended_on__gte", datetime.date(1890, 1, 1)),
                        ("ended_on__lt", datetime.date(2150, 1, 1)),
                    ),
                    _connector="OR",
                ),
                name="patients_priortherapy_ended_on_plausible",
                violation_error_message="This date must lie between 1890-01-01 and 2150-01-01.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priortherapy",
            trigger=pgtrigger.compiler.Trigger(
                name="bump_version",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func="NEW.version = OLD.version + 1; RETURN NEW;",
                    hash="d695520c9af3d9b7afbf85aac4d9c45e394de2e3",
                    operation="UPDATE",
                    pgid="pgtrigger_bump_version_e2725",
                    table="patients_priortherapy",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priortherapy",
            trigger=pgtrigger.compiler.Trigger(
                name="no_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="742b2aad3e75bacafac2ca0c05880a7b06b419b1",
                    operation="DELETE",
                    pgid="pgtrigger_no_delete_82f9e",
                    table="patients_priortherapy",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priortherapy",
            trigger=pgtrigger.compiler.Trigger(
                name="insert_insert",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "patients_priortherapyevent" ("agent", "created_at", "ended_on", "id", "kind", "note", "patient_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "started_on", "version", "void_reason", "voided_at") VALUES (NEW."agent", NEW."created_at", NEW."ended_on", NEW."id", NEW."kind", NEW."note", NEW."patient_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'insert\', NEW."id", NEW."started_on", NEW."version", NEW."void_reason", NEW."voided_at"); RETURN NULL;',
                    hash="a158b7b0013ab70dd4beb145773361fb62289015",
                    operation="INSERT",
                    pgid="pgtrigger_insert_insert_02481",
                    table="patients_priortherapy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priortherapy",
            trigger=pgtrigger.compiler.Trigger(
                name="update_update",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (OLD.* IS DISTINCT FROM NEW.*)",
                    func='INSERT INTO "patients_priortherapyevent" ("agent", "created_at", "ended_on", "id", "kind", "note", "patient_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "started_on", "version", "void_reason", "voided_at") VALUES (NEW."agent", NEW."created_at", NEW."ended_on", NEW."id", NEW."kind", NEW."note", NEW."patient_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'update\', NEW."id", NEW."started_on", NEW."version", NEW."void_reason", NEW."voided_at"); RETURN NULL;',
                    hash="83e3325e28f947b6c44b042b4a4d7151e32df526",
                    operation="UPDATE",
                    pgid="pgtrigger_update_update_96084",
                    table="patients_priortherapy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priortherapy",
            trigger=pgtrigger.compiler.Trigger(
                name="delete_delete",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func='INSERT INTO "patients_priortherapyevent" ("agent", "created_at", "ended_on", "id", "kind", "note", "patient_id", "pgh_context", "pgh_context_id", "pgh_created_at", "pgh_label", "pgh_obj_id", "started_on", "version", "void_reason", "voided_at") VALUES (OLD."agent", OLD."created_at", OLD."ended_on", OLD."id", OLD."kind", OLD."note", OLD."patient_id", COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_metadata\', TRUE), \'\'), NULL)::JSONB, COALESCE(NULLIF(CURRENT_SETTING(\'pghistory.context_id\', TRUE), \'\'), NULL)::UUID, NOW(), \'delete\', OLD."id", OLD."started_on", OLD."version", OLD."void_reason", OLD."voided_at"); RETURN NULL;',
                    hash="974ce0eb3c454761a242db2bb73c601d6c97704a",
                    operation="DELETE",
                    pgid="pgtrigger_delete_delete_80dc1",
                    table="patients_priortherapy",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="priortherapyevent",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="109e8fce48aaee945847db13d9013a24367a8fa7",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_b1593",
                    table="patients_priortherapyevent",
                    when="BEFORE",
                ),
            ),
        ),
    ]
