"""What the requests of the permission table bring along, so that they do something when allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connections.models import Worker
from tests.permissions.callers import World

ORGANIZATION = "api/v1/organizations/<int:organization_id>"
NUMBER = "+5511987654321"


def confirmed(world: World) -> dict[str, Any]:
    """The answer to a question."""
    return {"confirmed": "yes"}


ASKED_WITH: dict[str, Callable[[World], dict[str, Any]]] = {
    "GET admin/autocomplete/": lambda world: {
        "app_label": "organizations",
        "model_name": "membership",
        "field_name": "organization",
        "term": "",
    },
    "POST admin/organizations/organization/": lambda world: {
        "action": "deactivate",
        "_selected_action": world.acme.pk,
        "confirmed": "yes",
    },
    "POST admin/organizations/organization/add/": lambda world: {
        "name": "New",
        "expected_number": NUMBER,
    },
    "POST admin/organizations/organization/<path:object_id>/change/": lambda world: {
        "name": "New",
        "expected_number": NUMBER,
    },
    "POST admin/organizations/organization/<int:organization_id>/deactivate/": confirmed,
    "POST admin/organizations/organization/<int:organization_id>/reactivate/": confirmed,
    "POST admin/connections/connection/<int:organization_id>/phone/": lambda world: {
        "phoneNumber": NUMBER
    },
    "POST admin/organizations/membership/": lambda world: {
        "action": "delete_selected",
        "_selected_action": world.named["membership_id"],
        "post": "yes",
    },
    "POST admin/organizations/membership/add/": lambda world: {
        "organization": world.acme.pk,
        "username": "erin",
        "role": "viewer",
    },
    "POST admin/organizations/invitation/add/": lambda world: {
        "organization": world.acme.pk,
        "username": "erin",
        "role": "viewer",
    },
    "POST admin/organizations/membership/<path:object_id>/change/": lambda world: {
        "role": "viewer"
    },
    "POST admin/organizations/apitoken/": lambda world: {
        "action": "revoke",
        "_selected_action": world.named["number"],
        "confirmed": "yes",
    },
    "POST admin/organizations/apitoken/add/": lambda world: {
        "name": "New",
        "scope": "read",
        "organization": world.acme.pk,
    },
    "POST admin/auth/user/<int:user_id>/second-factor/": confirmed,
    "POST admin/auth/user/add/": lambda world: {
        "username": "fred",
        "usable_password": "false",
    },
    "POST admin/auth/user/<path:object_id>/change/": lambda world: {
        "username": "fred",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "12:00",
    },
    "POST admin/auth/user/<id>/password/": lambda world: {
        "usable_password": "true",
        "password1": "aMuchLongerOne!",
        "password2": "aMuchLongerOne!",
        "set-password": "1",
    },
    "POST admin/auth/user/<path:object_id>/delete/": lambda world: {"post": "yes"},
    "POST admin/auth/group/add/": lambda world: {"name": "New"},
    "POST admin/auth/group/<path:object_id>/change/": lambda world: {"name": "New"},
    "POST admin/connections/connection/": lambda world: {
        "action": "bulk_disconnect",
        "index": 0,
        "_selected_action": world.acme.pk,
    },
    "POST admin/connections/connection/bulk/": lambda world: {
        "action": "disconnect",
        "chosen": world.acme.pk,
    },
    "POST admin/connections/worker/": lambda world: {
        "action": "drain",
        "_selected_action": Worker.objects.get().pk,
        "confirmed": "yes",
    },
    "POST admin/auth/group/<path:object_id>/delete/": lambda world: {"post": "yes"},
    "POST api/v1/organizations": lambda world: {"name": "New", "expectedNumber": NUMBER},
    f"PATCH {ORGANIZATION}": lambda world: {"expectedNumber": NUMBER},
    f"PUT {ORGANIZATION}": lambda world: {
        "name": "New",
        "expectedNumber": NUMBER,
        "isActive": True,
    },
    f"POST {ORGANIZATION}/members": lambda world: {"username": "erin", "role": "viewer"},
    f"PATCH {ORGANIZATION}/members/<username:member>": lambda world: {"role": "viewer"},
    f"POST {ORGANIZATION}/tokens": lambda world: {"name": "New", "scope": "read"},
    "POST api/v1/tokens": lambda world: {"name": "New", "scope": "read"},
    f"POST {ORGANIZATION}/whatsapp/pairing-code": lambda world: {"phoneNumber": NUMBER},
}
"""By "METHOD route". What is not here is asked without anything."""
