"""What the permission table stands on: every route of the project, and everyone who might ask."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.admindocs.views import simplify_regex
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern
from django.utils import timezone

from connections import actions as connections
from connections.bulk import plan
from connections.models import BulkRun, Connection, ConnectionEvent, PairingAttempt, Worker
from connections.routing import open_urlpatterns, websocket_urlpatterns
from connections.tests.support.fake_worker import FakeWorker
from messaging import media_files
from messaging import routing as messaging
from messaging.models import Contact, Media, Message
from monitoring.endpoints import PATHS as PROBES
from notices.models import Address, Notice
from organizations import actions
from organizations.access import Actor, for_user
from organizations.colleagues import actions as colleagues
from organizations.invitations import invite
from organizations.models import (
    ApiToken,
    AuditEntry,
    ColleagueInvitation,
    Invitation,
    Membership,
    Organization,
)
from organizations.models.second_factor import AuthenticatorApp
from removal.models import Removal
from webhooks.actions import endpoints
from webhooks.models import Delivery

ACTOR = Actor("the tests", address="192.0.2.1")
PASSWORD_HASH = "!"
PLACEHOLDER = re.compile(r"<(?:\w+:)?(\w+)>")

# Callers with a session, and with a token: the columns of the table.
SESSION_CALLERS = ["anonymous", "not_staff", "viewer", "operator", "owner", "outsider", "superuser"]
TOKENS = [
    "viewer_manage",
    "operator_read",
    "operator_manage",
    "owner_manage",
    "superuser_manage",
    "organization_read",
    "organization_manage",
    "outsider_manage",
    "foreign_organization",
    "expired",
    "revoked",
]
# Tokens that may do the same as another one, and something with messages.
MESSAGE_TOKENS = {
    "operator_messages": "operator_manage",
    "owner_send": "owner_manage",
    "owner_read": "owner_manage",
    "superuser_messages": "superuser_manage",
    "organization_messages": "organization_manage",
    "foreign_messages": "foreign_organization",
}
# Tokens of the Cloud API, which open nothing else.
GRAPH_TOKENS = ["graph_send", "graph_read", "foreign_graph"]
CALLERS = [*SESSION_CALLERS, *TOKENS, *MESSAGE_TOKENS, *GRAPH_TOKENS]

# Names that occur only in data of one of the two organizations.
ACME, GLOBEX = "Acme 7731", "Globex 9152"
SEES_BOTH = {"superuser", "superuser_manage", "superuser_messages"}
SEES_GLOBEX = {
    *("outsider", "outsider_manage", "foreign_organization", "foreign_messages"),
    "foreign_graph",
}
SEES_NEITHER = {"anonymous", "expired", "revoked"}


# --- Routes -------------------------------------------------------------------------------------


def routes() -> dict[str, Any]:
    """Return every route of the URLconf with its view."""
    return dict(_walk(get_resolver().url_patterns, ""))


def _walk(patterns: list[URLPattern | URLResolver], before: str) -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        route = before + name_of(pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def name_of(pattern: URLPattern | URLResolver) -> str:
    """Return a pattern as a route; groups of regular expressions become `<name>`."""
    text = str(pattern.pattern)
    return simplify_regex(text).lstrip("/") if isinstance(pattern.pattern, RegexPattern) else text


def methods(view: Any) -> list[str]:
    """Return the methods of a view: those of an API class, otherwise GET and POST."""
    if hasattr(view, "cls"):
        names = set(view.cls.http_method_names) - {"head", "options"}
        return sorted(name.upper() for name in names if hasattr(view.cls, name))
    return ["GET", "POST"]


def method_routes() -> list[str]:
    """Return "METHOD route" of all routes; the table needs a row for each."""
    return [f"{method} {route}" for route, view in routes().items() for method in methods(view)]


def sockets() -> list[str]:
    """Return the WebSocket routes."""
    own = [*messaging.websocket_urlpatterns, *websocket_urlpatterns]
    return [name_of(pattern) for pattern in [*open_urlpatterns, *own]]


def probes() -> list[str]:
    """Return the paths that the health middleware answers."""
    return list(PROBES)


# --- Callers ------------------------------------------------------------------------------------


@dataclass
class Scene:
    """Two organizations, their users and tokens, and the values for placeholders."""

    acme: Organization
    users: dict[str, User]
    tokens: dict[str, str]
    placeholder_values: dict[str, object]
    """Values by placeholder name, or by "model name" for ids of objects."""

    def client(self, caller: str) -> Client:
        if caller in self.tokens:
            return Client(headers={"Authorization": f"Bearer {self.tokens[caller]}"})
        client = Client()
        if caller in self.users:
            client.force_login(self.users[caller])
        return client

    def address(self, route: str) -> str:
        """Return a path: the route with Acme's values as placeholders."""
        model = route.split("/")[2] if route.startswith("admin/") and route.count("/") > 2 else ""

        def value(match: re.Match[str]) -> str:
            name = match[1]
            for key in (f"{route} {name}", f"{model} {name}", name):
                if key in self.placeholder_values:
                    return str(self.placeholder_values[key])
            raise AssertionError(f"{route}: say in `_placeholder_values` what its {name} is")

        return "/" + PLACEHOLDER.sub(value, route)


