"""Send a part of the log again: from where, then a question with the number, then it leaves."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from messaging.refusals import MessageRefused
from organizations.admin.base import caller_of
from organizations.admin.pages import READ, page_view
from webhooks.actions import repeats
from webhooks.actions.repeats import Replay
from webhooks.admin.forms import ReplayForm
from webhooks.admin.page import ask, render
from webhooks.admin.place import Place, find_endpoint
from webhooks.models import Endpoint
from webhooks.rights import Right


@page_view(*READ, "POST")
def replay_view(
    request: HttpRequest, webhook_id: str, organization_id: int | None = None
) -> HttpResponse:
    """GET: the form, or with `sequence` or `time` the question. POST: send the events again."""
    place, endpoint = find_endpoint(request, organization_id, webhook_id, Right.REPEAT)
    asked = request.POST if request.method == "POST" else request.GET
    if not asked:
        return _form(request, place, endpoint, ReplayForm())
    form = ReplayForm(asked)
    if form.is_valid() and form.cleaned_data["sequence"] and place.organization is None:
        # Each organization has a log of its own.
        form.add_error("sequence", _("Write a time: each organization counts its events itself."))
    if not form.is_valid():
        return _form(request, place, endpoint, form)
    start = {
        "organization": place.organization,
        "from_sequence": form.cleaned_data["sequence"],
        "from_time": form.cleaned_data["time"],
    }
    try:
        if request.method == "POST":
            replays = repeats.replay(endpoint, caller_of(request).actor, **start)
            messages.success(request, _started(replays))
            return redirect(place.url("webhook", webhook_id))
        replays = repeats.plan(endpoint, **start)
    except MessageRefused as refused:
        form.add_error(None, refused.sentence)
        return _form(request, place, endpoint, form)
    return _question(request, place, endpoint, replays, form)


def _started(replays: list[Replay]) -> str:
    count = sum(replay.events for replay in replays)
    text = ngettext("{count} event leaves again.", "{count} events leave again.", count)
    return text.format(count=count)


def _question(
    request: HttpRequest,
    place: Place,
    endpoint: Endpoint,
    replays: list[Replay],
    form: ReplayForm,
) -> HttpResponse:
    count = sum(replay.events for replay in replays)
    question = ngettext(
        "Send {count} event to {host} again?", "Send {count} events to {host} again?", count
    )
    effects = [
        _("In the order in which they happened, one after the other, beside the new ones."),
        _("What arrived before arrives twice, with the same webhook-id: your software can tell."),
    ]
    if len(replays) == 1:
        first, last = replays[0].from_sequence, replays[0].to_sequence
        effects.insert(0, _("Events {first} to {last} of the log.").format(first=first, last=last))
    else:
        text = _("Of {count} organizations, each in its own order.")
        effects.insert(0, text.format(count=len(replays)))
    if endpoint.state != Endpoint.State.ENABLED:
        effects.append(_("Nothing is sent now. They leave when the webhook is turned on."))
    return ask(
        request,
        place,
        question=question.format(count=count, host=endpoint.host),
        button=ngettext("Send {count} event again", "Send {count} events again", count).format(
            count=count
        ),
        back=place.url("webhook", endpoint.public_id),
        effects=effects,
        hidden={name: str(value) for name, value in form.data.items() if name in form.fields},
    )


def _form(request: HttpRequest, place: Place, endpoint: Endpoint, form: ReplayForm) -> HttpResponse:
    context: dict[str, Any] = {"endpoint": endpoint, "form": form}
    return render(request, place, "webhooks/replay.html", context, 400 if form.errors else 200)
