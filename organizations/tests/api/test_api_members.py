"""Members over the REST API: listing, adding, changing and removing."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from organizations.models import AuditEntry, Invitation, Membership, Organization
from organizations.tests.support.api import OWNERS_ONLY, UNKNOWN, Api, error, olivia, root

__all__ = ["olivia", "root"]

LAST_OWNER = (
    409,
    "last_owner",
    "An organization with members keeps an active owner. Make someone else an owner first.",
)
NO_MEMBER = (404, "not_found", "There is no such member.")


@pytest.fixture
def path(organization: Organization) -> str:
    return f"/organizations/{organization.pk}/members"


@pytest.fixture
def api(olivia: User) -> Api:
    return Api(olivia)


def changes() -> list[str]:
    entries = AuditEntry.objects.filter(action__startswith="member_").order_by("pk")
    return [f"{entry.action} {entry.detail}" for entry in entries]


def test_owner_sees_all_members(api: Api, path: str, alice: User, olivia: User) -> None:
    assert api("get", path).json() == {
        "count": 2,
        "next": None,
        "previous": None,
        "results": [
            {"id": alice.pk, "username": "alice", "role": "operator"},
            {"id": olivia.pk, "username": "olivia", "role": "owner"},
        ],
    }
    assert [row["username"] for row in api("get", f"{path}?pageSize=1&page=2").json()["results"]]
    assert error(api("get", f"{path}?pageSize=0"))[0] == 400


def test_setting_the_same_role_twice_gets_200(root: User, path: str, charlie: User) -> None:
    api = Api(root)
    wanted = {"username": "charlie", "role": "viewer"}
    actual = [api("post", path, wanted) for _ in range(3)]
    assert [response.status_code for response in actual] == [201, 200, 200]
    assert {response.json()["id"] for response in actual} == {charlie.pk}
    again = api("post", path, wanted | {"role": "operator"})
    assert (again.status_code, again.json()["role"]) == (200, "operator")
    assert changes() == [
        "member_added charlie: viewer",
        "member_changed charlie: viewer → operator",
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"username": "a\0", "role": "viewer"}, "username: Null characters are not allowed."),
        ({"username": "olivia", "role": "king"}, 'role: "king" is not a valid choice.'),
        ({"username": "olivia", "role": {}}, 'role: "{}" is not a valid choice.'),
        ({"username": "olivia"}, "role: This field is required."),
    ],
)
def test_invalid_field_is_named_in_the_message(
    api: Api, path: str, body: dict[str, Any], message: str
) -> None:
    assert error(api("post", path, body)) == (400, "invalid", message)


@pytest.mark.parametrize(
    ("username", "message"),
    [
        ("nobody", "There is no such user."),
        ("idle", "This user is inactive. Activate the user first."),
    ],
)
def test_superuser_cannot_add_an_unknown_or_inactive_user(
    root: User, path: str, username: str, message: str
) -> None:
    User.objects.create(username="idle", is_active=False)
    response = Api(root)("post", path, {"username": username, "role": "viewer"})
    assert error(response) == (400, "invalid", f"username: {message}")
    assert changes() == []


def test_user_added_by_a_superuser_is_not_invited_any_more(
    api: Api, root: User, path: str, charlie: User
) -> None:
    api("post", path, {"username": "charlie", "role": "viewer"})
    assert Api(root)("post", path, {"username": "charlie", "role": "owner"}).status_code == 201
    assert Api(charlie)("get", "/invitations").json()["count"] == 0


def test_owner_who_changes_a_member_creates_no_invitation(api: Api, path: str, alice: User) -> None:
    response = api("post", path, {"username": "alice", "role": "viewer"})
    assert response.status_code == 200
    assert response.json() == {"id": alice.pk, "username": "alice", "role": "viewer"}
    assert not Invitation.objects.exists()


def test_inactive_member_is_changed_as_any_other(api: Api, path: str, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_active=False)
    response = api("post", path, {"username": "alice", "role": "viewer"})
    assert (response.status_code, response.json()["role"]) == (200, "viewer")


def test_member_is_found_by_username_or_id(api: Api, path: str, alice: User) -> None:
    assert api("patch", f"{path}/alice", {"role": "viewer"}).json()["role"] == "viewer"
    assert api("patch", f"{path}/{alice.pk}", {"role": "owner"}).json()["role"] == "owner"
    assert error(api("patch", f"{path}/alice", {})) == (
        400,
        "invalid",
        "role: This field is required.",
    )


def test_removing_twice_gets_204(api: Api, path: str, alice: User, bob: User) -> None:
    for member in ("alice", "alice", bob.pk, bob.pk, "nobody", "9" * 60, "٣"):
        response = api("delete", f"{path}/{member}")
        assert (response.status_code, response.content) == (204, b"")
    assert changes() == ["member_removed alice: operator", "member_removed bob: viewer"]


def test_digits_are_an_id_even_if_a_username_matches(
    api: Api, path: str, organization: Organization, alice: User
) -> None:
    odd = User.objects.create(username=str(alice.pk))
    Membership.objects.create(user=odd, organization=organization, role="viewer")
    for _ in range(2):
        assert api("delete", f"{path}/{alice.pk}").status_code == 204
    assert organization.memberships.filter(user=odd).exists()


def test_changing_a_non_member_gets_404(api: Api, path: str, charlie: User) -> None:
    for member in ("charlie", charlie.pk, "nobody", "9" * 60):
        assert error(api("patch", f"{path}/{member}", {"role": "viewer"})) == NO_MEMBER


def test_removing_the_last_owner_gets_409(api: Api, path: str, alice: User) -> None:
    assert error(api("delete", f"{path}/olivia")) == LAST_OWNER
    assert error(api("patch", f"{path}/olivia", {"role": "viewer"})) == LAST_OWNER
    assert error(api("post", path, {"username": "olivia", "role": "viewer"})) == LAST_OWNER
    api("patch", f"{path}/alice", {"role": "owner"})
    assert api("delete", f"{path}/olivia").status_code == 204
    assert error(api("get", path)) == UNKNOWN


CALLS: list[tuple[str, str, dict[str, str] | None]] = [
    ("get", "", None),
    ("post", "", {"username": "bob", "role": "owner"}),
    ("patch", "/bob", {"role": "owner"}),
    ("delete", "/bob", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), CALLS)
def test_members_without_the_owner_role_get_403(
    path: str,
    alice: User,
    bob: User,
    charlie: User,
    olivia: User,
    organization: Organization,
    method: str,
    rest: str,
    body: dict[str, str] | None,
) -> None:
    own = Api(olivia, "manage", organization)
    for api in (Api(alice), Api(bob), Api(olivia, "read"), own):
        assert error(api(method, path + rest, body)) == OWNERS_ONLY
    assert error(Api(charlie)(method, path + rest, body)) == UNKNOWN
    assert changes() == []
