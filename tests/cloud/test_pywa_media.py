"""pywa uploads, asks about, downloads and deletes files."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.errors import MediaDownloadError, WhatsAppError

from tests.cloud.account import Account
from tests.cloud.files import PNG


def test_file_goes_up_comes_down_and_goes(wa: WhatsApp, tmp_path: Path) -> None:
    media = wa.upload_media(PNG, mime_type="image/png", filename="bolo.png")
    about = wa.get_media_url(media.id)
    assert (about.mime_type, about.file_size) == ("image/png", len(PNG))
    assert about.sha256 == hashlib.sha256(PNG).hexdigest()
    assert wa.get_media_bytes(about.url) == PNG
    saved = wa.download_media(url=about.url, path=tmp_path)
    assert (saved.name, saved.read_bytes()) == ("bolo.png", PNG)
    assert wa.delete_media(media.id).success
    with pytest.raises(WhatsAppError) as gone:
        wa.get_media_url(media.id)
    assert (gone.value.code, gone.value.subcode) == (100, 33)


def test_file_in_chunks_goes_up(wa: WhatsApp, account: Account) -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="messaging_product"\r\n\r\nwhatsapp\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + PNG + b"\r\n--x--\r\n"
    )
    headers = {
        "Authorization": f"Bearer {account.token}",
        "Content-Type": "multipart/form-data; boundary=x",
    }
    with httpx.Client(timeout=60, trust_env=False) as client:
        url = f"{account.graph}/{account.phone_number_id}/media"
        sent = client.post(url, headers=headers, content=iter([form[:100], form[100:]]))
    assert sent.request.headers["Transfer-Encoding"] == "chunked"
    assert sent.status_code == 200, sent.text
    assert wa.get_media_url(sent.json()["id"]).file_size == len(PNG)


def test_received_file_comes_down(wa: WhatsApp, account: Account) -> None:
    data = base64.b64encode(PNG).decode()
    account.chat.write(type="image", image={"data": data, "mime_type": "image/png"})
    received = account.chat.wait_for_event("message.received")["data"]
    # At once: it waits until the file is there.
    about = wa.get_media_url(received["media"]["id"])
    assert wa.get_media_bytes(about.url) == PNG


def test_file_that_is_gone_at_whatsapp_is_its_own_exception(wa: WhatsApp, account: Account) -> None:
    account.chat.application.simulator.arm("media_error", count=1, status=404)
    data = base64.b64encode(PNG).decode()
    account.chat.write(type="image", image={"data": data, "mime_type": "image/png"})
    received = account.chat.wait_for_event("message.received")["data"]
    with pytest.raises(MediaDownloadError):
        wa.get_media_url(received["media"]["id"])


def test_account_and_templates_are_told(wa: WhatsApp, account: Account) -> None:
    number = wa.get_business_phone_number()
    assert number.id == account.phone_number_id
    assert number.status == "CONNECTED"
    assert number.display_phone_number is not None
    digits = "".join(filter(str.isdigit, number.display_phone_number))
    assert digits == account.chat.number
    assert [found.id for found in wa.get_business_phone_numbers()] == [account.phone_number_id]
    assert list(wa.get_templates()) == []
