"""Organizations in Django admin; users see only their own."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from organizations import actions
from organizations.access import PERMISSIONS, Caller, Permission
from organizations.admin.base import SINGLE_SAVE_BUTTON, TenantAdmin, caller_of
from organizations.id_sets import format_ids
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number, parse_phone_number
from organizations.search import search_filter

DEACTIVATE = lazy(
    "While it is deactivated, its WhatsApp connection rests and cannot be reconnected. "
    "Credentials, members and history are kept, and it can be reactivated."
)
MAX_IN_ADDRESS = 500
"""The most ids that an address carries: servers limit its length."""
REACTIVATE = lazy("Its connection works again as it did before.")


class OrganizationForm(forms.ModelForm[Organization]):
    """A form that takes a phone number in any common notation and cleans it to digits."""

    expected_number = forms.CharField(
        label=lazy("Expected number"),
        max_length=32,
        required=False,
        widget=AdminTextInputWidget,
        help_text=lazy("Like +55 11 98765-4321: no other phone may be linked. Empty: any may."),
    )

    class Meta:
        model = Organization
        fields = ["name", "expected_number", "operators_read_messages"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["expected_number"] = format_phone_number(self.instance.expected_number)

    def clean_expected_number(self) -> str:
        text = self.cleaned_data["expected_number"]
        try:
            known = self.instance.known_numbers
            return parse_phone_number(text, *known, home=next(iter(known), "")) if text else ""
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


@admin.register(Organization)
class OrganizationAdmin(TenantAdmin[Organization]):
    """Organizations: members view, owners edit, superusers create and deactivate; none deletes."""

    lists_organizations = True
    form = OrganizationForm

    list_display = ["name", "status", "created_at", "connection_link"]
    search_fields = ["folded_name"]
    search_help_text = lazy("A name, or a number with or without its spaces.")
    ordering = ["folded_name", "pk"]
    readonly_fields = [
        "expected_number_text",
        "operators_read_messages_text",
        "status",
        "created_at",
    ]
    actions = ["owner_links", "deactivate", "reactivate"]

    def visible(self, caller: Caller) -> QuerySet[Organization]:
        return caller.organizations

    def has_add_permission(self, request: HttpRequest) -> bool:
        return caller_of(request).is_superuser

    def has_activity_permission(self, request: HttpRequest) -> bool:
        """Return whether this user may deactivate and reactivate; Django's actions ask for it."""
        return caller_of(request).is_superuser

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether this user operates any organization; Django's actions ask for it."""
        caller = caller_of(request)
        roles = set() if caller.is_superuser else set(caller.roles(caller.organizations).values())
        return caller.is_superuser or any(Permission.OPERATE in PERMISSIONS[role] for role in roles)

    def has_change_permission(self, request: HttpRequest, obj: Organization | None = None) -> bool:
        caller = caller_of(request)
        return caller.managed().exists() if obj is None else caller.may(Permission.MANAGE, obj)

    def get_fields(self, request: HttpRequest, obj: Organization | None = None) -> Any:
        if obj is None:
            return ["name", "expected_number"]
        may_change = self.has_change_permission(request, obj)
        number = "expected_number" if may_change else "expected_number_text"
        messages = "operators_read_messages" if may_change else "operators_read_messages_text"
        return ["name", number, messages, "status", "created_at"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Organization], search_term: str
    ) -> tuple[QuerySet[Organization], bool]:
        return queryset.filter(search_filter(search_term)), False

    # --- Columns ---------------------------------------------------------------------------------

    @admin.display(description=lazy("Status"), ordering="deactivated_at")
    def status(self, organization: Organization) -> str:
        return _("Active") if organization.is_active else _("Deactivated")

    @admin.display(description=lazy("Expected number"))
    def expected_number_text(self, organization: Organization) -> str:
        return format_phone_number(organization.expected_number) or _("any")

    @admin.display(description=lazy("Operators read and write messages"))
    def operators_read_messages_text(self, organization: Organization) -> str:
        return _("yes") if organization.operators_read_messages else _("no")

    @admin.display(description=lazy("Connection"))
    def connection_link(self, organization: Organization) -> SafeString:
        # By URL name: this app does not import `connections`.
        page = reverse("admin:connections_connection_change", args=[organization.pk])
        return format_html('<a href="{}">{}</a>', page, _("Connection"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().add_view(request, form_url, SINGLE_SAVE_BUTTON | (extra_context or {}))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        organization = self.get_object(request, object_id)
        may_manage = organization and caller_of(request).may(Permission.MANAGE, organization)
        context = SINGLE_SAVE_BUTTON | {
            "may_manage": may_manage,
            "may_operate": organization
            and caller_of(request).may(Permission.OPERATE, organization),
            "may_deactivate": self.has_activity_permission(request),
        }
        return super().change_view(request, object_id, form_url, context | (extra_context or {}))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the audit log, which replaces Django's history page."""
        organization = self.get_object(request, object_id)
        if organization is None or not caller_of(request).may(Permission.MANAGE, organization):
            raise PermissionDenied
        page = reverse("admin:organizations_auditentry_changelist")
        return redirect(f"{page}?organization={organization.pk}")

    # --- Changes ---------------------------------------------------------------------------------

    def save_model(
        self,
        request: HttpRequest,
        obj: Organization,
        form: forms.ModelForm[Organization],
        change: bool,
    ) -> None:
        actor = caller_of(request).actor
        if change:
            actions.rename_organization(obj, obj.name, actor)
            actions.set_expected_number(obj, obj.expected_number, actor)
            actions.set_operators_read_messages(obj, obj.operators_read_messages, actor)
        else:
            obj.pk = actions.create_organization(obj.name, actor, obj.expected_number).pk

    def response_post_save_add(
        self, request: HttpRequest, obj: Organization
    ) -> HttpResponseRedirect:
        """Redirect to the connection of a new organization: a phone is linked there next."""
        return redirect("admin:connections_connection_change", obj.pk)

    def response_post_save_change(
        self, request: HttpRequest, obj: Organization
    ) -> HttpResponseRedirect:
        """Return to the Settings tab, where the change shows."""
        return redirect("admin:organizations_organization_change", obj.pk)

    def get_urls(self) -> list[URLPattern]:
        views = {"deactivate": self.deactivate_view, "reactivate": self.reactivate_view}
        activity_urls = [
            path(
                f"<int:organization_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"organizations_organization_{name}",
            )
            for name, view in views.items()
        ]
        return activity_urls + super().get_urls()

    def deactivate_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET: ask for confirmation. POST: deactivate the organization."""
        return self._set_active(request, organization_id, active=False)

    def reactivate_view(self, request: HttpRequest, organization_id: int) -> HttpResponse:
        """GET: ask for confirmation. POST: reactivate the organization."""
        return self._set_active(request, organization_id, active=True)

    def _set_active(
        self, request: HttpRequest, organization_id: int, *, active: bool
    ) -> HttpResponse:
        organization = self.visible(caller_of(request)).filter(pk=organization_id).first()
        if organization is None:
            raise Http404
        if not self.has_activity_permission(request):
            raise PermissionDenied
        confirmation = self._confirmation_page(request, [organization], active)
        if confirmation is not None:
            return confirmation
        actions.set_active(organization, active, caller_of(request).actor)
        text = _("{name} is active again.") if active else _("{name} is deactivated.")
        messages.success(request, text.format(name=organization))
        return redirect("admin:organizations_organization_change", organization.pk)

    def _confirmation_page(
        self,
        request: HttpRequest,
        organizations: list[Organization],
        active: bool,
        action: str = "",
    ) -> HttpResponse | None:
        """Return the confirmation page, or None when this request confirms."""
        if request.method == "POST" and "confirmed" in request.POST:
            return None
        return self.confirmation(
            request,
            str(REACTIVATE if active else DEACTIVATE),
            _("Reactivate") if active else _("Deactivate"),
            [(organization.pk, organization.name) for organization in organizations],
            action,
        )

    @admin.action(description=lazy("Links for owners…"), permissions=["operate"])
    def owner_links(
        self, request: HttpRequest, queryset: QuerySet[Organization]
    ) -> HttpResponse | None:
        """Lead to the question about links for the phones' owners."""
        ids = list(queryset.order_by().values_list("pk", flat=True))
        if len(ids) > MAX_IN_ADDRESS:
            text = _("Choose at most {number} organizations for this.")
            messages.error(request, text.format(number=MAX_IN_ADDRESS))
            return None
        # By URL name: this app does not import `connections`.
        return redirect(f"{reverse('owner_links')}?{urlencode({'chosen': format_ids(ids)})}")

    @admin.action(description=lazy("Deactivate selected organizations"), permissions=["activity"])
    def deactivate(
        self, request: HttpRequest, queryset: QuerySet[Organization]
    ) -> HttpResponse | None:
        return self._set_all(request, queryset, active=False)

    @admin.action(description=lazy("Reactivate selected organizations"), permissions=["activity"])
    def reactivate(
        self, request: HttpRequest, queryset: QuerySet[Organization]
    ) -> HttpResponse | None:
        return self._set_all(request, queryset, active=True)

    def _set_all(
        self, request: HttpRequest, queryset: QuerySet[Organization], *, active: bool
    ) -> HttpResponse | None:
        action = "reactivate" if active else "deactivate"
        organizations = list(queryset)
        confirmation = self._confirmation_page(request, organizations, active, action)
        if confirmation is not None:
            return confirmation
        for organization in organizations:
            actions.set_active(organization, active, caller_of(request).actor)
        text = _("Reactivated: {count}.") if active else _("Deactivated: {count}.")
        messages.success(request, text.format(count=len(organizations)))
        return None