def build() -> Scene:
    """Create data for every route."""
    acme = actions.create_organization(ACME, ACTOR)
    globex = actions.create_organization(GLOBEX, ACTOR)
    users = {name: _user(name) for name in [*SESSION_CALLERS[1:], "dora", "erin"]}
    User.objects.filter(username="not_staff").update(is_staff=False)
    User.objects.filter(username="superuser").update(is_superuser=True)
    Role = Membership.Role
    for name, organization, role in (
        ("not_staff", acme, Role.OPERATOR),
        ("viewer", acme, Role.VIEWER),
        ("operator", acme, Role.OPERATOR),
        ("owner", acme, Role.OWNER),
        ("dora", acme, Role.OPERATOR),
        ("outsider", globex, Role.OWNER),
    ):
        actions.set_member(organization, users[name], role, ACTOR)
    users = {name: User.objects.get(username=name) for name in users}
    invite(acme, "superuser", Role.VIEWER, for_user(users["owner"]))
    nina = colleagues.Colleague("Nina", "nina@example.com", ColleagueInvitation.Role.VIEWER, True)
    colleagues.invite(nina, for_user(users["superuser"]).actor)
    AuthenticatorApp.objects.create(user=users["erin"], name="app", key="")
    worker = FakeWorker()
    for organization in (acme, globex):
        _pairing(organization, worker)
    # On a busy machine not everyone has asked when code, attempt and heartbeat grow too old.
    later = timezone.now() + timedelta(hours=1)
    Worker.objects.update(heartbeat_at=later)
    PairingAttempt.objects.update(code_expires_at=later, expires_at=later)
    _run(users["operator"], acme)
    tokens = _tokens(users, acme, globex)
    values = _placeholder_values(acme, users) | _messages(acme) | _webhooks(acme)
    values |= _notices(users) | _removal()
    return Scene(acme, users, tokens, values)


def _notices(users: dict[str, User]) -> dict[str, object]:
    """Create the operator's address, and a notice to it that could not be sent."""
    now, operator = timezone.now(), users["operator"]
    address = Address.objects.create(
        user=operator,
        kind="mail",
        target="olive@example.com",
        label="olive@example.com",
        confirmed_at=now,
        on_since=now,
    )
    notice = Notice.objects.create(
        user=operator, address=address, label=address.label, kind="test", state="failed"
    )
    return {"address_id": address.pk, "notice_id": notice.pk}


def _user(name: str) -> User:
    return User.objects.create(username=name, is_staff=True, password=PASSWORD_HASH)


def _pairing(organization: Organization, worker: FakeWorker) -> None:
    """Show a code of the organization."""
    connection = Connection.objects.of(organization)
    connections.request_reconnect(connection.pk, ACTOR)
    worker.show_code(connection)


def _run(user: User, organization: Organization) -> None:
    """Start a bulk run."""
    caller = for_user(user)
    rows = Connection.objects.filter(pk=organization.pk).select_related("organization", "worker")
    connections.start_run(caller, plan(caller, BulkRun.Action.DISCONNECT, rows))


