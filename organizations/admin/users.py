"""Users in Django admin: for superusers only. Groups and model permissions open nothing here."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserChangeForm
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Field, QuerySet
from django.forms import Field as FormField
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from organizations.admin.base import caller_of
from organizations.models.second_factor import app_of
from organizations.names import validate_name
from organizations.search import MAX_LENGTH
from organizations.second_factor import actions

NAMES = ("username", "first_name", "last_name")
WITHOUT_EFFECT = ("groups", "user_permissions")


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


class SuperusersOnly:
    """Grants superusers all permissions and others none.

    A user with a membership or a token cannot be deleted, only deactivated: Django asks the admin
    classes of those rows, which refuse deletion.
    """

    def formfield_for_dbfield(
        self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> FormField | None:
        """Validate names of users like the names of organizations."""
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


for model in (User, Group, TOTPDevice, StaticDevice):
    # The second factor has its own page (organizations/second_factor/views.py).
    admin.site.unregister(model)


class OwnUserForm(UserChangeForm[User]):
    """Django's form, with the choice to revoke the organizations' tokens that this user created."""

    revoke_tokens = forms.BooleanField(
        label=lazy("Revoke their tokens"),
        required=False,
        initial=True,
        help_text=lazy(
            "Only if they become inactive or no superuser: the organizations' tokens that they "
            "made, where they are no owner. Tokens that stand for them always end with the account."
        ),
    )


class OwnPasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg]
    """Django's form, with a help text that is translated whole."""

    usable_password_help_text = lazy(  # type: ignore[assignment]
        "Without a password, this user cannot log in."
    )


@admin.register(User)
class OwnUserAdmin(SuperusersOnly, UserAdmin[User]):
    """Django's admin of users, with a button that resets the second factor.

    A change that takes rights away also revokes tokens (organizations/account_signals.py).
    """

    form = OwnUserForm
    change_password_form = OwnPasswordForm
    list_filter = ("is_staff", "is_superuser", "is_active")
    filter_horizontal = ()
    change_form_template = "admin/organizations/user/change_form.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": _("Users")} | (extra_context or {}))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        return super().get_search_results(request, queryset, search_term[:MAX_LENGTH])

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return Django's without what has no effect, and `revoke_tokens` below the status."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None:
            return fieldsets
        found = []
        for title, options in fieldsets:
            fields = [name for name in options["fields"] if name not in WITHOUT_EFFECT]
            if "is_active" in fields:
                fields.append("revoke_tokens")
            found.append((title, options | {"fields": fields}))
        return found

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> User | None:
        """Return the user with `changed_by` set, for forms and for a new password."""
        user = super().get_object(request, object_id, from_field)
        if user is not None:
            user.changed_by = caller_of(request).actor  # type: ignore[attr-defined]
        return user

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm[User], change: bool
    ) -> None:
        obj.keep_tokens = not form.cleaned_data.get("revoke_tokens", True)  # type: ignore[attr-defined]
        super().save_model(request, obj, form, change)

    def get_urls(self) -> list[URLPattern]:
        reset = path(
            "<int:user_id>/second-factor/",
            self.admin_site.admin_view(self.reset_second_factor),
            name="user_second_factor_reset",
        )
        return [reset, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        user = kwargs.get("obj")
        context["can_reset"] = user and user.pk != request.user.pk and app_of(user) is not None
        return super().render_change_form(request, context, *args, **kwargs)

    def reset_second_factor(self, request: HttpRequest, user_id: int) -> HttpResponse:
        """Remove another user's second factor, for a lost phone."""
        if not _is_superuser(request):
            raise PermissionDenied
        user = get_object_or_404(User, pk=user_id)
        if user.pk == request.user.pk:
            return redirect("admin:second_factor")
        if request.method != "POST" or request.POST.get("confirmed") != "yes":
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": _("Reset the second factor"),
                "button": _("Reset the second factor"),
                "question": _(
                    "The login of this user asks for the password alone then. Be sure who asks you "
                    "for it: the second factor is there for those who know the password."
                ),
                "rows": [(user.pk, user.get_username())],
            }
            return TemplateResponse(request, "admin/organizations/confirmation.html", context)
        if actions.remove(user, caller_of(request).actor, by_other=True):
            messages.success(request, _("The second factor was reset."))
        return redirect("admin:auth_user_change", user.pk)
