from django.db import migrations, models

import connections.lifecycle


class Migration(migrations.Migration):
    dependencies = [
        ("connections", "0002_bulkrun_missing"),
    ]

    operations = [
        migrations.AlterField(
            model_name="bulkitem",
            name="result",
            field=models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("asked", "Under way"),
                    ("done", "Done"),
                    ("scan", "Waiting for the phone"),
                    ("phone", "Needs the phone"),
                    ("retrying", "Trying again by itself"),
                    ("skipped", "Skipped"),
                    ("failed", "Failed"),
                    ("stopped", "Stopped"),
                ],
                default="waiting",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="connectionevent",
            name="state",
            field=models.CharField(
                choices=[
                    (connections.lifecycle.State["DISCONNECTED"], "Disconnected"),
                    (connections.lifecycle.State["CONNECTING"], "Connecting"),
                    (connections.lifecycle.State["AWAITING_SCAN"], "Waiting for the phone"),
                    (connections.lifecycle.State["CONNECTED"], "Connected"),
                    (connections.lifecycle.State["RECONNECTING"], "Reconnecting"),
                    (connections.lifecycle.State["ACTION_NEEDED"], "Needs action"),
                ],
                max_length=20,
                verbose_name="state",
            ),
        ),
    ]
