"""Decisions about many messages at once: send or drop what is held, discard what waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.utils.translation import ngettext

from messaging.actions import decisions
from messaging.admin.page import render_tab
from messaging.admin.rights import find_organization, rights_of
from messaging.models import Message
from organizations.access import Actor, Permission
from organizations.admin.base import caller_of
from organizations.models import Organization

State = Message.State


@dataclass(frozen=True)
class Decision:
    """`question`, `button` and `done` take the number of messages."""

    decide: Callable[[Organization, Actor], int]
    state: State
    question: Callable[[int], str]
    button: Callable[[int], str]
    done: Callable[[int], str]


DECISIONS = {
    "send-held": Decision(
        decisions.release_held,
        State.HELD,
        lambda count: ngettext(
            "Send {count} message that was written before the new link?",
            "Send {count} messages that were written before the new link?",
            count,
        ),
        lambda count: ngettext("Send {count} message", "Send {count} messages", count),
        lambda count: ngettext(
            "{count} message is in the queue.", "{count} messages are in the queue.", count
        ),
    ),
    "drop-held": Decision(
        decisions.drop_held,
        State.HELD,
        lambda count: ngettext(
            "Drop {count} message that was written before the new link? It is never sent.",
            "Drop {count} messages that were written before the new link? They are never sent.",
            count,
        ),
        lambda count: ngettext("Drop {count} message", "Drop {count} messages", count),
        lambda count: ngettext(
            "{count} message was dropped.", "{count} messages were dropped.", count
        ),
    ),
    "discard-waiting": Decision(
        decisions.discard_waiting,
        State.QUEUED,
        lambda count: ngettext(
            "Discard {count} waiting message? It is never sent.",
            "Discard {count} waiting messages? They are never sent.",
            count,
        ),
        lambda count: ngettext("Discard {count} message", "Discard {count} messages", count),
        lambda count: ngettext(
            "{count} message was discarded.", "{count} messages were discarded.", count
        ),
    ),
}


def decision_view(request: HttpRequest, organization_id: int, name: str) -> HttpResponse:
    """GET: ask, with the number of messages. POST: do it."""
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    organization = find_organization(request, organization_id, Permission.SEND_MESSAGES)
    decision = DECISIONS[name]
    if request.method == "POST":
        count = decision.decide(organization, caller_of(request).actor)
        messages.success(request, decision.done(count).format(count=count))
        return redirect("messages", organization.pk)
    found = Message.objects.filter(organization=organization, state=decision.state)
    count = found.count()
    if not count:
        return redirect("messages", organization.pk)
    context = {
        "tab": "messages",
        "question": decision.question(count).format(count=count),
        "button": decision.button(count).format(count=count),
        "dangerous": name != "send-held",
    }
    template = "messaging/messages/decision.html"
    return render_tab(request, organization, rights_of(request, organization), template, context)
