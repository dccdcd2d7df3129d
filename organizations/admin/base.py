"""Base classes of the tenants' admin pages: they show the caller's rows only, read-only by default.

A page that writes overrides a permission and calls `actions`. Other tenants' rows get a 404, and
Django's own LogEntry is not used: the audit log records changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.forms import Media, ModelChoiceField, ModelForm, Script, Select
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as lazy

from organizations.access import Caller, for_user
from organizations.admin.nothing_found import nothing_found
from organizations.folding import fold
from organizations.models import Organization
from organizations.search import MAX_LENGTH
from organizations.timestamps import time_element

M = TypeVar("M", bound=Model)
F = TypeVar("F", bound="ModelForm[Any]")

# What the filters need; a regular expression from a URL could keep the server busy.
ALLOWED_LOOKUPS = frozenset({"", "exact", "gte", "lt", "year", "month", "day"})
MAX_FILTER_CHOICES = 50
MAX_ID_DIGITS = 18  # A column of the database holds no more.


def caller_of(request: HttpRequest) -> Caller:
    """Return the caller of an admin request."""
    return for_user(request.user, request.META.get("REMOTE_ADDR") or None)


def is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


# Shows only "Save": no "Save and add another", no "Save and continue editing".
SINGLE_SAVE_BUTTON = {"show_save_and_add_another": False, "show_save_and_continue": False}


def hide_related_buttons(form: type[F]) -> type[F]:
    """Remove the add, change and view buttons beside the form's organization field."""
    if field := form.base_fields.get("organization"):
        for button in ("add", "change", "view"):
            setattr(field.widget, f"can_{button}_related", False)
    return form


def format_timestamp(time: datetime | None) -> str:
    """Return an element with a time to the second, or "" for None."""
    return time_element(time) if time else ""


def two_line_cell(first: object, second: object) -> SafeString:
    """Return a table cell: `first`, and `second` in small print below it if it is not empty."""
    small = format_html('<br><span class="below">{}</span>', second) if second else ""
    return format_html("{}{}", first or "–", small)


class OrganizationSelect(Select):
    """A plain list of organizations. Where it is long, its script adds a search.

    Django's autocomplete (select2, with jQuery) has 60 KB and ten requests.
    """

    class Media:
        js = [Script("organizations/find.js", type="module")]

    def __init__(self) -> None:
        super().__init__({"data-search": lazy("Search by name"), "data-found": lazy("Found: {}")})


class TenantAdmin(admin.ModelAdmin[M]):
    """An admin of rows that the caller may see; Django's model permissions are not used."""

    actions: Sequence[Any] | None = None
    lists_organizations = False
    """Whether its list says what helps when it finds no organization."""

    @property
    def media(self) -> Media:
        """Return nothing: Django's scripts have 290 KB, and are for what no page has.

        They are for popups of related rows and for prepopulated fields. The widgets of a form bring
        their own, and the template of a list has the script of the check boxes.
        """
        return Media()

    def visible(self, caller: Caller) -> QuerySet[M]:
        """Return the rows that this caller may see."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = self.visible(caller_of(request))
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Find each word in one of the fields; names of organizations without accents and case."""
        for word in search_term[:MAX_LENGTH].split():
            matches = Q()
            for name in self.get_search_fields(request):
                text = fold(word) if name.endswith("folded_name") else word
                matches |= Q(**{f"{name}__icontains": text})
            queryset = queryset.filter(matches)
        return queryset, False

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> M | None:
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Return whether the filters use this lookup; others could probe hidden columns."""
        field, _, operator = lookup.partition("__")
        if field in [*self.list_filter, self.date_hierarchy]:
            return operator in ALLOWED_LOOKUPS
        return lookup in [getattr(item, "parameter_name", None) for item in self.list_filter]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Treat a year or number that overflows like any other invalid filter."""
        try:
            return super().get_changelist_instance(request)
        except OverflowError as error:
            raise IncorrectLookupParameters(str(error)) from error

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return is_staff(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        title = {"title": capfirst(self.opts.verbose_name_plural)}
        response = super().changelist_view(request, title | (extra_context or {}))
        if self.lists_organizations and isinstance(response, TemplateResponse):
            self._explain_nothing(request, response.context_data or {})
        return response

    def _explain_nothing(self, request: HttpRequest, context: dict[str, Any]) -> None:
        changes: ChangeList | None = context.get("cl")
        if changes is not None and changes.result_count == 0:
            may_create = caller_of(request).is_superuser
            context["nothing_found"] = nothing_found(request, changes, may_create=may_create)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise Http404

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise Http404

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> None:  # type: ignore[override]
        """Do nothing: `actions` writes the audit log."""

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> None:  # type: ignore[override]
        """Do nothing: `actions` writes the audit log."""

    def page(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        """Render a custom page inside the admin's layout."""
        shared = {**self.admin_site.each_context(request), "opts": self.opts}
        return TemplateResponse(request, template, shared | context)

    def confirmation(
        self,
        request: HttpRequest,
        question: str,
        button: str,
        rows: Iterable[tuple[object, object]],
        action: str = "",
    ) -> TemplateResponse:
        """Render a confirmation page. `rows`: the value and the label of each selected row."""
        return self.page(
            request,
            "admin/organizations/confirmation.html",
            {
                "title": button,
                "question": question,
                "button": button,
                "rows": list(rows),
                "action": action,
                "checkbox_name": ACTION_CHECKBOX_NAME,
            },
        )

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer only the organizations that the caller manages."""
        if db_field.related_model is Organization:
            kwargs["queryset"] = caller_of(request).managed().order_by("folded_name", "pk")
            kwargs["widget"] = OrganizationSelect()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class ListAdmin(TenantAdmin[M]):
    """An admin with a change list only; its rows have no change page."""

    list_display_links = None

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        raise Http404


class OrganizationFilter(admin.SimpleListFilter):
    """Filter by `?organization=<id>`, which works even if the sidebar does not list that one."""

    title = lazy("organization")
    parameter_name = "organization"

    path = "organization"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        own = caller_of(request).organizations.order_by("folded_name", "pk")
        shown = list(own[:MAX_FILTER_CHOICES])
        chosen = self._chosen()
        if chosen is not None and chosen not in [organization.pk for organization in shown]:
            shown = [*own.filter(pk=chosen), *shown]
        return [(str(organization.pk), organization.name) for organization in shown]

    def has_output(self) -> bool:
        """Return True: Django does not apply a filter without output."""
        return True

    def _chosen(self) -> int | None:
        value = self.value() or ""
        digits = value.isascii() and value.isdigit() and len(value) <= MAX_ID_DIGITS
        return int(value) if digits else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        # By the number: audit entries stay when their organization is gone.
        return queryset.filter(**{self.path: self._chosen() or 0})
