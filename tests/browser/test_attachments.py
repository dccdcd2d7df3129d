"""A file in the form to write a message, in a real Chromium before the real product."""

from __future__ import annotations

import re
from io import BytesIO

from PIL import Image
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.browser.visitor import Visitor
from tests.support.application import Application
from tests.support.linking import link

CUSTOMER = "5511976540002"
MEGABYTE = 1024 * 1024


def file(name: str, content: bytes, mime_type: str) -> FilePayload:
    return {"name": name, "mimeType": mime_type, "buffer": content}


def picture() -> FilePayload:
    found = BytesIO()
    Image.effect_noise((1200, 1200), 90).save(found, "PNG")
    return file("cardápio.png", found.getvalue(), "image/png")


def open_form(visitor: Visitor, organization: int) -> Page:
    page = visitor.page
    page.goto(f"{visitor.application.url}admin/connections/connection/{organization}/messages/")
    page.locator("summary", has_text="Write a message").click()
    return page


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()


def test_picture_with_a_text_reaches_the_customer(
    visitor: Visitor, application: Application, organization: int
) -> None:
    link(application, organization)
    application.simulator.save_person(CUSTOMER, "Rafael", auto="read")
    page = open_form(visitor, organization)
    page.get_by_label("To", exact=True).fill(f"+{CUSTOMER}")
    page.get_by_label("Text", exact=True).fill("O cardápio de hoje")
    sent = picture()
    # More than a form without a file may have.
    assert len(sent["buffer"]) > MEGABYTE
    page.get_by_label("Attachment").set_input_files(sent)
    send(page)
    row = page.locator(".message-table tbody tr").first
    expect(row.locator(".kind")).to_have_text("Picture")
    expect(row.locator(".steps .now")).to_have_text(re.compile("^Read"))
    expect(page.get_by_label("Attachment")).to_have_value("")
    expect(page.get_by_role("button", name="Remove the file")).to_be_hidden()
    visitor.at_ease()


def test_wrong_file_is_said_at_the_field_and_the_text_is_kept(
    visitor: Visitor, organization: int
) -> None:
    page = open_form(visitor, organization)
    page.get_by_label("To", exact=True).fill(f"+{CUSTOMER}")
    text, attachment = page.get_by_label("Text", exact=True), page.get_by_label("Attachment")
    text.fill("Olá")
    problem = page.locator('[data-problem-of="attachment"]')
    attachment.set_input_files(file("a.bin", bytes(17 * MEGABYTE), "application/octet-stream"))
    expect(problem).to_have_text("A file may have 16 MB at most.")
    send(page)
    expect(attachment).to_be_focused()
    attachment.set_input_files(file("a.png", b"%PDF-1.4", "image/png"))
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
    browser: Browser, application: Application, organization: int
) -> None:
    visitor = Visitor(browser, application, javascript=False)
    page = open_form(visitor, organization)
    page.get_by_label("To", exact=True).fill("98765")
    page.get_by_label("Text", exact=True).fill("Olá")
    page.get_by_label("Attachment").set_input_files(picture())
    send(page)
    expect(page.get_by_text("Choose the file again")).to_be_visible()
    expect(page.get_by_label("Text", exact=True)).to_have_value("Olá")
    page.get_by_label("To", exact=True).fill(f"+{CUSTOMER}")
    page.get_by_label("Attachment").set_input_files(picture())
    send(page)
    expect(page.locator(".message-table .kind")).to_have_text("Picture")
    visitor.context.close()
