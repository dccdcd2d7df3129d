"""Twisted's HTTP/1.1 connection, with limits on pipelined and on slow requests."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from twisted.internet import reactor
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from whatsapp_orgs.server.flow_control import FlowControl


class BoundedChannel(HTTPChannel):
    """A connection that starts no request while the client has not read earlier responses.

    Twisted only stops reading then; it still handles the pipelined requests that it has read.
    """

    _paused_request: Any = None
    _timeout_call: Any = None
    _resume_call: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.flow_control = FlowControl()

    def connectionMade(self) -> None:
        super().connectionMade()
        self._start_timeout()

    def dataReceived(self, data: bytes) -> None:
        if self._timeout_call is None and not self._handlingRequest:
            self._start_timeout()
        super().dataReceived(data)

    def rawDataReceived(self, data: bytes) -> None:
        super().rawDataReceived(data)
        # Twisted does not do this while the transport's buffer is full.
        if self._handlingRequest and self._waitingForTransport and self._has_full_buffer():
            network: Any = self._networkProducer
            network.pauseProducing()

    def cancel_timeout(self) -> None:
        """Cancel the deadline: it is for receiving a request, not for answering it."""
        _cancel(self._timeout_call)
        self._timeout_call = None

    def requestDone(self, request: Any) -> None:
        """Start the next pipelined request in a later call, when the client has read enough.

        In a later call, because responses that need no thread would otherwise recurse without end.
        """
        if not self.persistent or not (self._waitingForTransport or any(self._dataBuffer)):
            super().requestDone(request)
            return
        self._paused_request = request
        if not self._waitingForTransport:
            self._resume_call = _call_later(0, self._resume)

    def pauseProducing(self) -> None:
        self.flow_control.pauseProducing()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        self.flow_control.resumeProducing()
        super().resumeProducing()
        if self._paused_request is not None and self._resume_call is None:
            self._resume_call = _call_later(0, self._resume)

    def _resume(self) -> None:
        self._resume_call = None
        if self._paused_request is not None and not self._waitingForTransport:
            request, self._paused_request = self._paused_request, None
            super().requestDone(request)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.flow_control.stopProducing()
        _cancel(self._timeout_call)
        _cancel(self._resume_call)
        if self._paused_request is not None:
            # The response is complete; only the next request has not started.
            self.requests.remove(self._paused_request)
            self._paused_request = None
        super().connectionLost(reason)

    def _has_full_buffer(self) -> bool:
        return sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize

    def _start_timeout(self) -> None:
        self._timeout_call = _call_later(settings.CLIENT_DEADLINES["request"], self._abort)

    def _abort(self) -> None:
        self._timeout_call = None
        if self.transport is not None:
            self.transport.abortConnection()


def _call_later(seconds: float, function: Any) -> Any:
    untyped_reactor: Any = reactor
    return untyped_reactor.callLater(seconds, function)


def _cancel(call: Any) -> None:
    if call is not None and call.active():
        call.cancel()
