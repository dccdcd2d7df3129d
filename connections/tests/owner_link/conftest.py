"""A link for the phone's owner."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from connections import actions
from connections.models import Connection
from organizations.access import Actor


@pytest.fixture
def secret(connection: Connection, alice: User) -> str:
    return actions.make_owner_link(connection.pk, Actor("alice", alice))[1]
