"""`manage.py create_organization`."""

import io

import pytest
from django.core.management import CommandError, call_command

from organizations.models import Organization


@pytest.mark.django_db
def test_command_prints_the_id_of_each_organization() -> None:
    out = io.StringIO()
    call_command("create_organization", "Acme", "Globex", stdout=out)
    ids = [int(line) for line in out.getvalue().split()]
    assert [Organization.objects.get(pk=number).name for number in ids] == ["Acme", "Globex"]


def test_command_without_a_name_prints_usage() -> None:
    with pytest.raises(CommandError, match="NAME"):
        call_command("create_organization")
