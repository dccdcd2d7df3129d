from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0010_login_counts_of_accounts"),
    ]

    operations = [
        migrations.AddField(
            model_name="colleagueinvitation",
            name="accepted_at",
            field=models.DateTimeField(help_text="When its account was made.", null=True),
        ),
    ]
