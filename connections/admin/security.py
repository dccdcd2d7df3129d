"""The keys to an organization by their makers: API tokens and owner links."""

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

from connections.actions.lost_rights import revoke_keys, unfinished_links
from connections.models import OwnerLink
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import ApiToken, Organization
from organizations.revocation import organization_tokens, personal_tokens


@dataclass
class KeyHolder:
    """A person and their keys to one organization."""

    user: User
    role: str = ""
    tokens: list[ApiToken] = field(default_factory=list)
    links: list[OwnerLink] = field(default_factory=list)
    own_tokens: int = 0
    own_last_used: datetime | None = None

    @property
    def made_any(self) -> bool:
        """Whether an owner of the organization can revoke anything of theirs."""
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
    personal = personal_tokens().filter(user__in=members).order_by().values("user")
    for row in personal.annotate(number=Count("pk"), used=Max("last_used_at")):
        holders[row["user"]].own_tokens = row["number"]
        holders[row["user"]].own_last_used = row["used"]
    return sorted(holders.values(), key=lambda holder: holder.user.get_username().casefold())


def security_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the keys to the organization."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    organization = _managed(request, organization_id)
    context = {"holders": key_holders(organization)}
    return _page(request, organization, gettext("Keys"), "connections/keys/page.html", context)


def revoke_view(request: HttpRequest, organization_id: int, user_id: int) -> HttpResponse:
    """GET: ask for confirmation. POST: revoke this person's keys to the organization."""
    organization = _managed(request, organization_id)
    holders = [holder for holder in key_holders(organization) if holder.user.pk == user_id]
    if not holders:
        raise Http404
    holder = holders[0]
    if request.method != "POST":
        title, context = gettext("Revoke all keys of this person"), {"holder": holder}
        return _page(request, organization, title, "connections/keys/revoke.html", context)
    tokens, links = revoke_keys(holder.user, organization, caller_of(request).actor)
    text = gettext("Revoked of {user}: API tokens: {tokens}, links: {links}.")
    messages.success(request, text.format(user=holder.user, tokens=tokens, links=links))
    return redirect("security", organization.pk)


def _managed(request: HttpRequest, organization_id: int) -> Organization:
    """Return the organization. Raises Http404 for outsiders, PermissionDenied unless MANAGE."""
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
