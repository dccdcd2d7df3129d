"""Users and groups: superusers only, whatever permissions of Django's someone has been given."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


class SuperusersOnly:
    """Everything to superusers, nothing to anyone else.

    A user who has a place or a token somewhere cannot be deleted, only made inactive: Django asks
    the admin of those rows, and there they are never deleted.
    """

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
