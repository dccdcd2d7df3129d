"""`test-message`: send a test message to the linked number, and read the newest one's result."""

from __future__ import annotations

from django.conf import settings
from rest_framework import status as http_status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions, self_test_texts
from connections.api import schema_self_tests as schema
from connections.api.errors import RefusedResponse
from connections.api.views import (
    RETRY_SECONDS,
    ConnectionView,
    accepted_response,
    wait_for_result,
)
from connections.models import SelfTest
from organizations.access import Permission


class SelfTestView(ConnectionView):
    """`/organizations/{id}/whatsapp/test-message`."""

    @schema.read_test_message
    def get(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.SEE)
        return Response({"success": True, "test": self_test_texts.newest_as_json(connection)})

    @schema.send_test_message
    def post(self, request: Request, organization_id: int) -> Response:
        connection = self.connection(organization_id, Permission.OPERATE)
        test = actions.request_self_test(connection.pk, self.caller.actor)

        def check() -> SelfTest | None:
            test.refresh_from_db()
            return None if test.state == SelfTest.State.SENDING else test

        if wait_for_result(connection.pk, check, settings.RECONNECT_WAIT_SECONDS) is None:
            return accepted_response(self_test_texts.describe(test))
        if failure := test.effective_failure:
            raise RefusedResponse(
                http_status.HTTP_503_SERVICE_UNAVAILABLE,
                failure.value,
                self_test_texts.describe(test),
                RETRY_SECONDS,
            )
        return Response({"success": True, "message": self_test_texts.describe(test)})
