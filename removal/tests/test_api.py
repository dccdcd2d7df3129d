"""The REST API of removals."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from organizations.models import Membership, Organization
from organizations.tests.support.api import SUPERUSERS_ONLY, UNKNOWN, Api, error
from removal import steps
from removal.refusals import LOGOUT_IS_OVER, WRONG_NAME
from removal.tests.support import end_logout

pytestmark = pytest.mark.django_db


@pytest.fixture
def api(db: None) -> Api:
    """Return the API of an administrator."""
    return Api(User.objects.create(username="root", is_staff=True, is_superuser=True))


def test_removal_is_started_decided_and_read_by_administrators(
    api: Api, filled: Organization
) -> None:
    path = f"/organizations/{filled.pk}/removal"
    found = api("get", path).json()
    assert found["counts"]["messages"] == 2 and found["mediaBytes"] == 21 and found["isLinked"]
    assert error(api("post", path, {"name": "acme"})) == (400, "invalid", f"name: {WRONG_NAME}")
    started = api("post", path, {"name": "Acme"})
    assert started.status_code == 202
    assert (started.json()["state"], started.json()["waitForLogout"]) == ("logging_out", True)
    assert error(api("get", path)) == UNKNOWN
    removal = f"/removals/{filled.pk}"
    decided = api("patch", removal, {"waitForLogout": False})
    assert (decided.status_code, decided.json()["waitForLogout"]) == (202, False)
    end_logout(filled.pk)
    assert api("get", removal).json()["state"] == "deleting"
    while steps.advance(filled.pk):
        pass
    done = api("get", removal).json()
    assert (done["state"], done["logout"]) == ("removed", "confirmed")
    assert done["deleted"]["messages"] == 2 and done["mediaBytesDeleted"] == 21
    over = error(api("patch", removal, {"waitForLogout": True}))
    assert over == (409, "conflict", LOGOUT_IS_OVER)
    assert error(api("get", "/removals/999")) == UNKNOWN


def test_others_neither_see_nor_start_it(filled: Organization, charlie: User) -> None:
    path, removal = f"/organizations/{filled.pk}/removal", f"/removals/{filled.pk}"
    owner = Membership.objects.get(role="owner", organization=filled).user
    for user, expected in ((owner, SUPERUSERS_ONLY), (charlie, UNKNOWN)):
        api = Api(user)
        assert error(api("get", path)) == error(api("post", path, {"name": "Acme"})) == expected
        assert error(api("get", removal)) == SUPERUSERS_ONLY
