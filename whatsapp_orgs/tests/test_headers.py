"""Security headers and cookies of all responses."""

import pytest
from django.contrib.auth.models import User
from django.templatetags.static import static
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

PAGES = [
    "/",
    "/admin/",
    "/admin/login/",
    "/nowhere",
    "/api/v1/nothing",
    static("connections/live/live.js"),
]


@pytest.mark.parametrize("path", PAGES)
def test_every_response_has_security_headers(db: None, path: str) -> None:
    answer = Client().get(path)
    answer.close()
    headers = answer.headers
    policy = headers["Content-Security-Policy"]
    for directive in (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ):
        assert directive in policy
    assert "unsafe" not in policy and "*" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]


def test_pages_cannot_be_framed(db: None) -> None:
    assert Client().get("/admin/login/").headers["X-Frame-Options"] == "DENY"


def test_response_to_an_unknown_host_has_them(db: None) -> None:
    answer = Client(headers={"Host": "evil.example"}).get("/admin/login/")
    assert answer.status_code == 400
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "evil.example" not in answer.content.decode()


def test_cookies_are_httponly_secure_and_lax(alice: User, settings: Settings) -> None:
    alice.set_password("correct horse")
    alice.save(update_fields=["password"])
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    client = Client()
    client.get(reverse("admin:login"))
    client.post(reverse("admin:login"), {"username": "alice", "password": "correct horse"})
    for name in ("sessionid", "csrftoken"):
        cookie = client.cookies[name]
        assert cookie["httponly"] and cookie["secure"] and cookie["samesite"] == "Lax"


def test_http_is_redirected_to_https(db: None, settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 60
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    answer = Client().get("/admin/login/")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/admin/login/")
    answer = Client(headers={"X-Forwarded-Proto": "https"}).get("/admin/login/")
    assert answer.status_code == 200
    assert answer["Strict-Transport-Security"].startswith("max-age=60")
