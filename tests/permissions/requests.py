"""The data of requests in the permission table, so that allowed ones have an effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from connections.models import Worker
from organizations.models import ColleagueInvitation
from tests.permissions.callers import Scene

ORGANIZATION = "api/v1/organizations/<int:organization_id>"
GRAPH = ["graph/<int:organization_id>", "graph/<graph_version:version>/<int:organization_id>"]
NUMBER = "+5511987654321"


def confirmed(scene: Scene) -> dict[str, Any]:
    """Return the confirmation of a page."""
    return {"confirmed": "yes"}


def graph_message(scene: Scene) -> dict[str, Any]:
    """Return a message in Meta's shape."""
    text = {"type": "text", "text": {"body": "Olá"}}
    return {"messaging_product": "whatsapp", "to": NUMBER, **text}


def graph_file(scene: Scene) -> dict[str, Any]:
    """Return a file in Meta's form."""
    return {"messaging_product": "whatsapp", "file": SimpleUploadedFile("a.txt", b"text")}


REQUEST_DATA: dict[str, Callable[[Scene], dict[str, Any]]] = {
    "GET admin/autocomplete/": lambda scene: {
        "app_label": "organizations",
        "model_name": "apitoken",
        "field_name": "made_by",
        "term": "",
    },
    "POST admin/colleagues/": lambda scene: {
        "name": "Nora",
        "email": "nora@example.com",
        "role": "viewer",
        "extent": "all",
    },
    "POST admin/colleagues/<int:colleague_id>/again/": lambda scene: {
        "seen": ColleagueInvitation.objects.get().link_version
    },
    "POST admin/organizations/organization/": lambda scene: {
        "action": "deactivate",
        "_selected_action": scene.acme.pk,
        "confirmed": "yes",
    },
    "POST admin/organizations/organization/add/": lambda scene: {
        "name": "New",
        "expected_number": NUMBER,
    },
    "POST admin/organizations/organization/<path:object_id>/change/": lambda scene: {
        "name": "New",
        "expected_number": NUMBER,
    },
    "POST admin/organizations/organization/<int:organization_id>/deactivate/": confirmed,
    "POST admin/organizations/organization/<int:organization_id>/reactivate/": confirmed,
    "POST admin/connections/connection/<int:organization_id>/phone/": lambda scene: {
        "phoneNumber": NUMBER
    },
    "POST admin/connections/connection/<int:organization_id>/owner-link/": lambda scene: {
        "seen": timezone.now().isoformat()
    },
    "POST admin/connections/connection/<int:organization_id>/expected-number/": lambda scene: {
        "expectedNumber": NUMBER
    },
    "POST admin/connections/connection/<int:organization_id>/messages/send/": lambda scene: {
        "number": NUMBER,
        "text": "Hello",
    },
    "POST admin/connections/connection/<int:organization_id>/messages/open/": lambda scene: {
        "reason": "A customer asked about an order",
    },
    "POST admin/connections/connection/<int:organization_id>/settings/": lambda scene: {
        "groups": "on",
    },
    "POST admin/connections/connection/<int:organization_id>/settings/erase/": lambda scene: {
        "name": scene.acme.name,
    },
    "POST admin/connections/connection/<int:organization_id>/settings/remove/": lambda scene: {
        "name": scene.acme.name,
        "logout": "wait",
    },
    "POST admin/connections/connection/<int:organization_id>/settings/archive/": lambda scene: {
        "reason": "The customer leaves",
    },
    "POST admin/connections/connection/<int:organization_id>/settings/retention/": lambda scene: {
        "retention_days": 30,
    },
    f"PATCH {ORGANIZATION}/retention": lambda scene: {"mediaDays": 30},
    f"POST {ORGANIZATION}/archive": lambda scene: {"reason": "The customer leaves"},
    f"POST {ORGANIZATION}/removal": lambda scene: {"name": scene.acme.name},
    "PATCH api/v1/removals/<int:organization_id>": lambda scene: {"waitForLogout": True},
    "POST admin/connections/connection/<int:organization_id>/settings/person/": lambda scene: {
        "number": "+5511912345678",
    },
    "POST admin/connections/connection/<int:organization_id>/settings/sending/": lambda scene: {
        "sending": "stop",
    },
    "POST admin/connections/connection/<int:organization_id>/notices/<int:address_id>/": (
        lambda scene: {"told": "no"}
    ),
    "POST admin/notices/mine/": lambda scene: {
        "language": "es",
        "time_zone": "America/Sao_Paulo",
    },
    "POST admin/notices/mine/add/": lambda scene: {"kind": "mail", "target": "a@example.com"},
    "POST admin/organizations/organization/<int:organization_id>/proxy/": lambda scene: {
        "name": "br-1",
        "scheme": "socks5",
        "host": "proxy.example.com",
        "port": 1080,
    },
    "POST admin/organizations/membership/": lambda scene: {
        "action": "delete_selected",
        "_selected_action": scene.placeholder_values["membership_id"],
        "post": "yes",
    },
    "POST admin/organizations/membership/add/": lambda scene: {
        "organization": scene.acme.pk,
        "username": "erin",
        "role": "viewer",
    },
    "POST admin/organizations/invitation/add/": lambda scene: {
        "organization": scene.acme.pk,
        "username": "erin",
        "role": "viewer",
    },
    "POST admin/organizations/membership/<path:object_id>/change/": lambda scene: {
        "role": "viewer"
    },
    "POST admin/organizations/apitoken/": lambda scene: {
        "action": "revoke",
        "_selected_action": scene.placeholder_values["number"],
        "confirmed": "yes",
    },
    "POST admin/organizations/apitoken/add/": lambda scene: {
        "name": "New",
        "reach": "organization",
        "scope": "read",
        "organization": scene.acme.pk,
    },
    "POST admin/auth/user/<int:user_id>/second-factor/": confirmed,
    "POST admin/auth/user/add/": lambda scene: {
        "username": "fred",
        "usable_password": "false",
    },
    "POST admin/auth/user/<path:object_id>/change/": lambda scene: {
        "username": "fred",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "12:00",
    },
    "POST admin/auth/user/<id>/password/": lambda scene: {
        "usable_password": "true",
        "password1": "aMuchLongerOne!",
        "password2": "aMuchLongerOne!",
        "set-password": "1",
    },
    "POST admin/auth/user/<path:object_id>/delete/": lambda scene: {"post": "yes"},
    "POST admin/connections/connection/": lambda scene: {
        "action": "bulk_disconnect",
        "index": 0,
        "_selected_action": scene.acme.pk,
    },
    "POST admin/connections/connection/bulk/": lambda scene: {
        "action": "disconnect",
        "chosen": scene.acme.pk,
    },
    "GET admin/connections/connection/queue/<int:organization_id>/": lambda scene: {
        "chosen": scene.acme.pk,
    },
    "POST admin/connections/connection/queue/": lambda scene: {"chosen": scene.acme.pk},
    "POST admin/connections/connection/owner-links/": lambda scene: {
        "chosen": scene.acme.pk,
        "lifetime": 3600,
        "seen": "9999-01-01T00:00:00+00:00",
    },
    "POST admin/connections/worker/": lambda scene: {
        "action": "drain",
        "_selected_action": Worker.objects.get().pk,
        "confirmed": "yes",
    },
    "POST api/v1/organizations": lambda scene: {"name": "New", "expectedNumber": NUMBER},
    f"PATCH {ORGANIZATION}": lambda scene: {"expectedNumber": NUMBER},
    f"PUT {ORGANIZATION}": lambda scene: {
        "name": "New",
        "expectedNumber": NUMBER,
        "isActive": True,
    },
    f"POST {ORGANIZATION}/members": lambda scene: {"username": "erin", "role": "viewer"},
    f"PATCH {ORGANIZATION}/members/<username:member>": lambda scene: {"role": "viewer"},
    f"POST {ORGANIZATION}/tokens": lambda scene: {"name": "New", "scope": "read"},
    "POST api/v1/tokens": lambda scene: {"name": "New", "scope": "read"},
    f"POST {ORGANIZATION}/contacts/erase": lambda scene: {"contact": "+5511912345678"},
    f"POST {ORGANIZATION}/typing": lambda scene: {"to": "+5511912345678"},
    f"POST {ORGANIZATION}/media": lambda scene: {"file": SimpleUploadedFile("a.txt", b"text")},
    f"POST {ORGANIZATION}/messages": lambda scene: {
        "to": NUMBER,
        "type": "text",
        "text": {"body": "Olá"},
    },
    **{
        request: data
        for prefix in (f"{ORGANIZATION}/webhooks", "api/v1/webhooks")
        for request, data in {
            f"POST {prefix}": lambda scene: {"url": "https://crm.example.com/"},
            f"PATCH {prefix}/<public_id:webhook_id>": lambda scene: {"state": "paused"},
            f"POST {prefix}/<public_id:webhook_id>/replay": lambda scene: {
                "fromTime": "2020-01-01T00:00:00Z"
            },
        }.items()
    },
    **{
        request: data
        for prefix in ("admin/connections/connection/<int:organization_id>/", "admin/")
        for request, data in {
            f"POST {prefix}webhooks/add/": lambda scene: {"url": "https://crm.example.com/"},
            f"POST {prefix}webhooks/<public_id:webhook_id>/edit/": lambda scene: {
                "url": "https://crm.example.com/",
                "types": "message.received",
            },
            f"POST {prefix}webhooks/<public_id:webhook_id>/replay/": lambda scene: {
                "time": "2020-01-01 00:00"
            },
        }.items()
    },
    "POST api/v1/whatsapp/reconnect": lambda scene: {"organizations": [scene.acme.pk]},
    "POST api/v1/whatsapp/owner-links": lambda scene: {"organizations": [scene.acme.pk]},
    f"PUT {ORGANIZATION}/whatsapp/proxy": lambda scene: {
        "name": "br-1",
        "kind": "socks5",
        "host": "proxy.example.com",
        "port": 1080,
    },
    f"POST {ORGANIZATION}/whatsapp/pairing-code": lambda scene: {"phoneNumber": NUMBER},
    **{f"POST {path}/messages": graph_message for path in GRAPH},
    **{f"POST {path}/media": graph_file for path in GRAPH},
}
"""By "METHOD route". Other requests have no data."""
