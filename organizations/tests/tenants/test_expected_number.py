"""An organization's expected number: setting, reading and audit entries."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from organizations import actions
from organizations.access import Actor
from organizations.models import AuditEntry, Organization
from organizations.phone_numbers import FOREIGN, INVALID
from organizations.tests.support.adminpages import address, browser, shown
from organizations.tests.support.api import OWNERS_ONLY, UNKNOWN, Api, error, olivia, root

__all__ = ["olivia", "root"]

E164, DIGITS, TEXT = "+5511987654321", "5511987654321", "+55 11 98765-4321"
GERMAN, GERMAN_TEXT = "491701234567", "+49 170 1234567"
UNKNOWN_NUMBER = "999999999999"  # no country has this code
NATIONAL = "0170 1234567"
NONSENSE = {
    "nonsense": FOREIGN.format(part="nonsense"),
    f"{E164} ext. 1": FOREIGN.format(part="ext"),
    f"{E164};ext=1": FOREIGN.format(part=";ext="),
    **dict.fromkeys(["+55 11", f"+{UNKNOWN_NUMBER}", "+0 0", NATIONAL], INVALID),
}


def audit() -> list[str]:
    """Return the details of all changes of the expected number, oldest first."""
    changes = AuditEntry.objects.filter(action=AuditEntry.Action.EXPECTED_NUMBER_CHANGED)
    return list(changes.order_by("pk").values_list("detail", flat=True))


def expected(organization: Organization) -> str:
    return Organization.objects.get(pk=organization.pk).expected_number


def expect(organization: Organization, number: str) -> None:
    actions.set_expected_number(organization, number, Actor("the tests"))


# --- The action ----------------------------------------------------------------------------------


def test_each_change_adds_one_audit_entry(organization: Organization) -> None:
    for number in ("", DIGITS, DIGITS, GERMAN, "", ""):
        expect(organization, number)
        assert organization.expected_number == expected(organization) == number
    assert audit() == [f"any → {TEXT}", f"{TEXT} → {GERMAN_TEXT}", f"{GERMAN_TEXT} → any"]


def test_change_compares_with_the_stored_number(organization: Organization) -> None:
    stale = Organization.objects.get(pk=organization.pk)
    expect(organization, DIGITS)
    expect(stale, DIGITS)
    assert audit() == [f"any → {TEXT}"]
    assert stale.expected_number == DIGITS


def test_other_organization_keeps_its_number(
    organization: Organization, other_organization: Organization
) -> None:
    expect(other_organization, GERMAN)
    expect(organization, DIGITS)
    assert expected(other_organization) == GERMAN


# --- The REST API --------------------------------------------------------------------------------


def test_owner_sets_and_clears_the_number(olivia: User, organization: Organization) -> None:
    api, path = Api(olivia), f"/organizations/{organization.pk}"
    for _ in range(2):
        response = api("patch", path, {"expectedNumber": TEXT})
        assert (response.status_code, response.json()["expectedNumber"]) == (200, E164)
    assert (expected(organization), response.json()["name"]) == (DIGITS, "Acme")
    response = api("put", path, {"name": "Acme", "expectedNumber": None})
    assert (response.json()["expectedNumber"], expected(organization)) == (None, "")
    assert audit() == [f"any → {TEXT}", f"{TEXT} → any"]
    entry = AuditEntry.objects.filter(action="expected_number_changed").latest("pk")
    actual = (entry.organization, entry.user, entry.address)
    assert actual == (organization, olivia, "127.0.0.1")


def test_patch_without_the_field_keeps_the_number(olivia: User, organization: Organization) -> None:
    expect(organization, DIGITS)
    api, path = Api(olivia), f"/organizations/{organization.pk}"
    for method in ("put", "patch"):
        assert api(method, path, {"name": "Acme 2"}).json()["expectedNumber"] == E164
    read = api("get", path).json()
    assert api("put", path, read).json() == read
    assert audit() == [f"any → {TEXT}"]


@pytest.mark.parametrize(
    ("text", "actual"),
    [
        ("5215512345678", "+5215512345678"),  # the spelling of the status API
        ("+5215512345678", "+5215512345678"),
        ("+52 1 55 1234 5678", "+5215512345678"),
        ("0052 55 1234 5678", "+525512345678"),
        ("+551187654321", "+551187654321"),
        ("+55 11 98765-4321", E164),
        (DIGITS, E164),
        ("5491123456789", "+5491123456789"),
        ("+54 11 2345-6789", "+541123456789"),
        ("00491701234567", f"+{GERMAN}"),
    ],
)
def test_number_is_returned_in_the_spelling_it_was_given(
    olivia: User, organization: Organization, text: str, actual: str
) -> None:
    api, path = Api(olivia), f"/organizations/{organization.pk}"
    response = api("patch", path, {"expectedNumber": text})
    assert (response.status_code, response.json()["expectedNumber"]) == (200, actual)
    assert api("get", path).json()["expectedNumber"] == actual
    again = api("patch", path, {"expectedNumber": actual})
    assert again.json()["expectedNumber"] == actual
    assert len(audit()) == 1


def test_stored_number_can_be_saved_again(olivia: User, organization: Organization) -> None:
    """A number that the API returns can be sent back, even if it is not valid."""
    expect(organization, UNKNOWN_NUMBER)
    api, path = Api(olivia), f"/organizations/{organization.pk}"
    read = api("get", path).json()
    assert api("put", path, read).json() == read
    page = address("organization", "change", organization.pk)
    form = {"name": "Acme 2", "expected_number": f"+{UNKNOWN_NUMBER}"}
    assert browser(olivia).post(page, form).status_code == 302
    assert expected(organization) == UNKNOWN_NUMBER


def test_organization_is_created_with_a_number(root: User) -> None:
    created = Api(root)("post", "/organizations", {"name": "New", "expectedNumber": E164})
    assert (created.status_code, created.json()["expectedNumber"]) == (201, E164)
    assert Organization.objects.get().expected_number == DIGITS
    assert audit() == [f"any → {TEXT}"]
    for body in ({"name": "Open"}, {"name": "Open", "expectedNumber": None}):
        assert Api(root)("post", "/organizations", body).json()["expectedNumber"] is None
    assert len(audit()) == 1


@pytest.mark.parametrize(
    ("value", "message"),
    [
        *NONSENSE.items(),
        ("", "This field may not be blank."),
        (5511987654321, "Not a valid string."),
        (f"{E164}\0", "Null characters are not allowed."),
        (E164 + " " * 30 + "1", "Ensure this field has no more than 32 characters."),
    ],
)
def test_invalid_number_gets_400_and_changes_nothing(
    root: User, organization: Organization, value: Any, message: str
) -> None:
    expect(organization, GERMAN)
    api, path = Api(root), f"/organizations/{organization.pk}"
    body = {"name": "New", "expectedNumber": value}
    for method, url in (("post", "/organizations"), ("put", path), ("patch", path)):
        response = api(method, url, body)
        assert error(response) == (400, "invalid", f"expectedNumber: {message}")
    assert expected(organization) == GERMAN
    assert list(Organization.objects.values_list("name", flat=True)) == ["Acme"]


def test_viewer_sees_the_number_and_cannot_set_it(
    alice: User, bob: User, charlie: User, olivia: User, organization: Organization
) -> None:
    expect(organization, DIGITS)
    path = f"/organizations/{organization.pk}"
    own = Api(olivia, "manage", organization)
    for api in (Api(alice), Api(bob), Api(olivia, "read"), own):
        assert api("get", path).json()["expectedNumber"] == E164
        (row,) = api("get", "/organizations").json()["results"]
        assert row["expectedNumber"] == E164
        assert error(api("patch", path, {"expectedNumber": None})) == OWNERS_ONLY
    assert error(Api(charlie)("patch", path, {"expectedNumber": None})) == UNKNOWN
    assert expected(organization) == DIGITS


# --- Django admin --------------------------------------------------------------------------------


def test_owner_sets_and_clears_the_number_in_admin(
    olivia: User, organization: Organization
) -> None:
    page = address("organization", "change", organization.pk)
    form = {"name": "Acme", "expected_number": E164}
    for _ in range(2):
        assert browser(olivia).post(page, form, REMOTE_ADDR="198.51.100.4").status_code == 302
    assert expected(organization) == DIGITS
    assert f'name="expected_number" value="{TEXT}"' in shown(olivia, page)
    # Submitting the shown text keeps the number.
    browser(olivia).post(page, form | {"expected_number": TEXT})
    assert audit() == [f"any → {TEXT}"]
    entry = AuditEntry.objects.get()
    assert (entry.user, entry.address) == (olivia, "198.51.100.4")
    browser(olivia).post(page, form | {"expected_number": ""})
    assert (expected(organization), audit()[1:]) == ("", [f"{TEXT} → any"])


def test_number_may_be_written_as_in_the_country_of_the_one_before(
    olivia: User, organization: Organization
) -> None:
    path = address("organization", "change", organization.pk)
    for typed, kept in (("+55 11 98765-4321", "5511987654321"), ("(21) 3456-7890", "552134567890")):
        browser(olivia).post(path, {"name": organization.name, "expected_number": typed})
        organization.refresh_from_db()
        assert organization.expected_number == kept


def test_superuser_creates_an_organization_with_a_number_in_admin(admin_client: Client) -> None:
    form = {"name": "Initech", "expected_number": TEXT}
    assert admin_client.post(address("organization", "add"), form).status_code == 302
    assert Organization.objects.get().expected_number == DIGITS
    assert audit() == [f"any → {TEXT}"]


# The number before is German, so one that is written as in Germany is none of these.
@pytest.mark.parametrize(
    "text",
    [
        *(text for text in NONSENSE if text != NATIONAL),
        "+55 11 98765-4321 and more of it than fits",
    ],
)
def test_invalid_number_shows_an_error_in_the_form(
    olivia: User, organization: Organization, text: str
) -> None:
    expect(organization, GERMAN)
    page = address("organization", "change", organization.pk)
    response: Any = browser(olivia).post(page, {"name": "New", "expected_number": text})
    (message,) = response.context["adminform"].form.errors["expected_number"]
    too_long = "Ensure this value has at most 32 characters (it has 42)."
    assert message == NONSENSE.get(text, too_long)
    assert message in response.content.decode()
    organization.refresh_from_db()
    assert (organization.name, organization.expected_number) == ("Acme", GERMAN)


def test_other_members_see_the_number_read_only_in_admin(
    alice: User, bob: User, charlie: User, organization: Organization
) -> None:
    page = address("organization", "change", organization.pk)
    assert "any" in read_only(shown(bob, page))
    expect(organization, DIGITS)
    for user in (alice, bob):
        assert TEXT in read_only(shown(user, page))
        assert 'name="expected_number"' not in shown(user, page)
        response = browser(user).post(page, {"name": "Acme", "expected_number": ""})
        assert response.status_code == 403
    response = browser(charlie).post(page, {"name": "Acme", "expected_number": ""})
    assert response.status_code == 404
    assert expected(organization) == DIGITS


def read_only(page: str) -> str:
    """Return the text of the read-only field for the expected number."""
    (_, row) = page.split("field-expected_number_text")
    return row.split('<div class="readonly">')[1].split("</div>")[0]
