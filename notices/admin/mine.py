"""Where a person is told, and when: each their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from notices.actions import addresses
from notices.admin.forms import AddressForm, PreferencesForm, time_zones
from notices.admin.page import render
from notices.links import is_configured
from notices.models import Address, Preferences
from notices.refusals import NoticeRefused
from organizations.access import Actor
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from organizations.models import Organization


@page_view(*READ, "POST")
def mine_view(request: HttpRequest) -> HttpResponse:
    """GET: a person's addresses and hours. POST: store how they are told.

    `everywhere`: the addresses that are told of all organizations, of those that were `shown`.
    """
    user = person(request)
    preferences = own_preferences(request)
    if request.method != "POST":
        return _page(request, PreferencesForm(instance=preferences), AddressForm())
    form = PreferencesForm(request.POST, instance=preferences)
    if not form.is_valid():
        return _page(request, form, AddressForm(), 400)
    addresses.save_preferences(form.save(commit=False))
    everywhere = request.POST.getlist("everywhere")
    shown = request.POST.getlist("shown")
    for address in Address.objects.filter(user=user):
        # One that was added since the page was opened had no box on it.
        if str(address.pk) in shown:
            addresses.set_everywhere(address, str(address.pk) in everywhere)
    messages.success(request, _("The changes are saved."))
    return redirect("my_notices")


@page_view("POST")
def add_view(request: HttpRequest) -> HttpResponse:
    """POST: add an address, which is asked to confirm itself."""
    form = AddressForm(request.POST)
    if form.is_valid():
        kind = Address.Kind(form.cleaned_data["kind"] or Address.Kind.MAIL)
        target = form.cleaned_data["target"].strip()
        try:
            address = addresses.add(person(request), kind, target, _actor(request))
        except NoticeRefused as refused:
            form.add_error("target", refused.sentence)
        else:
            _remember_language(request)
            text = _("A message is on its way to {address}. Open the link in it.")
            messages.success(request, text.format(address=address.label))
            return redirect("my_notices")
    return _page(request, PreferencesForm(instance=own_preferences(request)), form, 400)


def _again(request: HttpRequest, address: Address) -> str:
    addresses.ask_again(address)
    return _("The message is on its way once more.")


def _test(request: HttpRequest, address: Address) -> str:
    addresses.send_test(address)
    return _("A test is on its way to {address}.").format(address=address.label)


def _off(request: HttpRequest, address: Address) -> str:
    addresses.stop(address, _actor(request))
    return _("Nothing more is sent to {address}.").format(address=address.label)


def _on(request: HttpRequest, address: Address) -> str:
    addresses.turn_on(address)
    return _("{address} is told again, of what happens from now on.").format(address=address.label)


def _remove(request: HttpRequest, address: Address) -> str:
    addresses.remove(address, _actor(request))
    return _("{address} is removed.").format(address=address.label)


ACTS: dict[str, Callable[[HttpRequest, Address], str]] = {
    "again": _again,
    "test": _test,
    "off": _off,
    "on": _on,
    "remove": _remove,
}
"""What a person does with an address of theirs, by the last part of the path."""


@page_view("POST")
def act_view(request: HttpRequest, address_id: int, act: str) -> HttpResponse:
    """POST: do something with an address. `organization`: whose page to return to."""
    address = Address.objects.filter(user=person(request), pk=address_id).first()
    if address is None:
        raise Http404
    try:
        messages.success(request, ACTS[act](request, address))
    except NoticeRefused as refused:
        messages.error(request, refused.sentence)
    organization = request.POST.get("organization", "")
    if organization.isascii() and organization.isdigit() and len(organization) < 19:
        return redirect("organization_notices", organization_id=int(organization))
    return redirect("my_notices")


def person(request: HttpRequest) -> User:
    """Return the person who asks; all pages here are behind the login."""
    return cast(User, request.user)


def own_preferences(request: HttpRequest) -> Preferences:
    """Return how the person who asks is told; at first in the language of their pages."""
    user = person(request)
    found: Preferences | None = Preferences.objects.filter(user=user).first()
    language = get_language() or "en"
    return found or Preferences(user=user, language=language, time_zone=settings.TIME_ZONE)


def _remember_language(request: HttpRequest) -> None:
    preferences = own_preferences(request)
    if preferences._state.adding:
        addresses.save_preferences(preferences)


def _actor(request: HttpRequest) -> Actor:
    return caller_of(request).actor


def _page(
    request: HttpRequest, form: PreferencesForm, new: AddressForm, status: int = 200
) -> HttpResponse:
    rows = Address.objects.filter(user=person(request)).prefetch_related("choices__organization")
    count = len(rows)
    visible = caller_of(request).organizations
    context: dict[str, Any] = {
        "title": _("My notices"),
        "form": form,
        "new": new,
        "addresses": [(row, _exceptions(row, visible)) for row in rows],
        "time_zones": time_zones(),
        "configured": is_configured(),
        "may_add": is_configured() and count < addresses.MAX_ADDRESSES,
        # Until a person has quiet hours, or has chosen a zone, the page begins with the browser's.
        "guess_zone": not form.is_bound
        and form.instance.quiet_from is None
        and form.instance.time_zone == settings.TIME_ZONE,
    }
    return render(request, "notices/mine.html", context, status)


def _exceptions(address: Address, visible: Any) -> list[Organization]:
    """Return the organizations of which an address is told other than of all."""
    chosen = address.choices.exclude(told=address.everywhere)
    return list(visible.filter(notice_choices__in=chosen))
