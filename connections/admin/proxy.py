"""The Proxy part of an organization's settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from connections import actions, proxies
from connections.actions import ProxyValues
from connections.models import OrganizationProxy
from connections.models.proxies import HOST_LENGTH, LOGIN_LENGTH, NAME_LENGTH
from connections.reason_texts import REASON_TEXTS
from connections.refusals import ProxyIsTried, TooManyRequests
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import Organization


class ProxyForm(forms.Form):
    """A proxy. Empty user and password keep what is stored, unless the proxy is another one."""

    name = forms.CharField(max_length=NAME_LENGTH)
    scheme = forms.ChoiceField(choices=OrganizationProxy.Scheme.choices)
    host = forms.CharField(max_length=HOST_LENGTH)
    port = forms.IntegerField(min_value=1, max_value=65535)
    username = forms.CharField(max_length=LOGIN_LENGTH, required=False, strip=False)
    password = forms.CharField(max_length=LOGIN_LENGTH, required=False, strip=False)
    without_login = forms.BooleanField(required=False)
    values: ProxyValues

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        given = {**data}
        if data["without_login"]:
            given |= {"username": "", "password": ""}
        elif not (data["username"] or data["password"]):
            given |= {"username": None, "password": None}
        try:
            self.values = proxies.parse_values(given)
        except ValidationError as error:
            for field, problems in error.message_dict.items():
                for problem in problems:
                    self.add_error(field, problem)
        return data


@never_cache
def proxy_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the proxy, as far as the reader may see it. POST: set it."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    permission = Permission.MANAGE if request.method == "POST" else Permission.OPERATE
    organization = _organization(request, organization_id, permission)
    stored = _stored(organization)
    if request.method != "POST":
        return _page(request, organization, stored, _form_of(stored))
    form = ProxyForm(request.POST)
    if not form.is_valid():
        return _page(request, organization, stored, form, status=400)
    try:
        actions.set_proxy(organization, form.values, caller_of(request).actor)
    except TooManyRequests as refused:
        messages.error(request, refused.page_message)
        return _page(request, organization, stored, form, status=429)
    messages.success(request, _("The proxy is saved. What is connected connects again through it."))
    return redirect("proxy", organization.pk)


def try_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: connect to WhatsApp through the proxy."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = _organization(request, organization_id, Permission.OPERATE)
    try:
        result = proxies.try_proxy(organization)
    except OrganizationProxy.DoesNotExist:
        messages.error(request, _("This organization has no proxy."))
    except ProxyIsTried as refused:
        messages.error(request, refused.page_message)
    else:
        if result.problem is None:
            messages.success(request, proxies.sentence_of(result))
        else:
            step = REASON_TEXTS[proxies.REASONS[result.problem]].next_step
            messages.error(request, f"{proxies.sentence_of(result)} {step}")
    return redirect("proxy", organization.pk)


def remove_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: ask for confirmation. POST: remove the proxy."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    organization = _organization(request, organization_id, Permission.MANAGE)
    stored = _stored(organization)
    if stored is None:
        return redirect("proxy", organization.pk)
    if request.method != "POST":
        return _render(
            request, organization, "connections/proxy/remove.html", {"proxy": stored}, 200
        )
    try:
        actions.remove_proxy(organization, caller_of(request).actor)
        messages.success(request, _("The proxy is removed."))
    except TooManyRequests as refused:
        messages.error(request, refused.page_message)
    return redirect("proxy", organization.pk)


def _organization(
    request: HttpRequest, organization_id: int, permission: Permission
) -> Organization:
    """Return the organization. Raises Http404 for outsiders, PermissionDenied without the right."""
    try:
        return caller_of(request).organization(organization_id, permission)
    except Organization.DoesNotExist as error:
        raise Http404 from error


def _stored(organization: Organization) -> OrganizationProxy | None:
    return OrganizationProxy.objects.filter(organization=organization).first()


def _form_of(stored: OrganizationProxy | None) -> ProxyForm:
    if stored is None:
        return ProxyForm(initial={"scheme": OrganizationProxy.Scheme.SOCKS5})
    names = ("name", "scheme", "host", "port")
    return ProxyForm(initial={name: getattr(stored, name) for name in names})


def _page(
    request: HttpRequest,
    organization: Organization,
    stored: OrganizationProxy | None,
    form: ProxyForm,
    status: int = 200,
) -> TemplateResponse:
    context = {
        "proxy": stored,
        "form": form,
        "schemes": OrganizationProxy.Scheme.choices,
        "last_try": proxies.last_try(stored) if stored else None,
        "login_length": LOGIN_LENGTH,
    }
    return _render(request, organization, "connections/proxy/page.html", context, status)


def _render(
    request: HttpRequest,
    organization: Organization,
    template: str,
    context: dict[str, Any],
    status: int,
) -> TemplateResponse:
    shared = {
        **admin.site.each_context(request),
        "title": _("Proxy"),
        "subtitle": organization.name,
        "organization": organization,
        "may_manage": caller_of(request).may(Permission.MANAGE, organization),
    }
    return TemplateResponse(request, template, shared | context, status=status)
