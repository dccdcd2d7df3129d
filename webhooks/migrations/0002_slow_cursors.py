from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
    ]

    operations = [
        migrations.RenameField("cursor", "failing", "slow"),
        migrations.AlterField(
            model_name="cursor",
            name="slow",
            field=models.BooleanField(
                default=False,
                help_text="The last attempt got no answer in time; see worker/sockets.py.",
            ),
        ),
    ]
