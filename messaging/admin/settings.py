"""The Settings tab: what an owner decides about the organization's messages."""

from __future__ import annotations

from django.conf import settings as project_settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from messaging.actions import decisions
from messaging.admin.forms import PersonForm, SettingsForm
from messaging.admin.page import render_tab
from messaging.admin.rights import find_organization, rights_of
from messaging.models import MessagingSettings
from organizations import actions
from organizations.access import Permission
from organizations.admin.base import caller_of
from organizations.models import Organization


@never_cache
def settings_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the settings, to read for those who do not manage. POST: change them."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    if request.method != "POST":
        organization = find_organization(request, organization_id)
        return settings_page(request, organization)
    organization = find_organization(request, organization_id, Permission.MANAGE)
    form = SettingsForm(request.POST)
    if not form.is_valid():
        return settings_page(request, organization, form, status=400)
    values = dict(form.cleaned_data)
    actor = caller_of(request).actor
    allowed = values.pop("operators_read_messages")
    actions.set_operators_read_messages(organization, allowed, actor)
    decisions.change_settings(organization, values, actor)
    messages.success(request, _("The settings are saved."))
    return redirect("message_settings", organization.pk)


def sending_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: stop sending, or allow it again."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_organization(request, organization_id, Permission.MANAGE)
    allowed = request.POST.get("sending") == "allow"
    decisions.set_sending(organization, allowed, caller_of(request).actor)
    text = _("Sending is allowed again.") if allowed else _("Sending is stopped.")
    messages.success(request, text)
    return redirect("message_settings", organization.pk)


def settings_page(
    request: HttpRequest,
    organization: Organization,
    form: SettingsForm | None = None,
    person: PersonForm | None = None,
    status: int = 200,
) -> HttpResponse:
    """Return the page, with a form that had a problem."""
    context = {
        "tab": "settings",
        "part": "messages",
        "form": form or SettingsForm.of(organization),
        "person": person,
        "stopped_at": MessagingSettings.of(organization.pk).sending_stopped_at,
        "default_per_minute": project_settings.MESSAGES_PER_MINUTE,
        "default_new_per_day": project_settings.NEW_RECIPIENTS_PER_DAY,
    }
    rights = rights_of(request, organization)
    template = "messaging/settings/page.html"
    return render_tab(request, organization, rights, template, context, status)
