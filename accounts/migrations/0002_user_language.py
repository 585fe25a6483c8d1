from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_records")]

    operations = [
        migrations.AddField(
            model_name="user",
            name="language",
            field=models.CharField(
                blank=True, help_text="Of pages and e-mails. Blank: that of the browser.", max_length=8
            ),
        ),
    ]
