"""What every page of a tenant's data stands on: own rows only, and nothing is written by default.

A page that writes overrides a permission and calls `actions`. What is not one's own does not exist
(404), and Django's own log of changes stays empty: the audit tells who changed what.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as lazy

from organizations.access import Caller, for_user
from organizations.models import Organization

M = TypeVar("M", bound=Model)
F = TypeVar("F", bound="ModelForm[Any]")

# Enough for the filters; a regular expression, say, could keep the server busy.
LOOKUPS = frozenset({"", "exact", "gte", "lt", "year", "month", "day"})
FILTER_LENGTH = 50


def caller_of(request: HttpRequest) -> Caller:
    """Who sits in front of this page, and where."""
    return for_user(request.user, request.META.get("REMOTE_ADDR") or None)


def is_staff(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_staff


# A form that is done once it is saved.
ONE_BUTTON = {"show_save_and_add_another": False, "show_save_and_continue": False}


def plain_choice(form: type[F]) -> type[F]:
    """A form whose organization is only chosen: no buttons beside it that lead elsewhere."""
    if field := form.base_fields.get("organization"):
        for button in ("add", "change", "view"):
            setattr(field.widget, f"can_{button}_related", False)
    return form


def stamp(time: datetime | None) -> str:
    """A moment to the second, as a history tells it."""
    return f"{localtime(time):%Y-%m-%d %H:%M:%S}" if time else ""


def two_lines(first: object, second: object) -> SafeString:
    """A cell with something small below, if there is anything."""
    small = format_html('<br><span class="below">{}</span>', second) if second else ""
    return format_html("{}{}", first or "–", small)


class TenantAdmin(admin.ModelAdmin[M]):
    """Staff look at what their caller may see, without a permission of Django's."""

    actions: Sequence[Any] | None = None

    def visible(self, caller: Caller) -> QuerySet[M]:
        """The rows that exist for this caller."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[M]:
        rows = self.visible(caller_of(request))
        ordering = self.get_ordering(request)
        return rows.order_by(*ordering) if ordering else rows

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> M | None:
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404
        return found

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What an address puts into a form; no number of a row is nothing."""
        given = super().get_changeform_initial_data(request)
        for name in self.autocomplete_fields:
            number = str(given.get(name, ""))
            if not (number.isascii() and number.isdecimal() and len(number) < 19):
                given.pop(name, None)
        return given

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Only what the filters use: a free choice would tell what a column holds, bit by bit."""
        field, _, how = lookup.partition("__")
        if field in [*self.list_filter, self.date_hierarchy]:
            return how in LOOKUPS
        return lookup in [getattr(item, "parameter_name", None) for item in self.list_filter]

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """A year or a number beyond all bounds is a filter that cannot be, as a wrong one is."""
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
        return super().changelist_view(request, title | (extra_context or {}))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise Http404

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        raise Http404

    def log_addition(self, request: HttpRequest, obj: M, message: Any) -> None:  # type: ignore[override]
        """`actions` has noted it."""

    def log_change(self, request: HttpRequest, obj: M, message: Any) -> None:  # type: ignore[override]
        """`actions` has noted it."""

    def page(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        """A page of our own, in the admin's frame."""
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
        """Ask first. `rows`: the value of each checkbox that was ticked, and what to call it."""
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


class ListAdmin(TenantAdmin[M]):
    """A list and nothing else: its rows have no page of their own."""

    list_display_links = None

    class Media:
        css = {"all": ["organizations/admin.css"]}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        raise Http404


class OrganizationFilter(admin.SimpleListFilter):
    """`?organization=<id>`, of one's own; links lead here even where the sidebar has no room."""

    title = lazy("organization")
    parameter_name = "organization"

    path = "organization"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        own = caller_of(request).organizations.order_by("name", "pk")
        shown = list(own[:FILTER_LENGTH])
        chosen = self._chosen()
        if chosen is not None and chosen not in [organization.pk for organization in shown]:
            shown = [*own.filter(pk=chosen), *shown]
        return [(str(organization.pk), organization.name) for organization in shown]

    def has_output(self) -> bool:
        """Always: Django forgets to apply a filter that has none."""
        return True

    def _chosen(self) -> int | None:
        value = self.value() or ""
        return int(value) if value.isascii() and value.isdigit() else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() is None:
            return queryset
        chosen = Organization.objects.filter(pk=self._chosen() or 0)
        return queryset.filter(**{f"{self.path}__in": chosen})
