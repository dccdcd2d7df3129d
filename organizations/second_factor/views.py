"""The pages of the second factor on the admin site: the code at the login, and the set-up."""

from __future__ import annotations

import base64
import secrets
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from organizations.access import Actor, for_user
from organizations.login import known_browsers
from organizations.models.second_factor import (
    AuthenticatorApp,
    SecretUndecryptable,
    app_of,
    decrypt_secret,
    encrypt_secret,
)
from organizations.second_factor import actions, sessions
from organizations.second_factor.credentials import WrongCredential, check_code, check_password
from organizations.second_factor.forms import CodeForm, ConfirmForm, SetUpForm

SECRET_BYTES = 20
hide_credentials = sensitive_post_parameters("code", "password", "sealed")


@hide_credentials
@never_cache
@csrf_protect
def code_view(request: HttpRequest) -> HttpResponse:
    """Ask for the code, and log in the user whose password was checked before."""
    user = sessions.pending_user(request)
    app = app_of(user) if user else None
    if user is None or app is None:
        return redirect("admin:login")
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            used_recovery = check_code(request, user, form.cleaned_data["code"])
        except WrongCredential as error:
            form.add_error("code", str(error))
        else:
            return _log_in(request, user, app, used_recovery)
    return _page(request, "code", _("Second step"), form=form)


def _log_in(
    request: HttpRequest, user: User, app: AuthenticatorApp, used_recovery: bool
) -> HttpResponse:
    if used_recovery:
        actions.record_recovery_code(user, _actor(request, user))
        count = actions.codes_left(user)
        messages.warning(request, _("Recovery codes that are left: {count}.").format(count=count))
    response = redirect(sessions.complete_login(request, user, app))
    known_browsers.remember(request, response, user.get_username())
    return response


@hide_credentials
@csrf_protect
def own_view(request: HttpRequest) -> HttpResponse:
    """Show the user's second factor, or the form to set it up."""
    app = app_of(request.user)
    if app is not None:
        left = actions.codes_left(_user(request))
        return _page(request, "overview", _("Second factor"), app=app, codes_left=left)
    return _set_up(request)


@sensitive_variables("secret", "codes")
def _set_up(request: HttpRequest) -> HttpResponse:
    user = _user(request)
    form = SetUpForm(request.POST if request.method == "POST" else None)
    secret = _secret_of(request, user)
    if secret is None:
        # A new secret, which is stored only after the app's first code.
        form, secret = SetUpForm(), secrets.token_bytes(SECRET_BYTES)
    sealed = encrypt_secret(secret, user)
    if form.is_valid():
        try:
            check_password(request, user, form.cleaned_data["password"])
            code = "".join(form.cleaned_data["code"].split())
            codes = actions.set_up(user, secret, code, _actor(request, user))
        except WrongCredential as error:
            form.add_error("password", str(error))
        except actions.WrongCode:
            form.add_error("code", _("The app shows another code by now, or has another secret."))
        except actions.AlreadySetUp:
            return redirect("admin:second_factor")
        else:
            app = app_of(user)
            assert app is not None
            sessions.mark_verified(request, app)
            return _show_codes(request, codes)
    new = AuthenticatorApp(user=user, key=sealed)
    text = base64.b32encode(secret).decode()
    return _page(
        request,
        "set_up",
        _("Set up a second factor"),
        form=form,
        sealed=sealed,
        picture=_qr_data_uri(new.config_url),
        groups=[text[start : start + 4] for start in range(0, len(text), 4)],
    )


def _secret_of(request: HttpRequest, user: User) -> bytes | None:
    """Return the secret from the submitted form, or None."""
    try:
        return decrypt_secret(request.POST.get("sealed", ""), user.pk)[0]
    except SecretUndecryptable:
        return None


@hide_credentials
@csrf_protect
def codes_view(request: HttpRequest) -> HttpResponse:
    """Replace the user's recovery codes."""
    user = _user(request)
    if app_of(user) is None:
        return redirect("admin:second_factor")
    form = _confirmation_form(request, user)
    if form.is_valid():
        return _show_codes(request, actions.renew_codes(user, _actor(request, user)))
    return _page(request, "confirm", _("New recovery codes"), form=form, action="codes")


@hide_credentials
@csrf_protect
def remove_view(request: HttpRequest) -> HttpResponse:
    """Remove the user's second factor."""
    user = _user(request)
    if app_of(user) is None:
        return redirect("admin:second_factor")
    form = _confirmation_form(request, user)
    if form.is_valid():
        actions.remove(user, _actor(request, user))
        if not settings.REQUIRE_SECOND_FACTOR:
            messages.success(request, _("Your login asks for the password alone again."))
        return redirect("admin:second_factor")
    return _page(request, "confirm", _("Remove the second factor"), form=form, action="remove")


def _confirmation_form(request: HttpRequest, user: User) -> ConfirmForm:
    """Return the form; it is valid when password and code are correct."""
    form = ConfirmForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        field = "password"
        try:
            check_password(request, user, form.cleaned_data["password"])
            field = "code"
            check_code(request, user, form.cleaned_data["code"])
        except WrongCredential as error:
            form.add_error(field, str(error))
    return form


@sensitive_variables("codes")
def _show_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    next_url = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(next_url, {request.get_host()}, request.is_secure()):
        next_url = ""
    return _page(request, "codes", _("Recovery codes"), codes=codes, next_url=next_url)


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    request.current_app = admin.site.name
    shared = {**admin.site.each_context(request), "title": title, "is_nav_sidebar_enabled": False}
    return TemplateResponse(request, f"admin/second_factor/{template}.html", shared | context)


def _qr_data_uri(text: str) -> str:
    """Return a QR code as a data URI. It contains the secret."""
    from qrcode import make
    from qrcode.image.svg import SvgPathFillImage

    picture = make(text, image_factory=SvgPathFillImage, box_size=10)
    return "data:image/svg+xml;base64," + base64.b64encode(picture.to_string()).decode()


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return User.objects.get(pk=request.user.pk)


def _actor(request: HttpRequest, user: User) -> Actor:
    return for_user(user, request.META.get("REMOTE_ADDR") or None).actor
