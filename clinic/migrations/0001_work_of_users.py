"""What users keep for themselves: care teams, reminders, saved views, drafts, and that forms were stored."""

import uuid

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("patients", "0005_dates_of_performance_and_prior_therapy"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="CareTeamMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("added_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "patient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="care_team",
                        to="patients.patient",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="looked_after",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["user__username"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("patient", "user"),
                        name="clinic_careteammember_once",
                        violation_error_message="This person looks after the patient already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.CharField(db_comment="path of the form", max_length=200)),
                ("fields", models.JSONField(help_text="Names of fields to lists of what stands in them.")),
                ("saved_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["saved_at"], name="clinic_draft_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "place"),
                        name="clinic_draft_once",
                        violation_error_message="There is a draft of this form already.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Reminders",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "feed_key",
                    models.CharField(
                        blank=True,
                        db_comment="SHA-256 of the secret of the calendar's address; blank: none",
                        max_length=64,
                    ),
                ),
                ("feed_made_at", models.DateTimeField(blank=True, null=True)),
                (
                    "own_patients_only",
                    models.BooleanField(default=False, verbose_name="only patients whom I look after"),
                ),
                (
                    "weekly_digest",
                    models.BooleanField(default=False, verbose_name="a weekly e-mail of what is due"),
                ),
                ("digest_sent_on", models.DateField(blank=True, editable=False, null=True)),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reminders",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "reminders",
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("feed_key", ""), _negated=True),
                        fields=("feed_key",),
                        name="clinic_reminders_feed_key_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                (
                    "query",
                    models.CharField(
                        blank=True, help_text="Of the list's address, without a search.", max_length=500
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "name"),
                        name="clinic_savedview_name_once",
                        violation_error_message="You have a view of this name already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("name", ""), _negated=True),
                        name="clinic_savedview_has_name",
                        violation_error_message="A view needs a name.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="SentForm",
            fields=[
                (
                    "token",
                    models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False),
                ),
                ("sent_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "patient",
                    models.ForeignKey(
                        help_text="To whose chart it led.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="patients.patient",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["sent_at"], name="clinic_sentform_age")],
            },
        ),
    ]