def _messages(organization: Organization) -> dict[str, object]:
    """Store messages that wait, failed and are held. Return their values of placeholders."""
    contact = Contact.objects.create(organization=organization, number="5511912345678")
    queued, failed, _held = (
        Message.objects.create(
            organization=organization,
            contact=contact,
            direction=Message.Direction.OUT,
            type="text",
            content={"text": {"body": ACME}, "context": None},
            state=state,
        ).public_id
        for state in ("queued", "failed", "held")
    )
    received = Message.objects.create(
        organization=organization,
        contact=contact,
        direction=Message.Direction.IN,
        type="text",
        content={"text": {"body": ACME}, "context": None},
        state="received",
        whatsapp_id="3EB0C767D097E9ECFE8B4A",
    )
    api = "api/v1/organizations/<int:organization_id>/messages/<public_id:message_id>"
    log = "admin/connections/connection/<int:organization_id>/messages"
    again = f"{log}/<public_id:message_id>/again/"
    file = media_files.save([ACME.encode()], 100)
    media = Media.objects.create(
        organization=organization, state="ready", mime_type="text/plain", stored_as=file.name
    )
    return {
        "message_id": queued,
        f"{api}/resend message_id": failed,
        f"{api}/read message_id": received.public_id,
        f"{again} message_id": failed,
        "media_id": media.public_id,
        "contact_id": contact.pk,
        "signed": "nowhere",
        "static_file": "nowhere.css",
        "version": "v23.0",
    }


PAGE_ROUTES = ("/edit", "/pause", "/delete")
"""Pages of a webhook whose names the API does not have."""


def _webhooks(organization: Organization) -> dict[str, object]:
    """Make webhooks of an organization, and of all. Return their values of placeholders."""
    values: dict[str, object] = {}
    organization_page = "admin/connections/connection/<int:organization_id>/webhooks"
    before = {
        organization: ("api/v1/organizations/<int:organization_id>/webhooks", organization_page),
        None: ("api/v1/webhooks", "admin/webhooks"),
    }
    for owner, (api, page) in before.items():
        enabled, paused = (
            endpoints.create(owner, endpoints.NewEndpoint("https://crm.example.com/"), ACTOR)
            for _ in range(2)
        )
        endpoints.pause(paused.endpoint, ACTOR)
        delivery = Delivery.objects.create(
            endpoint=enabled.endpoint,
            organization=organization,
            cursor=enabled.endpoint.cursors.get(organization=organization),
            sequence=1,
            type="connection.changed",
            event_at=timezone.now(),
            state=Delivery.State.DELIVERED,
        )
        for prefix, end in ((api, ""), (page, "/")):
            one = f"{prefix}/<public_id:webhook_id>"
            delivered = f"{one}/deliveries/<public_id:delivery_id>"
            for route in ("", "/rotate", "/test", "/replay", "/deliveries", *PAGE_ROUTES):
                values[f"{one}{route}{end} webhook_id"] = enabled.endpoint.public_id
            for route in (delivered, f"{delivered}/resend"):
                values[f"{route}{end} webhook_id"] = enabled.endpoint.public_id
                values[f"{route}{end} delivery_id"] = delivery.public_id
            values[f"{one}/enable{end} webhook_id"] = paused.endpoint.public_id
    return values


def _tokens(users: dict[str, User], acme: Organization, globex: Organization) -> dict[str, str]:
    def make(
        name: str,
        user: str,
        scope: str = "manage",
        organization: Organization | None = None,
        messages: Iterable[ApiToken.MessageScope] = (),
        kind: ApiToken.Kind = ApiToken.Kind.REST,
    ) -> str:
        graph = kind == ApiToken.Kind.GRAPH
        return actions.create_token(
            users[user],
            name,
            ACTOR,
            organization=organization,
            scope=ApiToken.Scope(scope),
            message_scopes=list(messages),
            expires_at=timezone.now() + timedelta(days=1) if graph else None,
            kind=kind,
        )[1]

    every = ApiToken.MessageScope
    graph = ApiToken.Kind.GRAPH
    tokens = {
        "viewer_manage": make("viewer's", "viewer"),
        "operator_read": make("operator's reader", "operator", "read"),
        "operator_manage": make("operator's", "operator"),
        "spare": make("operator's spare", "operator"),
        "owner_manage": make("owner's", "owner"),
        "superuser_manage": make("superuser's", "superuser"),
        "organization_read": make(f"{ACME} reader", "owner", "read", acme),
        "organization_manage": make(f"{ACME} manager", "owner", "manage", acme),
        "outsider_manage": make("outsider's", "outsider"),
        "foreign_organization": make(f"{GLOBEX} manager", "outsider", "manage", globex),
        "operator_messages": make("operator's messages", "operator", messages=every),
        "owner_send": make("owner's sender", "owner", messages=[every.SEND]),
        "owner_read": make("owner's reader", "owner", messages=[every.READ]),
        "superuser_messages": make("superuser's messages", "superuser", messages=every),
        "organization_messages": make(f"{ACME} messages", "owner", "manage", acme, every),
        "foreign_messages": make(f"{GLOBEX} messages", "outsider", "manage", globex, every),
        "graph_send": make(f"{ACME} sender", "owner", "read", acme, [every.SEND], graph),
        "graph_read": make(f"{ACME} reader of texts", "owner", "read", acme, [every.READ], graph),
        "foreign_graph": make(f"{GLOBEX} software", "outsider", "read", globex, every, graph),
        "expired": make("expired", "owner"),
        "revoked": make("revoked", "owner"),
    }
    yesterday = timezone.now() - timedelta(days=1)
    ApiToken.objects.filter(name="expired").update(expiry=yesterday)
    ApiToken.objects.filter(name="revoked").update(revoked_at=yesterday)
    return tokens


