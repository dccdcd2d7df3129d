from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", "0004_put_away_cards"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["organization", "direction", "created_at", "state"],
                name="messages_by_time_and_state",
            ),
        ),
        migrations.RemoveIndex(
            model_name="message",
            name="messaging_m_organiz_1eb77d_idx",
        ),
    ]
