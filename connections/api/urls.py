"""The API routes of one organization's WhatsApp connection."""

from django.urls import path

from connections.api import views, views_qr, views_reconnect
from connections.api.views_self_tests import SelfTestView

urlpatterns = [
    path("reconnect", views_reconnect.ReconnectView.as_view(), name="whatsapp-reconnect"),
    path("init-baileys", views_reconnect.InitBaileysView.as_view(), name="whatsapp-init-baileys"),
    path("pairing-code", views_reconnect.PairingCodeView.as_view(), name="whatsapp-pairing-code"),
    path("cancel", views.CancelView.as_view(), name="whatsapp-cancel"),
    path("qrcode.png", views_qr.QrPngView.as_view(), name="whatsapp-qrcode-png"),
    path("qrcode.svg", views_qr.QrSvgView.as_view(), name="whatsapp-qrcode-svg"),
    path("qrcode", views_qr.QrCodeView.as_view(), name="whatsapp-qrcode"),
    path("status", views.StatusView.as_view(), name="whatsapp-status"),
    path("test-message", SelfTestView.as_view(), name="whatsapp-test-message"),
    path("disconnect", views.DisconnectView.as_view(), name="whatsapp-disconnect"),
]
