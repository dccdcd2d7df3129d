"""The owner's page, behind a link for the phone's owner: one address, no login.

See organizations/secret_links.py. After the link was submitted, a cookie authenticates the browser.
`actions` decides what a link allows.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from connections import actions
from connections.models import Connection, Method, OwnerLink
from connections.owner_link import links
from connections.owner_link.screen import Stage, screen
from connections.refusals import RequestRefused, too_many_attempts
from organizations import token_throttle
from organizations.phone_numbers import (
    ForeignCharacters,
    example_number,
    parse_phone_number,
    spellings,
)
from organizations.secret_links import keep_private, secret_of

# One for the page and one for its socket, which has another path; both have the same value.
COOKIES = {"owner_link": "/link/", "owner_link_socket": "/ws/link/"}
BROWSER_BYTES = 20
# The longest typed number that is read.
NUMBER_LENGTH = 32

NO_NUMBER = _("Write the whole number with + and the country code, like +55 11 98765-4321.")


@never_cache
@sensitive_post_parameters("link", "number")
def owner_view(request: HttpRequest) -> HttpResponse:
    """GET: the page. POST: `link` opens a link; `ask` is a button's request."""
    if request.method == "POST":
        response = _open(request) if "link" in request.POST else _request_code(request)
    elif request.method in ("GET", "HEAD"):
        response = _page_or_form(request)
    else:
        response = HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    keep_private(response)
    return response


def _page_or_form(request: HttpRequest) -> HttpResponse:
    cookie = _cookie(request)
    link = links.find_by_cookie(cookie)
    if link is not None:
        return _page(request, link)
    # The fragment may hold a link's secret; only the page's script can read it.
    return _closed(request, 200) if not cookie else _gone(request)


def _open(request: HttpRequest) -> HttpResponse:
    """Give the browser the cookie of its link. Starts nothing: programs open links, too."""
    secret = secret_of(request.POST["link"])
    link = links.find_by_secret(secret)
    address = _address(request)
    if link is None:
        try:
            token_throttle.record_wrong_token(address)
        except token_throttle.Throttled as error:
            page = _closed(request, 429, too_many_attempts(error.wait))
            return _retry_after(page, error.wait)
        return _gone(request)
    opened = links.find_by_cookie(_cookie(request))
    if opened is not None and opened.pk == link.pk:
        return redirect("owner")
    cookie = f"{secret}{links.SEPARATOR}{secrets.token_hex(BROWSER_BYTES)}"
    if links.find_by_cookie(cookie) is None:
        return _gone(request)
    actions.open_owner_link(link, address)
    response = redirect("owner")
    for name, path in COOKIES.items():
        response.set_cookie(
            name,
            cookie,
            max_age=links.cookie_lasts(link),
            path=path,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    return response


def _request_code(request: HttpRequest) -> HttpResponse:
    cookie = _cookie(request)
    link = links.find_by_cookie(cookie)
    if link is None:
        return _gone(request)
    try:
        if request.POST.get("ask") == "cancel":
            actions.cancel_owner_attempt(link, cookie, _address(request))
            return redirect("owner")
        method, number = _requested_code(request, link)
        actions.use_owner_link(link, cookie, _address(request), method, number)
    except ForeignCharacters as error:
        return _page(request, link, 400, problem=str(error))
    except ValueError:
        return _page(request, link, 400, problem=gettext(NO_NUMBER))
    except actions.LinkOver:
        return _gone(request)
    except RequestRefused as error:
        if error.owner_message:
            page = _page(request, link, error.status, notice=error.owner_message)
            return _retry_after(page, error.wait)
    return redirect("owner")


def _requested_code(request: HttpRequest, link: OwnerLink) -> tuple[Method | None, str]:
    """Return the method and number that a button asks for. Raises ValueError for a bad number."""
    match request.POST.get("ask"):
        case "qr":
            return Method.QR, ""
        case "phone":
            # An expected number is used without being opened.
            organization = link.connection.organization
            typed = request.POST.get("number", "")[:NUMBER_LENGTH]
            number = organization.expected_number or parse_phone_number(
                typed, *organization.known_numbers, home=link.connection.home_number
            )
            return Method.PHONE, number
        case "other-spelling":
            return _in_other_spelling(link.connection, request.POST.get("attempt", ""))
        case _:
            return None, ""


def _in_other_spelling(connection: Connection, attempt: str) -> tuple[Method | None, str]:
    """Return the method and the other spelling of an attempt's number.

    The page sends the attempt's id instead of the number, which it does not show. Asks for nothing
    when the attempt is over: the form was sent twice.
    """
    current = connection.open_attempt()
    other_spellings = spellings(connection.requested_number)
    if current is None or str(current.pk) != attempt or not other_spellings:
        return None, ""
    return Method.PHONE, other_spellings[0]


def _page(request: HttpRequest, link: OwnerLink, status: int = 200, **texts: str) -> HttpResponse:
    content = screen(link)
    organization = link.connection.organization
    context: dict[str, Any] = {
        "name": organization.name,
        "screen": content,
        "asks_number": not organization.expected_number,
        "national_example": example_number(link.connection.home_number),
        "typed_number": request.POST.get("number", "")[:NUMBER_LENGTH],
        **texts,
    }
    if status == 200 and content["stage"] == Stage.OVER:
        status = 410
    return render(request, "connections/owner_link/page.html", context, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    """Return the same page for an expired, revoked, used or unknown link."""
    return _closed(request, 410, actions.LinkOver().owner_message)


def _closed(request: HttpRequest, status: int, sentence: str = "") -> HttpResponse:
    context = {"sentence": sentence}
    return render(request, "connections/owner_link/closed.html", context, status=status)


def _retry_after(response: HttpResponse, wait: int | None) -> HttpResponse:
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


def _cookie(request: HttpRequest) -> str:
    return request.COOKIES.get("owner_link", "")


def _address(request: HttpRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None
