"""An invitation in a real browser: an owner invites a name, whose user accepts it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import assert_accessible
from tests.browser.visitor import press
from tests.support.application import Application

PASSWORD = "correct horse battery"
USERS = """
from django.contrib.auth.models import User
from organizations.models import Membership
for name in ("olga.reis", "erin.lima"):
    User.objects.create_user(name, password="{password}", is_staff=True)
Membership.objects.create(
    organization_id={organization}, user=User.objects.get(username="olga.reis"), role="owner"
)
"""


@pytest.fixture
def people(application: Application, organization: int) -> Iterator[None]:
    """Olga owns the organization; Erin belongs nowhere."""
    code = USERS.format(organization=organization, password=PASSWORD)
    application.manage("shell", "-c", code)
    yield
    application.manage(
        "shell",
        "-c",
        "from django.contrib.auth.models import User;"
        "User.objects.filter(username__in=['olga.reis', 'erin.lima']).delete()",
    )


def logged_in(browser: Browser, application: Application, name: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.goto(f"{application.url}admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    press(page, "Log in")
    page.wait_for_url("**/admin/")
    return page


def test_owner_invites_and_the_user_accepts(
    browser: Browser, application: Application, organization: int, people: None
) -> None:
    owner = logged_in(browser, application, "olga.reis")
    owner.goto(f"{application.url}admin/organizations/membership/?organization={organization}")
    owner.get_by_role("link", name="Invite a member").click()
    owner.get_by_label("Username").fill("erin.lima")
    assert_accessible(owner)
    press(owner, "Save")
    expect(owner.get_by_text("Invited: erin.lima in")).to_be_visible()
    assert_accessible(owner)

    invited = logged_in(browser, application, "erin.lima")
    expect(invited.get_by_text("Invited by olga.reis.")).to_be_visible()
    assert_accessible(invited)
    invited.goto(f"{application.url}admin/connections/")
    expect(invited.get_by_text("Invited by olga.reis.")).to_be_visible()
    assert_accessible(invited)
    invited.goto(f"{application.url}admin/organizations/invitation/received/")
    assert_accessible(invited)
    invited.get_by_role("button", name="Accept the invitation to").click()
    invited.wait_for_url("**/admin/")
    expect(invited.get_by_text("You are a member of Organization of")).to_be_visible()
    invited.goto(f"{application.url}admin/connections/connection/{organization}/change/")
    expect(invited.get_by_role("button", name="Reconnect", exact=True)).to_be_visible()

    owner.reload()
    expect(owner.get_by_text("0 invitations")).to_be_visible()
    owner.context.close()
    invited.context.close()
