"""The texts of a centre's letters."""

import django.db.models.deletion
import django.db.models.functions.datetime
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("clinic", "0001_work_of_users"),
        ("accounts", "0001_records"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="LetterTemplate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("therapy_summary", "Therapy summary"), ("cycle_letter", "Cycle letter")],
                        max_length=20,
                    ),
                ),
                ("version", models.PositiveIntegerField()),
                (
                    "title",
                    models.CharField(help_text="One line; placeholders may stand in it.", max_length=120),
                ),
                (
                    "body",
                    models.TextField(
                        help_text="An empty line begins a paragraph, # a heading, - an item of a list.",
                        max_length=20000,
                        verbose_name="text",
                    ),
                ),
                (
                    "saved_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "centre",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="letter_templates",
                        to="accounts.centre",
                    ),
                ),
                (
                    "saved_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["centre", "kind", "-version"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("centre", "kind", "version"),
                        name="clinic_lettertemplate_version_once",
                        violation_error_message="Somebody else has just stored this version.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["therapy_summary", "cycle_letter"])),
                        name="clinic_lettertemplate_kind_known",
                        violation_error_message="There is no such letter.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("version__gte", 1),
                            models.Q(("title", ""), _negated=True),
                            models.Q(("body", ""), _negated=True),
                        ),
                        name="clinic_lettertemplate_says_something",
                        violation_error_message="A letter needs a title and a text.",
                    ),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="lettertemplate",
            trigger=pgtrigger.compiler.Trigger(
                name="versions_stay",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="2a274ab359b03f8e58da13cb1310970bb49d68d5",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_versions_stay_325b8",
                    table="clinic_lettertemplate",
                    when="BEFORE",
                ),
            ),
        ),
    ]
