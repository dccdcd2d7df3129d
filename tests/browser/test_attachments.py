"""A file in the form to write a message, in a real Chromium before the real product."""

from __future__ import annotations

import os
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.visitor import Visitor
from tests.support.application import Application
from tests.support.linking import link

CUSTOMER = "5511976540002"
MEGABYTE = 1024 * 1024


# Files are on disk: the content of others goes to the browser as text, through Playwright's pipe.
def picture(folder: Path) -> Path:
    path = folder / "cardápio.png"
    Image.effect_noise((1200, 1200), 90).save(path)
    return path


def open_form(visitor: Visitor, organization: int) -> Page:
    page = visitor.page
    page.goto(f"{visitor.application.url}admin/connections/connection/{organization}/messages/")
    page.locator("summary", has_text="Write a message").click()
    return page


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()


def test_picture_with_a_text_reaches_the_customer(
    visitor: Visitor, application: Application, organization: int, tmp_path: Path
) -> None:
    link(application, organization)
    application.simulator.save_person(CUSTOMER, "Rafael", auto="read")
    page = open_form(visitor, organization)
    page.get_by_label("To", exact=True).fill(f"+{CUSTOMER}")
    page.get_by_label("Text", exact=True).fill("O cardápio de hoje")
    sent = picture(tmp_path)
    # More than a form without a file may have.
    assert sent.stat().st_size > MEGABYTE
    page.get_by_label("Attachment").set_input_files(sent)
    send(page)
    row = page.locator(".message-table tbody tr").first
    expect(row.locator(".kind")).to_have_text("Picture")
    expect(row.locator(".steps .now")).to_have_text(re.compile("^Read"))
    expect(page.get_by_label("Attachment")).to_have_value("")
    expect(page.get_by_role("button", name="Remove the file")).to_be_hidden()
    visitor.at_ease()


def test_wrong_file_is_said_at_the_field_and_the_text_is_kept(
    visitor: Visitor, organization: int, tmp_path: Path
) -> None:
    large, wrong = tmp_path / "a.bin", tmp_path / "a.png"
    large.touch()
    os.truncate(large, 17 * MEGABYTE)
    wrong.write_bytes(b"%PDF-1.4")
    page = open_form(visitor, organization)
    page.get_by_label("To", exact=True).fill(f"+{CUSTOMER}")
    text, attachment = page.get_by_label("Text", exact=True), page.get_by_label("Attachment")
    text.fill("Olá")
    problem = page.locator('[data-problem-of="attachment"]')
    attachment.set_input_files(large)
    expect(problem).to_have_text("A file may have 16 MB at most.")
    send(page)
    expect(attachment).to_be_focused()
    attachment.set_input_files(wrong)
    expect(problem).to_be_empty()
    send(page)
    expect(problem).to_contain_text("its content is application/pdf")
    expect(attachment).to_have_attribute("aria-invalid", "true")
    expect(text).to_have_value("Olá")
    page.get_by_role("button", name="Remove the file").click()
    expect(problem).to_be_empty()
    expect(attachment).to_be_focused()
    send(page)
    rows = page.locator(".message-table tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator(".kind")).to_have_text("Text")


def test_form_without_javascript_keeps_the_text_and_asks_for_the_file_again(
    browser: Browser, application: Application, organization: int, tmp_path: Path
) -> None:
    menu = picture(tmp_path)
    visitor = Visitor(browser, application, javascript=False)
    page = open_form(visitor, organization)
    page.get_by_label("To", exact=True).fill("98765")
    page.get_by_label("Text", exact=True).fill("Olá")
    page.get_by_label("Attachment").set_input_files(menu)
    send(page)
    expect(page.get_by_text("Choose the file again")).to_be_visible()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Olá")
    page.get_by_label("To", exact=True).fill(f"+{CUSTOMER}")
    page.get_by_label("Attachment").set_input_files(menu)
    send(page)
    expect(page.locator(".message-table .kind")).to_have_text("Picture")
    visitor.context.close()
