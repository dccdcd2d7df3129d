"""Sends the batch of one job: one event after the other, until one is not taken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from django.utils import timezone

from outbound.client import Client
from outbound.errors import Kind, RequestFailed
from webhooks.actions.loading import Item
from webhooks.formats import FORMATS, OutgoingRequest
from webhooks.models import Delivery
from webhooks.outcomes import Failure, Result, of_status, settle
from webhooks.worker.jobs import Job
from webhooks.worker.sockets import Sockets

logger = logging.getLogger(__name__)


class _TooLate(Exception):
    """The lease ends too soon for another request, or the job was stopped."""


class Sender:
    """Sends for all jobs of a worker. `changed` is called after each attempt."""

    def __init__(self, client: Client, sockets: Sockets, changed: Callable[[], None]) -> None:
        self._client = client
        self._sockets = sockets
        self._changed = changed

    async def send(self, job: Job) -> None:
        """Send a job's batch. Afterwards it is finished, or released when an event was not taken.

        It ends before the lease does, so that no other worker sends at the same time.
        """
        for item in job.batch.items:
            is_new = item.delivery.pk is None
            try:
                result, at = await self._attempt(job, item)
            except _TooLate:
                return job.release()
            job.note(item.delivery, settle(job.cursor, item.delivery, result, at), is_new)
            self._changed()
            if result.failure:
                return job.release()
        job.finish()

    async def _attempt(self, job: Job, item: Item) -> tuple[Result, datetime]:
        """Send all requests of an event, until one fails; return the last result and its time.

        Raises _TooLate.
        """
        _require_time(job)
        result, at = Result(Failure.INTERNAL, 0), timezone.now()
        for request in item.requests or ():
            result, at = await self._post(job, item.delivery, request)
            if result.failure:
                break
        return result, at

    async def _post(
        self, job: Job, delivery: Delivery, request: OutgoingRequest
    ) -> tuple[Result, datetime]:
        loop, cursor, endpoint = asyncio.get_running_loop(), job.cursor, job.cursor.endpoint
        at, started = timezone.now(), loop.time()
        try:
            async with self._sockets.place(endpoint.host, cursor.slow):
                _require_time(job)  # The wait for a socket may have been long.
                at, started = timezone.now(), loop.time()
                signed = FORMATS[endpoint.format].sign(request, endpoint, delivery.webhook_id, at)
                headers = {**request.headers, **signed}
                answer = await self._client.post(endpoint.url, headers, request.body)
            retry_after = answer.headers.get("retry-after")
            found = (answer.status, answer.milliseconds, answer.text, retry_after)
            return of_status(*found, at), at
        except _TooLate:
            raise
        except RequestFailed as error:
            failure: str = error.kind
        except TimeoutError:
            failure = Kind.TIMED_OUT
        except Exception:
            # A bug of ours about this event; the attempt counts, so that others do not wait for it.
            logger.exception("a webhook could not be sent", extra={"webhook": endpoint.public_id})
            failure = Failure.INTERNAL
        return Result(failure, round(1000 * (loop.time() - started))), at


def _require_time(job: Job) -> None:
    """Raise _TooLate if no request of this job may begin any more."""
    if job.stopped or asyncio.get_running_loop().time() >= job.deadline:
        raise _TooLate
