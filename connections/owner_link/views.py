"""The page behind a link for the phone's owner: one address, no login, nothing else to see.

The secret stands behind the "#" of the link, which browsers send to no one: so it is in no log, no
Referer and no preview of a chat program. The page's script hands it over in a form, and takes it
out of the address; without scripts, people paste the link into that form. From then on a cookie
shows who they are. What the link may, `actions` decides.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
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
from organizations.phone_numbers import ForeignCharacters, parse_phone_number, spellings

# One for the page and one for its socket, which has an address of its own; both hold the same.
COOKIES = {"owner_link": "/link/", "owner_link_socket": "/ws/link/"}
BROWSER_BYTES = 20
# How much of a pasted link and of a typed number is read.
LINK_LENGTH, NUMBER_LENGTH = 500, 32

NO_NUMBER = _("Write the whole number with + and the country code, like +55 11 98765-4321.")


@never_cache
@sensitive_post_parameters("link", "number")
def owner_view(request: HttpRequest) -> HttpResponse:
    """GET: what is. POST: `link`, to open one, or `ask`, for what its buttons ask."""
    if request.method == "POST":
        answer = _open(request) if "link" in request.POST else _ask(request)
    elif request.method in ("GET", "HEAD"):
        answer = _show(request)
    else:
        answer = HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    answer["X-Robots-Tag"] = "noindex, nofollow"
    # Not "no-referrer": browsers then hide the page's origin from its own forms, too, and they are
    # refused as another site's. Nothing secret is in the address, and other hosts are told none.
    answer["Referrer-Policy"] = "same-origin"
    return answer


def _show(request: HttpRequest) -> HttpResponse:
    held = _held(request)
    link = links.of_browser(held)
    if link is not None:
        return _page(request, link)
    # Behind the "#" there may be a link; only the page's script can see.
    return _closed(request, 200) if not held else _gone(request)


def _open(request: HttpRequest) -> HttpResponse:
    """A browser shows a link's secret. Nothing starts yet: programs open links, too."""
    pasted = request.POST["link"][:LINK_LENGTH].strip()
    link = links.of_secret(pasted.rpartition("#")[2])
    address = _address(request)
    if link is None:
        try:
            token_throttle.record_wrong_token(address)
        except token_throttle.Throttled as error:
            page = _closed(request, 429, too_many_attempts(error.wait))
            return _retry_after(page, error.wait)
        return _gone(request)
    shown = links.of_browser(_held(request))
    if shown is not None and shown.pk == link.pk:
        return redirect("owner")
    held = f"{pasted.rpartition('#')[2]}{links.SEPARATOR}{secrets.token_hex(BROWSER_BYTES)}"
    if links.of_browser(held) is None:
        return _gone(request)
    actions.open_owner_link(link, address)
    answer = redirect("owner")
    for name, path in COOKIES.items():
        answer.set_cookie(
            name,
            held,
            max_age=timedelta(seconds=settings.OWNER_LINK_SECONDS) + links.REMEMBERED_FOR,
            path=path,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Strict",
        )
    return answer


def _ask(request: HttpRequest) -> HttpResponse:
    held = _held(request)
    link = links.of_browser(held)
    if link is None:
        return _gone(request)
    try:
        method, number = _asked(request, link)
        actions.use_owner_link(link, held, _address(request), method, number)
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


def _asked(request: HttpRequest, link: OwnerLink) -> tuple[Method | None, str]:
    """Which kind of code. Raises ValueError for a number that is none."""
    match request.POST.get("ask"):
        case "qr":
            return Method.QR, ""
        case "phone":
            # The number that the organization expects is used, and not told.
            organization = link.connection.organization
            written = request.POST.get("number", "")[:NUMBER_LENGTH]
            number = organization.expected_number or parse_phone_number(
                written, *organization.known_numbers
            )
            return Method.PHONE, number
        case "other-spelling":
            return _in_other_spelling(link.connection, request.POST.get("attempt", ""))
        case _:
            return None, ""


def _in_other_spelling(connection: Connection, attempt: str) -> tuple[Method | None, str]:
    """Ask anew for the code of an attempt, in the other spelling of its number.

    The page names the attempt and not the number, which is not told. For an attempt that is over
    nothing is asked: the form was sent twice.
    """
    current = connection.open_attempt()
    others = spellings(connection.requested_number)
    if current is None or str(current.pk) != attempt or not others:
        return None, ""
    return Method.PHONE, others[0]


def _page(request: HttpRequest, link: OwnerLink, status: int = 200, **said: str) -> HttpResponse:
    told = screen(link)
    organization = link.connection.organization
    context: dict[str, Any] = {
        "name": organization.name,
        "told": told,
        "asks_number": not organization.expected_number,
        "written": request.POST.get("number", "")[:NUMBER_LENGTH],
        **said,
    }
    if status == 200 and told["stage"] == Stage.OVER:
        status = 410
    return render(request, "connections/owner_link/page.html", context, status=status)


def _gone(request: HttpRequest) -> HttpResponse:
    """Expired, revoked, used or unknown: the same for all."""
    return _closed(request, 410, actions.LinkOver().owner_message)


def _closed(request: HttpRequest, status: int, sentence: str = "") -> HttpResponse:
    context = {"sentence": sentence}
    return render(request, "connections/owner_link/closed.html", context, status=status)


def _retry_after(answer: HttpResponse, wait: int | None) -> HttpResponse:
    if wait is not None:
        answer["Retry-After"] = str(wait)
    return answer


def _held(request: HttpRequest) -> str:
    return request.COOKIES.get("owner_link", "")


def _address(request: HttpRequest) -> str | None:
    return request.META.get("REMOTE_ADDR") or None
