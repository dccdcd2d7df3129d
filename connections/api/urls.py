"""The API routes of one organization's WhatsApp connection, and of many at once."""

from django.urls import path

from connections.api import views, views_qr, views_reconnect
from connections.api.views_many import ManyOwnerLinksView, ManyReconnectView
from connections.api.views_owner_link import OwnerLinkView
from connections.api.views_proxy import ProxyView, TryProxyView
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
    path("owner-link", OwnerLinkView.as_view(), name="whatsapp-owner-link"),
    path("proxy", ProxyView.as_view(), name="whatsapp-proxy"),
    path("proxy/try", TryProxyView.as_view(), name="whatsapp-proxy-try"),
    path("disconnect", views.DisconnectView.as_view(), name="whatsapp-disconnect"),
]

many_urlpatterns = [
    path("reconnect", ManyReconnectView.as_view(), name="whatsapp-reconnect-many"),
    path("owner-links", ManyOwnerLinksView.as_view(), name="whatsapp-owner-links"),
]
