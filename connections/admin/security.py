"""What opens an organization, by who made it: API tokens, links for a phone's owner."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from connections.actions.lost_rights import revoke_keys_of, unfinished_links
from connections.models import OwnerLink
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.keys import organization_tokens, personal_tokens
from organizations.models import ApiToken, Organization


@dataclass
class KeyHolder:
    """A person, and what they have or made that opens one organization."""

    user: User
    role: str = ""
    tokens: list[ApiToken] = field(default_factory=list)
    links: list[OwnerLink] = field(default_factory=list)
    own_tokens: int = 0
    own_last_used: datetime | None = None

    @property
    def made_any(self) -> bool:
        """Whether there is something that an owner of the organization can revoke."""
        return bool(self.tokens or self.links)


def key_holders(organization: Organization) -> list[KeyHolder]:
    """Return the members and everyone else whose keys open the organization, by name."""
    tokens = list(organization_tokens(organization).select_related("user"))
    links = [link for link in unfinished_links(organization).select_related("user") if link.user]
    memberships = list(organization.memberships.select_related("user"))
    rows: list[Any] = [*memberships, *tokens, *links]
    holders = {row.user_id: KeyHolder(row.user) for row in rows}
    for membership in memberships:
        holders[membership.user_id].role = membership.get_role_display().partition(":")[0]
    for token in tokens:
        holders[token.user_id].tokens.append(token)
    for link in links:
        if link.user_id and link.is_open:
            holders[link.user_id].links.append(link)
    members = [membership.user_id for membership in memberships]
    counted = personal_tokens().filter(user__in=members).order_by().values("user")
    for row in counted.annotate(number=Count("pk"), used=Max("last_used_at")):
        holders[row["user"]].own_tokens = row["number"]
        holders[row["user"]].own_last_used = row["used"]
    return sorted(holders.values(), key=lambda holder: holder.user.get_username().casefold())


def security_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: what opens the organization."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    organization = _managed(request, organization_id)
    context = {"holders": key_holders(organization)}
    return _page(request, organization, gettext("Keys"), "connections/keys/page.html", context)


def revoke_view(request: HttpRequest, organization_id: int, user_id: int) -> HttpResponse:
    """GET: ask. POST: revoke what this person has made that opens the organization."""
    organization = _managed(request, organization_id)
    found = [holder for holder in key_holders(organization) if holder.user.pk == user_id]
    if not found:
        raise Http404
    if request.method != "POST":
        title, context = gettext("Revoke all keys of this person"), {"holder": found[0]}
        return _page(request, organization, title, "connections/keys/revoke.html", context)
    tokens, links = revoke_keys_of(found[0].user, organization, caller_of(request).actor)
    text = gettext("Revoked of {user}: API tokens: {tokens}, links: {links}.")
    messages.success(request, text.format(user=found[0].user, tokens=tokens, links=links))
    return redirect("security", organization.pk)


def _managed(request: HttpRequest, organization_id: int) -> Organization:
    """Raises Http404 for outsiders, PermissionDenied (403) for members who are no owners."""
    try:
        organization = caller_of(request).organization(organization_id, Permission.MANAGE)
    except Organization.DoesNotExist as error:
        raise Http404 from error
    return organization


def _page(
    request: HttpRequest,
    organization: Organization,
    title: str,
    template: str,
    context: dict[str, Any],
) -> TemplateResponse:
    shared = {
        **admin.site.each_context(request),
        "title": title,
        "subtitle": organization.name,
        "organization": organization,
    }
    return TemplateResponse(request, template, shared | context)