def _removal() -> dict[str, object]:
    """Store a removal that is over. Return its values of placeholders."""
    removal = Removal.objects.create(
        organization_id=999_999, name="Gone", actor="root", finished_at=timezone.now()
    )
    routes = ("admin/removals/{}/", "admin/removals/{}/logout/", "api/v1/removals/{}")
    return {
        f"{route.format('<int:organization_id>')} organization_id": removal.pk for route in routes
    }


def _placeholder_values(acme: Organization, users: dict[str, User]) -> dict[str, object]:
    token = ApiToken.objects.get(name=f"{ACME} manager")
    erin = users["erin"]
    membership = Membership.objects.get(user__username="dora")
    return {
        "organization_id": acme.pk,
        "membership_id": membership.pk,
        "member": "dora",
        "colleague_id": ColleagueInvitation.objects.get().pk,
        "invitation_id": Invitation.objects.get().pk,
        "number": token.number,
        "api/v1/tokens/<uuid:number> number": ApiToken.objects.get(name="operator's spare").number,
        "id": erin.pk,
        "user_id": users["owner"].pk,
        "user user_id": erin.pk,
        "content_type_id": ContentType.objects.get_for_model(Organization).pk,
        "object_id": acme.pk,
        "app_label": "organizations",
        "url": "nowhere",
        "rest": "nowhere",
        "organization object_id": acme.pk,
        "membership object_id": membership.pk,
        "invitation object_id": Invitation.objects.get().pk,
        "apitoken object_id": token.pk,
        "auditentry object_id": AuditEntry.objects.filter(organization=acme)[0].pk,
        "user object_id": erin.pk,
        "connection object_id": acme.pk,
        "run_id": BulkRun.objects.get().pk,
        "connectionevent object_id": ConnectionEvent.objects.filter(connection=acme.pk)[0].pk,
        "pairingattempt object_id": PairingAttempt.objects.filter(connection=acme.pk)[0].pk,
    }


def leaks(caller: str, text: str) -> bool:
    """Return whether the text names an organization that the caller must not see."""
    sees_acme = caller not in SEES_GLOBEX | SEES_NEITHER
    sees_globex = caller in SEES_GLOBEX | SEES_BOTH
    return (ACME in text and not sees_acme) or (GLOBEX in text and not sees_globex)


# --- Rows ---------------------------------------------------------------------------------------

# Changed by reading requests.
VOLATILE_FIELDS = {"last_login", "last_used_at", "heartbeat_at"}


def all_rows() -> dict[str, list[tuple[object, ...]]]:
    """Return all rows that a request could change, except sessions."""
    found = {}
    with connection.cursor() as cursor:
        for name, query in _row_queries().items():
            cursor.execute(query)
            found[name] = cursor.fetchall()
    return found


@functools.cache
def _row_queries() -> dict[str, str]:
    """Return each model's query as SQL, built once: the table needs it thousands of times."""
    queries = {}
    for app in (
        *("organizations", "connections", "events", "messaging", "webhooks", "notices"),
        *("removal", "auth", "admin"),
    ):
        for model in apps.get_app_config(app).get_models():
            names = [field.attname for field in model._meta.concrete_fields]
            rows = model._base_manager.order_by("pk").values_list(*set(names) - VOLATILE_FIELDS)
            queries[model.__name__] = str(rows.query)
    return queries
