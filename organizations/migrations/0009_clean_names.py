"""Refuse line breaks, bidi controls and what shows nothing in names, and clean those there are."""

from __future__ import annotations

from typing import Any

from django.db import migrations, models

import organizations.names
from organizations.names import clean_name


def clean_names(apps: Any, schema_editor: Any) -> None:
    """Rename what `validate_name` refuses. The audit says what an organization was called."""
    alias = schema_editor.connection.alias
    Organization = apps.get_model("organizations", "Organization")
    AuditEntry = apps.get_model("organizations", "AuditEntry")
    organizations = Organization.objects.using(alias)
    for number, name in list(organizations.values_list("pk", "name")):
        cleaned = clean_name(name, f"Organization {number}")
        if cleaned != name and organizations.filter(pk=number, name=name).update(name=cleaned):
            AuditEntry.objects.using(alias).create(
                organization_id=number,
                action="organization_renamed",
                # As Python writes it: the old name shows what was wrong, and does no harm.
                detail=f"{_escaped(name)} → {cleaned}"[:500],
                actor="command line",
            )
    tokens = apps.get_model("organizations", "ApiToken").objects.using(alias)
    for digest, start, name in list(tokens.values_list("pk", "token_key", "name")):
        cleaned = clean_name(name, f"Token {start}")
        if cleaned != name:
            tokens.filter(pk=digest, name=name).update(name=cleaned)


def _escaped(name: str) -> str:
    return "".join(
        letter if clean_name(f"a{letter}", "") == f"a{letter}" else ascii(letter)[1:-1]
        for letter in name
    )


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0008_token_made_by"),
    ]

    operations = [
        migrations.AlterField(
            model_name="apitoken",
            name="name",
            field=models.CharField(
                help_text="What uses this token.",
                max_length=100,
                validators=[organizations.names.validate_name],
                verbose_name="name",
            ),
        ),
        migrations.AlterField(
            model_name="organization",
            name="name",
            field=models.CharField(
                max_length=200,
                validators=[organizations.names.validate_name],
                verbose_name="name",
            ),
        ),
        migrations.RunPython(clean_names, migrations.RunPython.noop),
    ]
