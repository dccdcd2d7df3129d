"""The admin site: Django's, with a second factor at the login and pages to set it up."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from organizations.login import known_browsers, throttle
from organizations.login.forms import LoginForm
from organizations.models.second_factor import app_of
from organizations.second_factor import sessions
from organizations.second_factor.sessions import Need

# Pages that staff can open before they set up a required second factor.
ALLOWED_BEFORE_SET_UP = {"logout", "password_change", "password_change_done", "second_factor"}

KEEP_TEXTS_SECONDS = 24 * 3600


class PasswordView(LoginView):
    """Checks name and password, and redirects users with a second factor to the second step."""

    template_name = "admin/login.html"
    authentication_form = LoginForm

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        user = form.get_user()
        name = user.get_username()
        if app_of(user) is not None:
            throttle.refund(self.request)
            sessions.start_pending_login(self.request, user, self.get_success_url())
            return redirect("admin:second_factor_code")
        response = super().form_valid(form)
        known_browsers.remember(self.request, response, name)
        return response


class OrgsAdminSite(AdminSite):
    """Registered as the default site (organizations/admin_config.py)."""

    # The menu is `organizations/admin/menu.py`.
    enable_nav_sidebar = False

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Return Django's context and the reader's menu."""
        # It imports models, and Django creates the site before models are loaded.
        from organizations.admin import menu

        context = super().each_context(request)
        apps = context["available_apps"]
        lists = {model["admin_url"] for app in apps for model in app["models"]}
        administrator = request.user.is_active and request.user.is_superuser
        entries = menu.entries(request.path, lists, administrator=administrator)
        current = next((entry for entry in entries if entry.current), None)
        return context | {"menu": entries, "menu_entry": current}

    def has_permission(self, request: HttpRequest) -> bool:
        if not super().has_permission(request):
            return False
        need = sessions.need_of_request(request)
        route = request.resolver_match.url_name if request.resolver_match else None
        return need is Need.NOTHING or (need is Need.SET_UP and route in ALLOWED_BEFORE_SET_UP)

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        """No form uses it, and it would list the primary keys of rows, which of tokens are hashes.

        `OrganizationSelect` says what forms use instead.
        """
        raise Http404

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "GET" and (redirection := self._redirect_logged_in(request)):
            return redirection
        context = {
            **self.each_context(request),
            "title": _("Log in"),
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
            context[REDIRECT_FIELD_NAME] = reverse("admin:index", current_app=self.name)
        request.current_app = self.name
        view: Any = PasswordView.as_view(extra_context=context)
        response: HttpResponse = view(request)
        return response

    def _redirect_logged_in(self, request: HttpRequest) -> HttpResponse | None:
        """Return the redirect for a user who is logged in already, or None to show the form."""
        if not super().has_permission(request):
            return None
        need = sessions.need_of_request(request)
        next_url = request.GET.get(REDIRECT_FIELD_NAME, "")
        if need is Need.NOTHING:
            # Another tab may have logged in since the link to this page was made.
            hosts, secure = {request.get_host()}, request.is_secure()
            safe = url_has_allowed_host_and_scheme(next_url, hosts, require_https=secure)
            return redirect(next_url if safe else "admin:index")
        if need is Need.SET_UP:
            query = f"?{REDIRECT_FIELD_NAME}={quote(next_url)}" if next_url else ""
            return redirect(reverse("admin:second_factor") + query)
        # The session is missing the code of a second factor, so it is not valid any more.
        logout(request)
        return None

    def i18n_javascript(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Return the texts of Django's scripts, which browsers keep for a while."""
        response = super().i18n_javascript(request, extra_context)
        patch_cache_control(response, private=True, max_age=KEEP_TEXTS_SECONDS)
        return response

    def get_urls(self) -> list[Any]:
        # The views import models, and Django creates the site before models are loaded.
        from organizations.second_factor import views

        return [
            path("login/code/", views.code_view, name="second_factor_code"),
            path("second-factor/", self.admin_view(views.own_view), name="second_factor"),
            path(
                "second-factor/codes/",
                self.admin_view(views.codes_view),
                name="second_factor_codes",
            ),
            path(
                "second-factor/remove/",
                self.admin_view(views.remove_view),
                name="second_factor_remove",
            ),
            *super().get_urls(),
        ]
