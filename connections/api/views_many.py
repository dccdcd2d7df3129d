"""`/whatsapp/…`: one request about many organizations, with an outcome for each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions
from connections.actions import LinkResult
from connections.api import schema_many as schema
from connections.api.serializers_many import ManyLinksSerializer, ManySerializer
from connections.bulk import Problem, Result, decide
from connections.models import BulkRun, Connection
from connections.owner_urls import url_of
from connections.refusals import AlreadyConnected, RequestRefused
from connections.status import get_status
from organizations.access import Permission
from organizations.api.views import CallerView
from organizations.models import Organization

Outcome = dict[str, Any]

NEEDS_PHONE = "Nothing saved can be used, so its phone has to scan a code."
REQUESTED = "Reconnecting has begun."
NOT_FOUND = "Organization not found."


def _outcome(organization: int, outcome: str, message: str = "", **more: Any) -> Outcome:
    return {"organization": organization, "outcome": outcome, "message": message, **more}


def _refused(organization: int, error: RequestRefused | PermissionDenied) -> Outcome:
    """Return the outcome that says what the API answers for one organization alone."""
    if isinstance(error, PermissionDenied):
        return _outcome(organization, "permission_denied", str(error))
    more = {} if error.wait is None else {"retryAfter": error.wait}
    return _outcome(organization, error.code, str(error), **more)


class ManyReconnectView(CallerView):
    """`POST /whatsapp/reconnect`: reconnect those whose saved login can be used."""

    @schema.reconnect_many
    def post(self, request: Request) -> Response:
        ids = dict.fromkeys(self.body(ManySerializer)["organizations"])
        return Response({"success": True, "results": [self._reconnect(pk) for pk in ids]})

    def _reconnect(self, pk: int) -> Outcome:
        try:
            organization = self.caller.organization(pk, Permission.OPERATE)
            status = get_status(Connection.objects.of(organization))
            result, problem = decide(BulkRun.Action.RECONNECT, status)
            if result == Result.PHONE:
                return _outcome(pk, "needs_phone", NEEDS_PHONE)
            if problem in (Problem.CONNECTING, Problem.DISCONNECTING):
                return _outcome(pk, problem.value, str(problem.label))
            # It refuses all other problems itself.
            actions.request_reconnect(pk, self.caller.actor)
        except Organization.DoesNotExist:
            return _outcome(pk, "not_found", NOT_FOUND)
        except (RequestRefused, PermissionDenied) as error:
            return _refused(pk, error)
        return _outcome(pk, "requested", REQUESTED)


class ManyOwnerLinksView(CallerView):
    """`POST /whatsapp/owner-links`: make a link for the owner of each phone."""

    @schema.make_owner_links
    def post(self, request: Request) -> Response:
        body = self.body(ManyLinksSerializer)
        ids, seconds = dict.fromkeys(body["organizations"]), body.get("expiresIn")
        lifetime = timedelta(seconds=seconds) if seconds else None
        made = actions.make_owner_links(self.caller, ids, lifetime)
        found = {result.organization.pk: result for result in made}
        address = partial(url_of, request._request)
        results = [_link_outcome(pk, found.get(pk), address) for pk in ids]
        return Response({"success": True, "results": results})


def _link_outcome(pk: int, result: LinkResult | None, address: Callable[[str], str]) -> Outcome:
    if result is None:
        return _outcome(pk, "not_found", NOT_FOUND)
    if result.link is None:
        return _refused(pk, result.refusal or AlreadyConnected())
    expires_at = result.link.expires_at.isoformat()
    return _outcome(pk, "made", url=address(result.secret), expiresAt=expires_at)
