"""The page behind an invitation's link: a colleague without an account chooses a password.

See organizations/secret_links.py.
"""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from organizations import token_throttle
from organizations.colleagues import actions
from organizations.login import known_browsers
from organizations.models import ColleagueInvitation
from organizations.secret_links import LINK_LENGTH, keep_private, secret_of

TEMPLATE = "organizations/colleagues/accept.html"
BACKEND = "django.contrib.auth.backends.ModelBackend"


@never_cache
@sensitive_post_parameters("link", "secret", "new_password1", "new_password2")
def accept_view(request: HttpRequest) -> HttpResponse:
    """GET: a page that submits its link. POST `link`: the form. POST `secret`: make the account."""
    if request.method == "POST":
        response = _open(request) if "link" in request.POST else _accept(request)
    elif request.method in ("GET", "HEAD"):
        response = _render(request)
    else:
        response = HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    keep_private(response)
    return response


def _open(request: HttpRequest) -> HttpResponse:
    secret = secret_of(request.POST["link"])
    invitation = actions.find(secret)
    if invitation is None:
        return _refused(request, secret)
    return _form(request, invitation, secret, SetPasswordForm(_account(invitation)))


def _accept(request: HttpRequest) -> HttpResponse:
    secret = request.POST.get("secret", "")[:LINK_LENGTH]
    invitation = actions.find(secret)
    if invitation is None:
        return _refused(request, secret)
    form = SetPasswordForm(_account(invitation), request.POST)
    if not form.is_valid():
        return _form(request, invitation, secret, form)
    try:
        password = form.cleaned_data["new_password1"]
        user = actions.accept(secret, password, request.META.get("REMOTE_ADDR") or None)
    except actions.InvitationOver:
        return _refused(request, secret)
    except actions.MailTaken as error:
        return _closed(request, 410, str(error))
    login(request, user, backend=BACKEND)
    response = redirect("admin:index")
    known_browsers.remember(request, response, user.get_username())
    return response


def _account(invitation: ColleagueInvitation) -> User:
    """Return the account that is to be made, to compare the password with."""
    email = invitation.email
    return User(username=email, email=email, first_name=invitation.name)


def _form(
    request: HttpRequest,
    invitation: ColleagueInvitation,
    secret: str,
    form: SetPasswordForm[User],
) -> HttpResponse:
    return _render(request, invitation=invitation, secret=secret, form=form)


def _refused(request: HttpRequest, secret: str) -> HttpResponse:
    """Say that the link was used or has expired; else count it, as one that was never made."""
    over = actions.why_over(secret)
    try:
        if over is None and secret:
            token_throttle.record_wrong_token(request.META.get("REMOTE_ADDR") or None)
    except token_throttle.Throttled as error:
        response = _closed(request, 429, str(error))
        response["Retry-After"] = str(error.wait)
        return response
    if isinstance(over, actions.InvitationUsed):
        return _render(request, 410, used=True)
    return _closed(request, 410, str(over or actions.InvitationOver()))


def _closed(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    return _render(request, status, sentence=sentence)


def _render(request: HttpRequest, status: int = 200, **context: object) -> HttpResponse:
    shared = admin.site.each_context(request)
    return render(request, TEMPLATE, shared | context, status=status)
