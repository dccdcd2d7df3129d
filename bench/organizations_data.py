"""Many organizations with a token each, for the status requests; `manage.py shell` imports it."""

from __future__ import annotations

import json

from django.contrib.auth.models import User
from django.db import transaction

from connections.models import Connection
from organizations.access import COMMAND_LINE
from organizations.actions import create_token
from organizations.models import ApiToken, Organization


@transaction.atomic
def make(count: int) -> None:
    """Make organizations. Prints a line for each: its id and its token."""
    user = User.objects.get(username="bench")
    names = (f"Many {number}" for number in range(count))
    rows = Organization.objects.bulk_create(
        Organization(name=name, folded_name=name.lower()) for name in names
    )
    Connection.objects.create_missing(Organization.objects.all())
    for row in rows:
        _, text = create_token(
            user, "bench", COMMAND_LINE, organization=row, scope=ApiToken.Scope.READ
        )
        print(json.dumps([row.pk, text]))
