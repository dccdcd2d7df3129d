"""API tokens in Django admin: created, shown once, revoked; never changed.

URLs and checkboxes use a token's `number`: the primary key is the hash, which no page shows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.debug import sensitive_variables

from organizations import actions
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
from organizations.admin.token_form import FIELDS, ORGANIZATION, USER, NewTokenForm
from organizations.models import ApiToken
from organizations.token_texts import describe

REVOKE = lazy(
    "Whatever uses it, or a token made with it, is refused from now on. This cannot be undone."
)


@admin.register(ApiToken)
class ApiTokenAdmin(ListAdmin[ApiToken]):
    """API tokens: users see their own, owners also their organizations', superusers all."""

    list_display = ["called", "may", "whose", "expires", "last_used", "state", "revoking"]
    list_select_related = ["organization", "user"]
    list_filter = [OrganizationFilter, "kind", "scope"]
    search_fields = ["name", "token_key", "organization__folded_name"]
    fields = [*FIELDS]
    actions = ["revoke"]

    def visible(self, caller: Caller) -> QuerySet[ApiToken]:
        tokens: QuerySet[ApiToken] = ApiToken.objects.all()
        if caller.is_superuser:
            return tokens
        own = Q(organization=None, user_id=caller.user.pk)
        return tokens.filter(own | Q(organization__in=caller.managed()))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    # --- Columns ---------------------------------------------------------------------------------

    @admin.display(description=lazy("Name and prefix"), ordering="name")
    def called(self, token: ApiToken) -> SafeString:
        return two_line_cell(token.name, f"{token.token_key}…")

    @admin.display(description=lazy("Scope"), ordering="scope")
    def may(self, token: ApiToken) -> SafeString:
        if token.kind == ApiToken.Kind.GRAPH:
            return two_line_cell(_("Cloud API"), ", ".join(token.message_scopes))
        scope = _("Manage") if token.scope == ApiToken.Scope.MANAGE else _("Read")
        return two_line_cell(scope, ", ".join(token.message_scopes))

    @admin.display(description=lazy("Belongs to"))
    def whose(self, token: ApiToken) -> SafeString:
        if token.organization is not None:
            return two_line_cell(token.organization, _("organization"))
        return two_line_cell(token.user.get_username(), _("user"))

    @admin.display(description=lazy("Expires"), ordering="expiry")
    def expires(self, token: ApiToken) -> str:
        return format_timestamp(token.expiry) or _("Never")

    @admin.display(description=lazy("Last used"), ordering="last_used_at")
    def last_used(self, token: ApiToken) -> str:
        return format_timestamp(token.last_used_at) or _("Never")

    @admin.display(description=lazy("State"))
    def state(self, token: ApiToken) -> str:
        if token.revoked_at is not None:
            return _("Revoked")
        if token.expiry and token.expiry <= timezone.now():
            return _("Expired")
        return _("Valid") if token.is_valid else _("User deactivated")

    @admin.display(description="")
    def revoking(self, token: ApiToken) -> SafeString | str:
        if token.revoked_at is not None:
            return ""
        page = reverse("admin:organizations_apitoken_revoke", args=[token.number])
        return format_html('<a href="{}">{}</a>', page, _("Revoke…"))

    # --- Creating --------------------------------------------------------------------------------

    def get_form(
        self,
        request: HttpRequest,
        obj: ApiToken | None = None,
        change: bool = False,
        **kwargs: Any,
    ) -> type[forms.ModelForm[ApiToken]]:
        form = super().get_form(request, obj, change, **(kwargs | {"form": NewTokenForm}))
        form.caller = caller_of(request)  # type: ignore[attr-defined]
        return hide_related_buttons(form)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with one organization: that of the filtered list, or the only one there is.

        A user who manages none can make personal tokens alone.
        """
        listed = QueryDict(request.GET.get("_changelist_filters", ""))
        initial: dict[str, Any] = dict(super().get_changeform_initial_data(request))
        managed = list(caller_of(request).managed().values_list("pk", flat=True)[:2])
        initial.setdefault("reach", ORGANIZATION if managed else USER)
        if "organization" not in initial:
            chosen = listed.get(OrganizationFilter.parameter_name, "")
            if chosen.isascii() and chosen.isdecimal() and len(chosen) < 19:
                initial["organization"] = chosen
            elif len(managed) == 1:
                initial["organization"] = managed[0]
        return initial

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().add_view(request, form_url, SINGLE_SAVE_BUTTON | (extra_context or {}))

    @sensitive_variables("text")
    def save_model(
        self, request: HttpRequest, obj: ApiToken, form: forms.ModelForm[ApiToken], change: bool
    ) -> None:
        days = form.cleaned_data["expires_in_days"]
        caller = caller_of(request)
        if not caller.actor.user:
            raise Http404
        token, text = actions.create_token(
            caller.actor.user,
            obj.name,
            caller.actor,
            organization=obj.organization,
            kind=ApiToken.Kind(obj.kind),
            scope=ApiToken.Scope(obj.scope),
            message_scopes=obj.message_scopes,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        # Only for response_add, which shows them; the text is never stored.
        obj.pk, obj.created, obj.expiry = token.pk, token.created, token.expiry
        obj.text_to_show = text  # type: ignore[attr-defined]

    @sensitive_variables()
    def response_add(
        self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret text once, in the response itself, so that it is stored nowhere."""
        context = {
            "title": _("API token created"),
            "token": obj,
            "text": obj.text_to_show,  # type: ignore[attr-defined]
            "sentences": describe(obj),
            "first_call": request.build_absolute_uri(reverse("api-organizations")),
        }
        response = self.page(request, "admin/organizations/apitoken/created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    # --- Revoking --------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        revoke = path(
            "<uuid:number>/revoke/",
            self.admin_site.admin_view(self.revoke_view),
            name="organizations_apitoken_revoke",
        )
        return [revoke, *super().get_urls()]

    def revoke_view(self, request: HttpRequest, number: UUID) -> HttpResponse:
        """GET: ask for confirmation. POST: revoke the token."""
        token = self.visible(caller_of(request)).filter(number=number).first()
        if token is None:
            raise Http404
        if request.method != "POST":
            return self.confirmation(request, str(REVOKE), _("Revoke"), [(token.number, token)])
        actions.revoke_token(token, caller_of(request).actor)
        messages.success(request, _("Revoked: {what}.").format(what=token))
        return redirect("admin:organizations_apitoken_changelist")

    @admin.action(description=lazy("Revoke selected API tokens"))
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> HttpResponse | None:
        tokens = list(queryset)
        if "confirmed" not in request.POST:
            names = [(token.number, token) for token in tokens]
            return self.confirmation(request, str(REVOKE), _("Revoke"), names, "revoke")
        for token in tokens:
            actions.revoke_token(token, caller_of(request).actor)
        messages.success(request, _("Revoked: {what}.").format(what=len(tokens)))
        return None

    @admin.display(description=SafeString('<input type="checkbox" id="action-toggle">'))
    def action_checkbox(self, obj: ApiToken) -> SafeString:
        label = {"class": "action-select", "aria-label": _("Select {what}").format(what=obj)}
        return forms.CheckboxInput(label, lambda value: False).render(
            ACTION_CHECKBOX_NAME, str(obj.number)
        )

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Replace the posted token numbers by primary keys, which Django's actions expect."""
        if request.method == "POST":
            posted = request.POST.copy()
            numbers = [value for value in posted.getlist(ACTION_CHECKBOX_NAME) if _is_number(value)]
            chosen = self.get_queryset(request).filter(number__in=numbers)
            posted.setlist(ACTION_CHECKBOX_NAME, list(chosen.values_list("pk", flat=True)))
            request.POST = posted  # type: ignore[assignment]
        return super().changelist_view(request, extra_context)


def _is_number(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
