"""`GET qrcode`, `qrcode.png`, `qrcode.svg`: the code that can be scanned now."""

from __future__ import annotations

from django.http import HttpResponse
from rest_framework import status as http_status
from rest_framework.request import Request
from rest_framework.response import Response

from connections import actions, qr
from connections.api import schema
from connections.api.errors import RefusedResponse
from connections.api.views import RETRY_SECONDS, ConnectionView
from connections.lifecycle import State
from connections.status import ConnectionStatus, get_status
from organizations.access import Permission
from organizations.api.views import AnyAccept

SCAN_TO_CONNECT = "Scan this QR code with WhatsApp to connect"
NO_CLIENT = "WhatsApp client not found for this organization. Please initialize connection first."
NO_CODE = "QR code not available. Please wait a few seconds and try again."


class QrCodeView(ConnectionView):
    """`GET qrcode`: the code that can be scanned now."""

    @schema.read_qr_code
    def get(self, request: Request, organization_id: int) -> Response:
        status = get_status(self.connection(organization_id, Permission.OPERATE))
        if status.code:
            return Response(
                {
                    "success": True,
                    "qrCode": qr.png_url(status.code),
                    "message": SCAN_TO_CONNECT,
                }
            )
        raise _no_code_error(status)


class QrPictureView(ConnectionView):
    """`GET qrcode.png`, `GET qrcode.svg`: the code that can be scanned now, as a picture."""

    picture: staticmethod[[str], bytes]
    content_type = ""
    content_negotiation_class = AnyAccept

    def picture_response(self, organization_id: int) -> HttpResponse:
        status = get_status(self.connection(organization_id, Permission.OPERATE))
        if not status.code:
            raise _no_code_error(status)
        return HttpResponse(self.picture(status.code), content_type=self.content_type)


class QrPngView(QrPictureView):
    picture = staticmethod(qr.png)
    content_type = "image/png"

    @schema.read_qr_code_png
    def get(self, request: Request, organization_id: int) -> HttpResponse:
        return self.picture_response(organization_id)


class QrSvgView(QrPictureView):
    picture = staticmethod(qr.svg)
    content_type = "image/svg+xml"

    @schema.read_qr_code_svg
    def get(self, request: Request, organization_id: int) -> HttpResponse:
        return self.picture_response(organization_id)


def _no_code_error(status: ConnectionStatus) -> Exception:
    """Return the error that says why there is no code to scan."""
    if status.state == State.CONNECTED:
        return actions.AlreadyConnected()
    if status.has_client:
        return RefusedResponse(
            http_status.HTTP_404_NOT_FOUND, "qr_not_available", NO_CODE, RETRY_SECONDS
        )
    return RefusedResponse(http_status.HTTP_404_NOT_FOUND, "client_not_found", NO_CLIENT)
