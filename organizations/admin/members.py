"""Members in Django admin: owners manage those of their organizations, superusers add them."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as lazy

from organizations import actions
from organizations.access import Caller, Permission
from organizations.admin.base import (
    SINGLE_SAVE_BUTTON,
    OrganizationFilter,
    TenantAdmin,
    caller_of,
    hide_related_buttons,
)
from organizations.login.accounts import find_account
from organizations.models import ApiToken, Membership
from organizations.revocation import organization_tokens

NO_SUCH_USER = lazy("There is no user of this name.")
ALREADY_A_MEMBER = lazy(
    "This user is a member already; the role is changed on the member's own page."
)


class NewMemberForm(forms.ModelForm[Membership]):
    """Add a member by name or mail address. For superusers, who see all users; owners invite."""

    username = forms.CharField(
        label=lazy("Username or mail address"),
        max_length=254,
        help_text=lazy("The exact name, or the mail address, that they log in with."),
    )

    class Meta:
        model = Membership
        fields = ["organization", "username", "role"]

    def clean_username(self) -> str:
        username = str(self.cleaned_data["username"])
        user = find_account(username)
        if user is None:
            raise forms.ValidationError(NO_SUCH_USER)
        if not user.is_active:
            raise forms.ValidationError(gettext(actions.INACTIVE_USER))
        self.instance.user = user
        return user.get_username()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if organization := cleaned.get("organization"):
            members = organization.memberships.filter(user__username=cleaned.get("username"))
            if members.exists():
                self.add_error("username", ALREADY_A_MEMBER)
        return cleaned


class MemberForm(forms.ModelForm[Membership]):
    """Change a role, and choose whether to revoke tokens that the member created as an owner."""

    revoke_tokens = forms.BooleanField(label=lazy("Revoke their tokens"), required=False)

    class Meta:
        model = Membership
        fields = ["role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tokens = _tokens_created_by(self.instance)
        self.fields["revoke_tokens"].initial = True
        self.fields["revoke_tokens"].help_text = format_html(
            "{} {}",
            gettext("Only if they become no owner: the organization's tokens that they made."),
            ", ".join(str(token) for token in tokens) or gettext("There are none."),
        )


def _tokens_created_by(membership: Membership) -> list[ApiToken]:
    return list(organization_tokens(membership.organization, membership.user))


@admin.register(Membership)
class MembershipAdmin(TenantAdmin[Membership]):
    """Members: owners change roles and remove members, superusers also add them."""

    list_display = ["user", "organization", "role", "remove_link"]
    list_display_links = ["user"]
    list_select_related = ["user", "organization"]
    list_filter = [OrganizationFilter, "role"]
    search_fields = ["user__username", "organization__folded_name"]
    ordering = ["organization__folded_name", "organization_id", "user__username"]

    def visible(self, caller: Caller) -> QuerySet[Membership]:
        return Membership.objects.filter(organization__in=caller.managed())

    def has_view_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        return self._manages(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.is_staff and caller_of(request).is_superuser

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        return self._manages(request, obj)

    def _manages(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        caller = caller_of(request)
        if not request.user.is_staff:
            return False
        if obj is None:
            return caller.is_superuser or caller.managed().exists()
        return caller.may(Permission.MANAGE, obj.organization)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the way to invite: owners a member, administrators a colleague."""
        administrator = self.has_add_permission(request)
        context = {"may_invite": not administrator, "may_invite_colleagues": administrator}
        return super().changelist_view(request, context | (extra_context or {}))

    # --- Forms -----------------------------------------------------------------------------------

    def get_form(
        self,
        request: HttpRequest,
        obj: Membership | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm[Membership]]:
        if obj is None:
            kwargs["form"] = NewMemberForm
        else:
            kwargs["form"] = MemberForm
        return hide_related_buttons(super().get_form(request, obj, change, **kwargs))

    def get_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:
        if obj is None:
            return ["organization", "username", "role"]
        return ["organization", "user", "role", "revoke_tokens"]

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> list[str]:
        return [] if obj is None else ["organization", "user"]

    def save_model(
        self,
        request: HttpRequest,
        obj: Membership,
        form: forms.ModelForm[Membership],
        change: bool,
    ) -> None:
        role, actor = Membership.Role(obj.role), caller_of(request).actor
        try:
            membership, _ = actions.set_member(
                obj.organization,
                obj.user,
                role,
                actor,
                add=not change,
                revoke_tokens=form.cleaned_data.get("revoke_tokens", True),
            )
        except Membership.DoesNotExist as error:
            # Removed since the page was loaded.
            raise Http404 from error
        obj.pk = membership.pk

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        context = SINGLE_SAVE_BUTTON | (extra_context or {})
        try:
            return super().changeform_view(request, object_id, form_url, context)
        except (actions.LastOwner, actions.InactiveUser) as error:
            messages.error(request, str(error))
            return redirect(request.path)

    # --- Removing --------------------------------------------------------------------------------

    @admin.display(description="")
    def remove_link(self, membership: Membership) -> SafeString:
        page = reverse("admin:organizations_membership_remove", args=[membership.pk])
        return format_html('<a href="{}">{}</a>', page, gettext("Remove…"))

    def get_urls(self) -> list[URLPattern]:
        remove = path(
            "<int:membership_id>/remove/",
            self.admin_site.admin_view(self.remove_view),
            name="organizations_membership_remove",
        )
        return [remove, *super().get_urls()]

    def remove_view(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        """GET: ask for confirmation. POST: remove the member."""
        rows = self.visible(caller_of(request)).select_related("user", "organization")
        membership = rows.filter(pk=membership_id).first()
        if membership is None:
            raise Http404
        tokens = _tokens_created_by(membership)
        if request.method != "POST":
            return self._removal_confirmation(request, membership, tokens)
        # Only those that the page has shown: who is being removed may have made others since.
        shown = [] if "revoke_tokens" in request.POST else request.POST.getlist("shown_token")
        kept = [token.number for token in tokens if str(token.number) in shown]
        try:
            actor = caller_of(request).actor
            revoked = actions.remove_member(membership, actor, kept_tokens=kept)
        except actions.LastOwner as error:
            messages.error(request, str(error))
        else:
            messages.success(request, gettext("Removed: {member}.").format(member=membership))
            if revoked:
                names = ", ".join(str(token) for token in revoked)
                messages.warning(request, gettext("Revoked: {what}.").format(what=names))
        page = reverse("admin:organizations_membership_changelist")
        # An owner who removed themselves may not see the list.
        if not self._manages(request):
            page = reverse("admin:index")
        return redirect(page)

    def _removal_confirmation(
        self, request: HttpRequest, membership: Membership, tokens: list[ApiToken]
    ) -> HttpResponse:
        """Render the confirmation page, with the choice to keep the member's tokens if any."""
        question = gettext(
            "Open pages of theirs on this organization end at once, and so do the links for a "
            "phone's owner and the pairings that they began."
        )
        page = self.confirmation(
            request, question, gettext("Remove"), [(membership.pk, membership)]
        )
        if tokens and page.context_data is not None:
            page.context_data |= {
                "option": "revoke_tokens",
                "option_label": gettext("Revoke the organization's tokens that they made"),
                "option_field": "shown_token",
                "option_rows": [(token.number, token) for token in tokens],
            }
        return page
