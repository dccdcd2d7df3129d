from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from organizations.folding import fold

LENGTH = 400


def fold_names(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Fill the column for the organizations that there are."""
    organizations = apps.get_model("organizations", "Organization").objects
    rows = list(organizations.only("name"))
    for row in rows:
        row.folded_name = fold(row.name)[:LENGTH]
    organizations.bulk_update(rows, ["folded_name"], batch_size=200)


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0004_token_kind"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="organization",
            options={
                "ordering": ["folded_name", "pk"],
                "verbose_name": "organization",
                "verbose_name_plural": "organizations",
            },
        ),
        migrations.AddField(
            model_name="organization",
            name="folded_name",
            field=models.CharField(
                db_default="",
                editable=False,
                help_text="The name without accents and case, for searches and the order of lists.",
                max_length=400,
            ),
        ),
        migrations.AddIndex(
            model_name="organization",
            index=models.Index(fields=["folded_name"], name="organization_folded_name"),
        ),
        migrations.RunPython(fold_names, migrations.RunPython.noop),
    ]
