from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Total",
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
                        choices=[
                            ("delivered", "Delivered"),
                            ("dead", "Dead"),
                            ("dropped", "Dropped"),
                            ("taken", "Taken"),
                            ("failed", "Failed"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "bucket",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="Of an attempt: its place in BOUNDS."
                    ),
                ),
                ("count", models.PositiveBigIntegerField(default=0)),
                (
                    "milliseconds",
                    models.PositiveBigIntegerField(default=0, help_text="Of attempts, in all."),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("kind", "bucket"), name="one_total_per_kind_and_bucket"
                    )
                ],
            },
        ),
    ]
