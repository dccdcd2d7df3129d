"""Write as a customer: a simulated phone beside the log, with WHATSAPP_SERVER=simulator only."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from connections import simulator_bridge
from connections.models import Connection
from messaging.admin.page import render_tab, wants_json
from messaging.admin.rights import find_organization, rights_of
from organizations.access import Permission
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number

MAX_TEXT = 1000


@never_cache
def phone_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: the customer's phone. POST: let the customer write. 404 without the simulator."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    organization = find_organization(request, organization_id, Permission.SEND_MESSAGES)
    if not simulator_bridge.enabled():
        raise Http404
    number = Connection.objects.of(organization).number
    if request.method == "POST":
        return _write(request, organization, number)
    return _phone(request, organization, number)


def _phone(request: HttpRequest, organization: Organization, number: str) -> HttpResponse:
    context: dict[str, Any] = {"tab": "messages", "lines": [], "customer": "", "problem": ""}
    if number:
        try:
            conversation = simulator_bridge.read_conversation(number)
            context["lines"] = conversation.lines
            context["customer"] = format_phone_number(conversation.customer)
        except simulator_bridge.CustomerFailed as error:
            context["problem"] = _failed(error)
    rights = rights_of(request, organization)
    return render_tab(request, organization, rights, "messaging/customer/page.html", context)


def _write(request: HttpRequest, organization: Organization, number: str) -> HttpResponse:
    text = request.POST.get("text", "").strip()[:MAX_TEXT]
    problem = ""
    if not number:
        problem = _("Link a phone first, on the Connection tab.")
    elif text:
        try:
            simulator_bridge.write_as_customer(number, text)
        except simulator_bridge.CustomerFailed as error:
            problem = _failed(error)
    if wants_json(request):
        answer = {"success": not problem, "problem": problem}
        return JsonResponse(answer, status=409 if problem else 200)
    if problem:
        messages.error(request, problem)
    return redirect("messages_customer", organization.pk)


def _failed(error: Exception) -> str:
    return _("The simulated phone did not answer: {problem}").format(problem=error)
