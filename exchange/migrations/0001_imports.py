"""Files sent to be imported, which records they made, and how a centre's own sheets are read."""

import uuid

import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_records"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("cohort_zip", "Cohort file (.zip of CSV)"),
                            ("cohort_xlsx", "Cohort file (.xlsx)"),
                            ("xlsx", "Own sheet (.xlsx)"),
                            ("csv", "Own sheet (CSV)"),
                        ],
                        max_length=12,
                    ),
                ),
                ("size_bytes", models.PositiveIntegerField()),
                (
                    "sha256",
                    models.CharField(
                        max_length=64, validators=[django.core.validators.MinLengthValidator(64)]
                    ),
                ),
                (
                    "content",
                    models.BinaryField(
                        help_text="The file; removed once it is imported or too old.", null=True
                    ),
                ),
                (
                    "mapping",
                    models.JSONField(
                        help_text="How an own sheet is read: exchange.mapping.SheetMapping.", null=True
                    ),
                ),
                (
                    "reason",
                    models.CharField(
                        blank=True, help_text="Why records are corrected by it.", max_length=500
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("uploaded", "To be checked"),
                            ("checked", "Checked, not imported"),
                            ("refused", "Has problems"),
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Imported"),
                            ("undone", "Undone"),
                        ],
                        default="uploaded",
                        max_length=8,
                    ),
                ),
                (
                    "work",
                    models.CharField(
                        choices=[("check", "Check"), ("import", "Import")], default="check", max_length=6
                    ),
                ),
                (
                    "attempts",
                    models.PositiveSmallIntegerField(
                        default=0,
                        help_text="How often a worker began the work: more than once where one was killed.",
                    ),
                ),
                ("asked_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("step", models.CharField(blank=True, max_length=120)),
                ("done", models.PositiveIntegerField(default=0)),
                ("total", models.PositiveIntegerField(default=0)),
                (
                    "counts",
                    models.JSONField(default=dict, help_text="Rows by sheet: new, changed, unchanged."),
                ),
                (
                    "problems",
                    models.JSONField(default=list, help_text="The first of them; without names and MRNs."),
                ),
                ("n_problems", models.PositiveIntegerField(default=0)),
                (
                    "differing",
                    models.JSONField(
                        default=list, help_text="Readings that say another response than is derived."
                    ),
                ),
                ("undone_at", models.DateTimeField(null=True)),
                ("undo_reason", models.CharField(blank=True, max_length=500)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "centre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="imports",
                        to="accounts.centre",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "undone_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-created_at"],
            },
        ),
        migrations.CreateModel(
            name="ImportedRow",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "model",
                    models.CharField(help_text="Of the record, such as patients.contact.", max_length=60),
                ),
                ("record_id", models.UUIDField()),
                ("was_created", models.BooleanField()),
                ("first_version", models.PositiveIntegerField(help_text="That the import gave it.")),
                ("version", models.PositiveIntegerField(help_text="The last one that the import gave it.")),
                (
                    "of",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="rows", to="exchange.import"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ColumnMapping",
            fields=[
                (
                    "id",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("name", models.CharField(max_length=60)),
                ("columns", models.JSONField(help_text="Name in the sheet's header to target, of and unit.")),
                (
                    "date_style",
                    models.CharField(
                        blank=True, help_text="As stated: dmy, mdy or iso; blank: not stated.", max_length=3
                    ),
                ),
                (
                    "decimal_sign",
                    models.CharField(
                        blank=True, help_text="As stated: comma or point; blank: not stated.", max_length=5
                    ),
                ),
                (
                    "time_of_day",
                    models.CharField(
                        blank=True, help_text="Of moments without one, such as 10:00.", max_length=5
                    ),
                ),
                ("stated", models.JSONField(default=dict, help_text="Values of every row.")),
                ("saved_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "centre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="column_mappings",
                        to="accounts.centre",
                    ),
                ),
                (
                    "saved_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("centre", "name"),
                        name="exchange_columnmapping_name_once",
                        violation_error_message="This centre already has a mapping of this name.",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("state__in", ("waiting", "running"))),
                fields=["asked_at"],
                name="exchange_import_unfinished",
            ),
        ),
        migrations.AddConstraint(
            model_name="import",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("state", "undone"),
                        ("undone_at__isnull", False),
                        models.Q(("undo_reason", ""), _negated=True),
                    ),
                    models.Q(
                        models.Q(("state", "undone"), _negated=True),
                        ("undo_reason", ""),
                        ("undone_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="exchange_import_undone_with_reason",
                violation_error_message="An undone import needs a time and a reason, and only it has them.",
            ),
        ),
        migrations.AddConstraint(
            model_name="import",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ("done", "undone")),
                    ("content__isnull", False),
                    ("state", "refused"),
                    _connector="OR",
                ),
                name="exchange_import_has_content",
                violation_error_message="A file that is still to be imported needs its content.",
            ),
        ),
        migrations.AddIndex(
            model_name="importedrow",
            index=models.Index(fields=["record_id"], name="exchange_importedrow_record"),
        ),
        migrations.AddConstraint(
            model_name="importedrow",
            constraint=models.UniqueConstraint(
                fields=("of", "model", "record_id"), name="exchange_importedrow_once"
            ),
        ),
    ]
