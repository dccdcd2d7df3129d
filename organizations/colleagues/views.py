"""The pages of administrators who invite a colleague.

Only a hash of a link is stored, so it cannot be shown again. Each form carries which link it knows
of, and makes no other one void: a page that is loaded again leaves the link alone that was copied
from it, and asks.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _
from django.views.decorators.cache import never_cache

from organizations.access import Actor
from organizations.admin.base import MAX_ID_DIGITS, caller_of
from organizations.colleagues import actions, mail
from organizations.colleagues.forms import CHOSEN, ColleagueForm
from organizations.models import ColleagueInvitation

TITLE = _("Invite a colleague")
OPEN_ALREADY = _(
    "{name} invited {email} already. That link works until {time} and cannot be shown again. To "
    "replace it by a new one, invite again."
)
MADE_ALREADY = _(
    "The new link for {email} was made already. It works until {time} and cannot be shown again. "
    "To replace it by another one, send again."
)
NOT_OPEN = _("This invitation is not open any more.")


def _administrator(request: HttpRequest) -> Actor:
    caller = caller_of(request)
    if not caller.is_superuser:
        raise PermissionDenied
    return caller.actor


@never_cache
def colleagues_view(request: HttpRequest) -> HttpResponse:
    """GET: the form and the open invitations. POST: invite; the answer shows the link once."""
    actor = _administrator(request)
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    posted = request.POST if request.method == "POST" else None
    form, seen = ColleagueForm(posted, initial=_chosen(request)), ""
    if request.method == "POST" and form.is_valid():
        try:
            invited = actions.invite(form.colleague, actor, request.POST.get("seen", ""))
            return _made(request, *invited)
        except actions.LinkMadeMeanwhile as error:
            form.add_error("email", _message(OPEN_ALREADY, error.invitation))
            seen = error.invitation.link_version
        except actions.MailTaken as error:
            form.add_error("email", str(error))
        except actions.TooManyColleagueInvitations as error:
            form.add_error(None, str(error))
    context = {
        "form": form,
        "seen": seen,
        "invitations": actions.waiting(),
        "mails": mail.is_configured(),
    }
    return _page(request, "organizations/colleagues/page.html", context)


def _chosen(request: HttpRequest) -> dict[str, Any]:
    """Return the initial values of the form: `?organization=` ticks this one alone."""
    value = request.GET.get("organization", "")
    if not (value.isascii() and value.isdecimal() and len(value) <= MAX_ID_DIGITS):
        return {}
    return {"extent": CHOSEN, "organizations": [int(value)]}


@never_cache
def again_view(request: HttpRequest, colleague_id: int) -> HttpResponse:
    """POST: make a new link for an invitation; the one before, `seen`, is void."""
    actor = _administrator(request)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    try:
        invited = actions.invite_again(colleague_id, actor, request.POST.get("seen", ""))
        return _made(request, *invited)
    except actions.LinkMadeMeanwhile as error:
        messages.warning(request, _message(MADE_ALREADY, error.invitation))
    except ColleagueInvitation.DoesNotExist:
        messages.error(request, gettext(NOT_OPEN))
    except actions.TooManyColleagueInvitations as error:
        messages.error(request, str(error))
    return redirect("colleagues")


def revoke_view(request: HttpRequest, colleague_id: int) -> HttpResponse:
    """POST: end an invitation."""
    actor = _administrator(request)
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    actions.revoke(colleague_id, actor)
    messages.success(request, gettext("The invitation was revoked."))
    return redirect("colleagues")


def _message(text: str, invitation: ColleagueInvitation) -> str:
    return gettext(text).format(
        name=invitation.invited_by.get_username(),
        email=invitation.email,
        time=date_format(localtime(invitation.expires_at), "DATETIME_FORMAT"),
    )


def _made(request: HttpRequest, invitation: ColleagueInvitation, secret: str) -> HttpResponse:
    """Show the link of a new invitation, and mail it if mails can be sent."""
    mailed = mail.send(invitation, secret) if mail.is_configured() else None
    url = f"{request.build_absolute_uri(reverse('invitation'))}#{secret}"
    context = {"invitation": invitation, "url": url, "mailed": mailed}
    return _page(request, "organizations/colleagues/made.html", context)


def _page(request: HttpRequest, template: str, context: dict[str, Any]) -> TemplateResponse:
    shared = {**admin.site.each_context(request), "title": gettext(TITLE)}
    return TemplateResponse(request, template, shared | context)
