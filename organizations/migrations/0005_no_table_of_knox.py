from django.db import migrations


class Migration(migrations.Migration):
    """knox makes its own table of tokens although ours stands in for it.

    Nothing was ever in it, and PostgreSQL empties no table that it refers to.
    """

    dependencies = [
        ("knox", "0009_extend_authtoken_field"),
        ("organizations", "0004_names_for_people"),
    ]

    operations = [
        migrations.RunSQL("DROP TABLE IF EXISTS knox_authtoken", migrations.RunSQL.noop),
    ]
