"""Pages that export what is stored, and erase it. Owners only."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache

from messaging.actions import contacts, decisions, erasure
from messaging.actions.contacts import Address
from messaging.admin.forms import EraseAllForm, PersonForm
from messaging.admin.page import render_tab
from messaging.admin.rights import find_organization, rights_of
from messaging.admin.settings import settings_page
from messaging.export import export_response
from messaging.models import Contact
from organizations.admin.base import caller_of
from organizations.encryption import without_encrypted
from organizations.models import Organization
from organizations.phone_numbers import format_phone_number


def person_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """POST: lead to the page that erases the person with a number."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_owned(request, organization_id)
    form = PersonForm(request.POST)
    contact = None
    if form.is_valid():
        contact = contacts.find(organization.pk, Address(number=form.cleaned_data["number"]))
        if contact is None:
            form.add_error("number", _("Nothing is stored of a person with this number."))
    if contact is None:
        return settings_page(request, organization, person=form, status=400)
    return redirect("person_erase", organization.pk, contact.pk)


@never_cache
def erase_person_view(request: HttpRequest, organization_id: int, contact_id: int) -> HttpResponse:
    """GET: ask, with the number of messages. POST: erase everything of the person."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    organization = find_owned(request, organization_id)
    contact = _find_contact(organization, contact_id)
    if request.method == "POST":
        count = erasure.erase_contact(organization, contact.pk, caller_of(request).actor)
        done = ngettext(
            "Everything of this person is erased: {count} message.",
            "Everything of this person is erased: {count} messages.",
            count,
        )
        messages.success(request, done.format(count=count))
        return redirect("message_settings", organization.pk)
    count = contact.messages.count()
    question = ngettext(
        "Erase {count} message with {who}?", "Erase {count} messages with {who}?", count
    )
    who = format_phone_number(contact.number) or _("Hidden number")
    context = {"tab": "settings", "question": question.format(count=count, who=who)}
    rights = rights_of(request, organization)
    template = "messaging/settings/erase_person.html"
    return render_tab(request, organization, rights, template, context)


@never_cache
def erase_all_view(request: HttpRequest, organization_id: int) -> HttpResponse:
    """GET: ask for the organization's name. POST: erase all messages, people and files."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    organization = find_owned(request, organization_id)
    form = EraseAllForm(organization, request.POST if request.method == "POST" else None)
    if form.is_valid():
        count = erasure.erase_all(organization, caller_of(request).actor)
        done = ngettext(
            "Everything is erased: {count} message.",
            "Everything is erased: {count} messages.",
            count,
        )
        messages.success(request, done.format(count=count))
        return redirect("message_settings", organization.pk)
    count = erasure.erasable(organization.pk).count()
    question = ngettext(
        "Erase {count} message, and all people and files?",
        "Erase {count} messages, and all people and files?",
        count,
    )
    context = {"tab": "settings", "question": question.format(count=count), "form": form}
    rights = rights_of(request, organization)
    template = "messaging/settings/erase_all.html"
    status = 400 if form.is_bound else 200
    return render_tab(request, organization, rights, template, context, status)


def export_view(request: HttpRequest, organization_id: int) -> HttpResponseBase:
    """POST: a file with everything that is stored of messages and people."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    organization = find_owned(request, organization_id)
    decisions.record_export(organization, caller_of(request).actor)
    return export_response(organization, caller_of(request))


def find_owned(request: HttpRequest, organization_id: int) -> Organization:
    """Return an organization whose messages the person may export and erase.

    Raises Http404 for outsiders, PermissionDenied without the rights.
    """
    organization = find_organization(request, organization_id)
    caller_of(request).require_full_data(organization)
    return organization


def _find_contact(organization: Organization, contact_id: int) -> Contact:
    """Return a contact of the organization that was not erased. Raises Http404."""
    people = without_encrypted(Contact.objects.filter(organization=organization))
    contact = people.filter(pk=contact_id).first()
    if contact is None or not (contact.number or contact.lid):
        raise Http404
    return contact
