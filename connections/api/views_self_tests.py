"""`test-message`: a test message to the linked number itself, and what came of the newest one."""

from __future__ import annotations

from django.conf import settings
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions, self_tests
from connections.api import schema_self_tests as schema
from connections.api.errors import Refused
from connections.api.views import RETRY_SECONDS, ConnectionView
from connections.long_poll import wait_for
from connections.models import SelfTest
from organizations.access import Permission


class SelfTestView(ConnectionView):
    """`/organizations/{id}/whatsapp/test-message`."""

    @schema.read_test_message
    def get(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.SEE)
        return Response({"success": True, "test": self_tests.told(connection)})

    @schema.send_test_message
    def post(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.OPERATE)
        test = actions.request_self_test(connection.pk, self.caller.actor)

        def look() -> SelfTest | None:
            test.refresh_from_db()
            return None if test.state == SelfTest.State.SENDING else test

        if wait_for(connection.pk, look, settings.RECONNECT_WAIT_SECONDS) is None:
            return Response(
                {"message": self_tests.sentence(test), "retryIn": RETRY_SECONDS * 1000},
                status=status.HTTP_202_ACCEPTED,
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
        if failure := test.told_failure:
            raise Refused(
                status.HTTP_503_SERVICE_UNAVAILABLE,
                failure.value,
                self_tests.sentence(test),
                RETRY_SECONDS,
            )
        return Response({"success": True, "message": self_tests.sentence(test)})
