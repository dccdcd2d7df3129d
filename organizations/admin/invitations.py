"""Invitations in Django admin: owners invite and withdraw; the invited user accepts or declines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.forms import UsernameField
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST, require_safe

from organizations import invitations
from organizations.access import Caller
from organizations.admin.base import (
    SINGLE_SAVE_BUTTON,
    ListAdmin,
    OrganizationFilter,
    caller_of,
    format_timestamp,
    hide_related_buttons,
    two_line_cell,
)
from organizations.audit_labels import CODE_LABELS
from organizations.models import Invitation, Membership

Refused = (
    invitations.AlreadyMember,
    invitations.TooManyOpen,
    invitations.TooManyInvitations,
)


def received_by(request: HttpRequest) -> list[Invitation]:
    """Return the invitations that this user can accept or decline."""
    return list(invitations.received(caller_of(request)))


class InvitationForm(forms.ModelForm[Invitation]):
    """A form that answers the same whether the username exists or not."""

    class Meta:
        model = Invitation
        fields = ["organization", "username", "role"]
        field_classes = {"username": UsernameField}
        labels = {"username": lazy("Username or mail address")}
        help_texts = {
            "username": lazy(
                "The exact name, or the mail address, of their account. They see the invitation "
                "when they log in, and decide. You are not told here whether there is such a user."
            ),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if organization := cleaned.get("organization"):
            members = organization.memberships.filter(user__username=cleaned.get("username"))
            if members.exists():
                self.add_error("username", gettext(invitations.ALREADY_A_MEMBER))
        return cleaned


@admin.register(Invitation)
class InvitationAdmin(ListAdmin[Invitation]):
    """An organization's open invitations, and a page with the user's received invitations."""

    form = InvitationForm
    list_display = ["username", "organization", "role_name", "ends", "withdraw_link"]
    list_select_related = ["organization", "invited_by"]
    list_filter = [OrganizationFilter, "role"]
    search_fields = ["username", "organization__folded_name"]

    def visible(self, caller: Caller) -> QuerySet[Invitation]:
        return invitations.sent(caller.managed())

    def has_view_permission(self, request: HttpRequest, obj: Invitation | None = None) -> bool:
        caller = caller_of(request)
        return request.user.is_staff and (caller.is_superuser or caller.managed().exists())

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Owners invite; superusers add members without an invitation."""
        return self.has_view_permission(request) and not caller_of(request).is_superuser

    # --- Columns ---------------------------------------------------------------------------------

    @admin.display(description=lazy("role"), ordering="role")
    def role_name(self, invitation: Invitation) -> str:
        return capfirst(gettext(CODE_LABELS[invitation.role]))

    @admin.display(description=lazy("Open until"), ordering="expires_at")
    def ends(self, invitation: Invitation) -> SafeString:
        inviter = gettext("Invited by {name}").format(name=invitation.invited_by.get_username())
        return two_line_cell(format_timestamp(invitation.expires_at), inviter)

    @admin.display(description="")
    def withdraw_link(self, invitation: Invitation) -> SafeString:
        page = reverse("admin:organizations_invitation_withdraw", args=[invitation.pk])
        return format_html('<a href="{}">{}</a>', page, gettext("Withdraw…"))

    # --- Inviting --------------------------------------------------------------------------------

    def get_form(
        self,
        request: HttpRequest,
        obj: Invitation | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm[Invitation]]:
        return hide_related_buttons(super().get_form(request, obj, change, **kwargs))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = SINGLE_SAVE_BUTTON | {"title": gettext("Invite a member")} | (extra_context or {})
        try:
            return super().add_view(request, form_url, context)
        except Refused as error:
            messages.error(request, str(error))
            return redirect(request.get_full_path())

    def save_model(
        self,
        request: HttpRequest,
        obj: Invitation,
        form: forms.ModelForm[Invitation],
        change: bool,
    ) -> None:
        role = Membership.Role(obj.role)
        invitation = invitations.invite(obj.organization, obj.username, role, caller_of(request))
        obj.pk = invitation.pk

    def response_add(
        self, request: HttpRequest, obj: Invitation, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(request, gettext("Invited: {user}.").format(user=obj))
        return redirect("admin:organizations_invitation_changelist")

    # --- Custom pages ----------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Callable[..., HttpResponse]] = {
            "<uuid:invitation_id>/withdraw": self.withdraw_view,
            "received": require_safe(self.received_view),
            "received/<uuid:invitation_id>/accept": require_POST(self.accept_view),
            "received/<uuid:invitation_id>/decline": require_POST(self.decline_view),
        }
        pages = [
            path(
                f"{route}/",
                self.admin_site.admin_view(view),
                name=f"organizations_invitation_{route.rpartition('/')[2]}",
            )
            for route, view in views.items()
        ]
        return [*pages, *super().get_urls()]

    def withdraw_view(self, request: HttpRequest, invitation_id: UUID) -> HttpResponse:
        """GET: ask for confirmation. POST: withdraw the invitation."""
        found = self.visible(caller_of(request)).select_related("organization")
        invitation = found.filter(pk=invitation_id).first()
        if invitation is None:
            raise Http404
        if request.method != "POST":
            question = gettext("Nobody can accept it afterwards.")
            names = [(invitation.pk, invitation)]
            return self.confirmation(request, question, gettext("Withdraw"), names)
        actor = caller_of(request).actor
        invitations.withdraw(invitation.organization, invitation.pk, actor)
        messages.success(request, gettext("Withdrawn: {user}.").format(user=invitation))
        return redirect("admin:organizations_invitation_changelist")

    def received_view(self, request: HttpRequest) -> HttpResponse:
        """Show the invitations that this user can accept or decline."""
        context = {"title": gettext("Your invitations"), "invitations": received_by(request)}
        return self.page(request, "admin/organizations/invitation/received.html", context)

    def accept_view(self, request: HttpRequest, invitation_id: UUID) -> HttpResponse:
        """Accept an invitation."""
        text = gettext("You are a member of {organization} now.")
        return self._answer(request, invitation_id, invitations.accept, text)

    def decline_view(self, request: HttpRequest, invitation_id: UUID) -> HttpResponse:
        """Decline an invitation."""
        text = gettext("You have declined the invitation to {organization}.")
        return self._answer(request, invitation_id, invitations.decline, text)

    def _answer(
        self,
        request: HttpRequest,
        invitation_id: UUID,
        answer: Callable[[UUID, Caller], Any],
        text: str,
    ) -> HttpResponse:
        """Accept or decline an invitation, and redirect.

        An invitation that is not found gets a message instead of a 404: it may have ended since
        the page with the button was loaded.
        """
        caller = caller_of(request)
        try:
            invitation = invitations.received(caller).get(pk=invitation_id)
            answer(invitation_id, caller)
        except Invitation.DoesNotExist:
            messages.error(request, gettext("This invitation is not open any more."))
        else:
            messages.success(request, text.format(organization=invitation.organization))
        left = invitations.received(caller).exists()
        return redirect("admin:organizations_invitation_received" if left else "admin:index")
