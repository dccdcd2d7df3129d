"""Where a login leads."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client


def test_login_without_a_next_leads_to_the_admin(alice: User) -> None:
    alice.set_password("a long one 7")
    alice.is_staff = True
    alice.save()
    visitor = Client()
    form = {"username": alice.username, "password": "a long one 7"}
    response = visitor.post("/admin/login/", form)
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert visitor.get("/admin/").status_code == 200
