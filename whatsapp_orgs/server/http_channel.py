"""Twisted's HTTP/1.1 connection, with bounds on pipelined requests and on how slowly they come."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from twisted.internet import reactor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel


class BoundedChannel(HTTPChannel):
    """A connection that begins no request while earlier answers wait to be read.

    Twisted stops reading then, but goes on with all pipelined requests that it has read already.
    """

    _finished: Any = None
    _late: Any = None
    _next: Any = None

    def connectionMade(self) -> None:
        super().connectionMade()
        self._await_request()

    def dataReceived(self, data: bytes) -> None:
        if self._late is None and not self._handlingRequest:
            self._await_request()
        super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        super().rawDataReceived(data)
        # Twisted leaves this out while the transport is full.
        if self._handlingRequest and self._waitingForTransport and self._has_read_enough():
            network: Any = self._networkProducer
            network.pauseProducing()

    def request_is_whole(self) -> None:
        """The deadline is for requests, not for answers."""
        _cancel(self._late)
        self._late = None

    def requestDone(self, request: Any) -> None:
        """Go on with what was pipelined: later, and not before the client reads.

        Later also because answers that need no thread would otherwise nest without end.
        """
        if not self.persistent or not (self._waitingForTransport or any(self._dataBuffer)):
            super().requestDone(request)
            return
        self._finished = request
        if not self._waitingForTransport:
            self._next = _later(0, self._go_on)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        if self._finished is not None and self._next is None:
            self._next = _later(0, self._go_on)

    def _go_on(self) -> None:
        self._next = None
        if self._finished is not None and not self._waitingForTransport:
            request, self._finished = self._finished, None
            super().requestDone(request)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        _cancel(self._late)
        _cancel(self._next)
        if self._finished is not None:
            # Its answer is complete; only the connection has not gone on.
            self.requests.remove(self._finished)
            self._finished = None
        super().connectionLost(reason)

    def _has_read_enough(self) -> bool:
        return sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize

    def _await_request(self) -> None:
        self._late = _later(settings.CLIENT_DEADLINES["request"], self._drop)

    def _drop(self) -> None:
        self._late = None
        if self.transport is not None:
            self.transport.abortConnection()


def _later(seconds: float, act: Any) -> Any:
    installed: Any = reactor
    return installed.callLater(seconds, act)


def _cancel(call: Any) -> None:
    if call is not None and call.active():
        call.cancel()
