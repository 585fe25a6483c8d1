"""Keys of POST requests that were done, so that one sent twice is done once."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_records"),
    ]

    operations = [
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("key", models.CharField(max_length=255)),
                ("route", models.CharField(db_comment="method and path", max_length=255)),
                (
                    "fingerprint",
                    models.CharField(
                        db_comment="keyed hash of the body, which itself is not kept", max_length=64
                    ),
                ),
                ("object_id", models.UUIDField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
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
                "indexes": [models.Index(fields=["created_at"], name="accounts_idempotencykey_age")],
                "constraints": [
                    models.UniqueConstraint(fields=("user", "key"), name="accounts_idempotencykey_once")
                ],
            },
        ),
    ]
