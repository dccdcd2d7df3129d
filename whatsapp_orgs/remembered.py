"""`GET status`, asked again in the same words: the same answer, for a second at most.

Programs ask for it all the time, mostly to hear that nothing has changed. Who may ask and what they
are told is decided by the view, at the one door, and nowhere here: what it answered is repeated,
byte for byte, as long as it is as good as new.

- What this process commits ends it at once: a change of the connection, and any change to tokens,
  members, organizations and users.
- What nobody tells of (what another process commits, a worker that died, a code that has expired)
  ends it within REMEMBER_SECONDS.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from connections import broadcast
from organizations.models import AuditEntry
from whatsapp_orgs import request_log

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

STATUS = re.compile(r"/api/v1/organizations/([0-9]{1,18})/whatsapp/status")
ROUTE = "api/v1/organizations/<int:organization_id>/whatsapp/status"
REMEMBER_SECONDS = 1.0
ANSWERS = 2000
CARRIES_A_BODY = frozenset({b"content-length", b"transfer-encoding"})


class Remembered:
    """An answer, and what it is as good as: the moment and the news before it was worked out."""

    def __init__(self, asked_at: float, news: tuple[int, int]) -> None:
        self.asked_at = asked_at
        self.news = news
        self.messages: list[Any] = []
        self.coming: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()


class Memory:
    """ASGI middleware around Django."""

    def __init__(self, application: Any) -> None:
        self._application: Application = application
        self._answers: dict[bytes, Remembered] = {}
        self._rights, self._changes = 0, itertools.count(1)
        # Who may do what: each change of it leaves an audit entry, but for those of users.
        for model in (AuditEntry, User):
            post_save.connect(self._rights_change, sender=model)
        post_delete.connect(self._rights_change, sender=User)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = STATUS.fullmatch(scope["path"]) if scope["method"] == "GET" else None
        if found is None or any(name in CARRIES_A_BODY for name, _ in scope["headers"]):
            return await self._application(scope, receive, send)
        organization, begun = int(found[1]), time.perf_counter()
        news = (broadcast.news_of(organization), self._rights)
        question = _question(scope)
        known = self._answers.get(question)
        if known is None or known.news != news or begun - known.asked_at > REMEMBER_SECONDS:
            return await self._ask(question, Remembered(begun, news), scope, receive, send)
        # Who asks while it is being worked out waits for it, and asks himself if it is no 200.
        messages = known.messages or await asyncio.shield(known.coming)
        if not messages:
            return await self._application(scope, receive, send)
        for message in messages:
            await send(message)
        if settings.LOG_FORMAT == "json":
            request_log.tell("GET", ROUTE, 200, begun, "token", organization)

    async def _ask(
        self, question: bytes, answer: Remembered, scope: Scope, receive: Receive, send: Send
    ) -> None:
        said = Heard(send)
        self._answers.pop(question, None)
        self._answers[question] = answer
        self._forget(answer.asked_at)
        try:
            await self._application(scope, receive, said)
        finally:
            if said.complete:
                answer.messages = said.messages
            elif self._answers.get(question) is answer:
                del self._answers[question]
            answer.coming.set_result(answer.messages)

    def _forget(self, now: float) -> None:
        """The oldest come first: those that are over go, and what is beyond measure."""
        for question, answer in list(itertools.islice(self._answers.items(), 2)):
            if len(self._answers) > ANSWERS or now - answer.asked_at > REMEMBER_SECONDS:
                del self._answers[question]

    def _rights_change(self, **_: Any) -> None:
        transaction.on_commit(self._rights_changed)

    def _rights_changed(self) -> None:
        self._rights = next(self._changes)


class Heard:
    """Sends on, and keeps what was said."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)
        await self._send(message)

    @property
    def complete(self) -> bool:
        """Whether it is a whole 200."""
        messages = self.messages
        done = len(messages) > 1 and not messages[-1].get("more_body", False)
        return done and messages[0]["status"] == 200


def _question(scope: Scope) -> bytes:
    """All that an answer can depend on, hashed: no token is kept."""
    words = (scope["path"], scope["query_string"], scope.get("root_path"), scope["headers"])
    return hashlib.blake2b(repr(words).encode(), digest_size=32).digest()
