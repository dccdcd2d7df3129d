from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="bulkrun",
            name="missing",
            field=models.PositiveIntegerField(
                db_default=0,
                default=0,
                help_text="How many were chosen that the person could not see.",
            ),
        ),
    ]
