"""Users and groups: superusers only, whatever permissions of Django's someone has been given."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Field
from django.forms import Field as FormField
from django.http import HttpRequest

from organizations.names import validate_name

NAMES = ("username", "first_name", "last_name", "name")


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


class SuperusersOnly:
    """Everything to superusers, nothing to anyone else.

    A user who has a place or a token somewhere cannot be deleted, only made inactive: Django asks
    the admin of those rows, and there they are never deleted.
    """

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        """Names here are held to what holds for other names."""
        field: FormField | None = super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]
        if field is not None and db_field.name in NAMES:
            field.validators.append(validate_name)
        return field

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _is_superuser(request)


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class OwnUserAdmin(SuperusersOnly, UserAdmin[User]):
    """Django's."""


@admin.register(Group)
class OwnGroupAdmin(SuperusersOnly, GroupAdmin):
    """Django's."""
