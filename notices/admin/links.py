"""The pages behind signed links in messages: confirm an address, or stop what is sent there.

They ask for no login: whoever reads the address decides about it. A GET changes nothing, as mail
programs open links by themselves.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from notices import links
from notices.actions import addresses
from notices.models import Address
from organizations.access import Actor
from organizations.admin.pages import READ, page_view
from organizations.secret_links import keep_private

BY_LINK = Actor("link in a notice")


@page_view(*READ, "POST")
def confirm_view(request: HttpRequest, signed: str) -> HttpResponse:
    """GET: ask. POST: begin to send notices to an address."""
    address = links.find_signed(signed, links.CONFIRM)
    if address is None or address.confirmed_at is not None:
        return _page(request, "confirm", None, 410)
    if request.method == "POST":
        addresses.confirm(address)
        return _page(request, "confirm", address, done=True)
    return _page(request, "confirm", address)


# Mail programs post to it by themselves (RFC 8058); the signature says that they may.
@csrf_exempt
@page_view(*READ, "POST")
def stop_view(request: HttpRequest, signed: str) -> HttpResponse:
    """GET: ask. POST: send nothing more to an address."""
    address = links.find_signed(signed, links.STOP)
    if address is None:
        return _page(request, "stop", None, 410)
    if request.method == "POST":
        addresses.stop(address, BY_LINK)
        return _page(request, "stop", address, done=True)
    return _page(request, "stop", address, done=not address.is_on)


def _page(
    request: HttpRequest, what: str, address: Address | None, status: int = 200, done: bool = False
) -> HttpResponse:
    context = {"what": what, "address": address, "done": done}
    response = render(request, "notices/link.html", context, status=status)
    keep_private(response)
    return response
