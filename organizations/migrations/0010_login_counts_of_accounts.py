from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0009_removal_and_retention"),
    ]

    operations = [
        migrations.AlterField(
            model_name="logincount",
            name="kind",
            field=models.CharField(
                choices=[
                    ("account", "Account"),
                    ("all", "All"),
                    ("browser", "Browser"),
                    ("name", "Name"),
                    ("network", "Network"),
                ],
                max_length=10,
            ),
        ),
    ]
