"""Files: uploaded, asked about, downloaded and deleted, as Meta's clients do."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from cloud_api import uploads
from cloud_api.errors import GraphError
from cloud_api.tests.support.graph import READ, SEND, Graph, details, error
from connections import long_poll
from connections.worker.message_port import MediaFetch
from messaging import media_long_poll, signed_urls
from messaging.actions import media as actions
from messaging.models import Media, Message
from messaging.tests.api.test_media import PNG
from messaging.tests.support.file_server import FileServer, serving_files
from organizations.models import Organization
from outbound.client import WHOLE_SECONDS


@pytest.fixture(autouse=True)
def stored_in(media_dir: Path) -> Path:
    return media_dir


def png(name: str = "a.png", claimed: str = "image/png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, PNG, claimed)


def pending(organization: Organization) -> Media:
    return Media.objects.create(organization=organization, source="x")


def test_file_goes_up_is_told_comes_down_and_goes(graph: Graph) -> None:
    uploaded = graph.upload(file=png(), type="image/png")
    assert uploaded.status_code == 200
    media = Media.objects.get()
    assert uploaded.json() == {"id": media.public_id}
    for query in ("", f"?phone_number_id={graph.organization.pk}"):
        about = graph("get", media.public_id + query).json()
        assert about.pop("url").startswith("http://testserver/media/")
        assert about == {
            "mime_type": "image/png",
            "sha256": media.sha256,
            "file_size": len(PNG),
            "id": media.public_id,
            "messaging_product": "whatsapp",
        }
    deleted = graph("delete", media.public_id)
    assert (deleted.status_code, deleted.json()) == (200, {"success": True})
    assert error(graph("get", media.public_id)) == (400, 100)
    assert error(graph("delete", media.public_id)) == (400, 100)


def test_storage_that_cannot_be_used_is_a_service_that_is_unavailable(
    graph: Graph, stored_in: Path
) -> None:
    stored_in.write_text("no folder")
    refused = graph.upload(file=png())
    assert error(refused) == (503, 131016)
    assert refused["Retry-After"] == "5"
    assert not Media.objects.exists()


def test_address_of_a_file_is_good_with_and_without_the_token(graph: Graph) -> None:
    media_id = graph.upload(file=png()).json()["id"]
    path = urlsplit(graph("get", media_id).json()["url"]).path
    for client in (graph.client, Client()):
        response = client.get(path)
        assert (response.status_code, response.getvalue()) == (200, PNG)
        assert response["Content-Type"] == "image/png"


def test_address_of_a_file_ends(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    media_id = graph.upload(file=png()).json()["id"]
    path = urlsplit(graph("get", media_id).json()["url"]).path
    monkeypatch.setattr(signed_urls, "SECONDS", -1)
    assert Client().get(path).status_code == 404


def test_type_of_the_form_counts_where_the_part_has_none(graph: Graph) -> None:
    generic = png(claimed="application/octet-stream")
    assert graph.upload(file=generic, type="image/png").status_code == 200
    generic = png(claimed="application/octet-stream")
    assert error(graph.upload(file=generic, type="image/jpeg")) == (400, 131053)


WEBP = b"RIFF\0\0\0\0WEBP"
STILL, MOVING = WEBP + b"VP8 " + bytes(20), WEBP + b"VP8X\x0a\0\0\0\x02" + bytes(20)
# The content of a file with another type, by what is claimed of it.
OTHER_TYPES = {
    "text/csv": b"a,b\n1,2\n",
    "image/gif": b"GIF89a" + bytes(20),
    "text/html": b"<!doctype html><title>a</title>",
    "application/zip": b"PK\3\4" + bytes(40),
}
# A file of a type, the number of bytes that it may have, and what Meta calls that.
LARGEST = {
    "image/png": (PNG, 5 * 1024**2, "5 MB"),
    "video/mp4": (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", 16 * 1024**2, "16 MB"),
    "audio/ogg": (b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\1", 16 * 1024**2, "16 MB"),
    "image/webp": (MOVING, 500 * 1024, "500 KB"),
}


@pytest.mark.parametrize("claimed", OTHER_TYPES)
def test_type_that_meta_does_not_take_gets_metas_error(graph: Graph, claimed: str) -> None:
    refused = graph.upload(file=SimpleUploadedFile("a", OTHER_TYPES[claimed], claimed))
    assert error(refused) == (400, 100)
    text = details(refused)
    assert text.startswith("Param file must be a file with one of the following types: audio/aac,")
    assert text.endswith(f"Received file of type '{claimed}'.")
    assert not Media.objects.exists()


@pytest.mark.parametrize("claimed", LARGEST)
def test_each_type_has_its_largest_size(settings: Settings, claimed: str) -> None:
    settings.MEDIA_MAX_MB = 100
    begin, limit, words = LARGEST[claimed]
    largest = begin + bytes(limit - len(begin))
    assert uploads.check(SimpleUploadedFile("a", largest, claimed), "") == claimed
    with pytest.raises(GraphError) as refused:
        uploads.check(SimpleUploadedFile("a", largest + b"0", claimed), "")
    assert (refused.value.code, refused.value.status_code) == (131053, 400)
    text = f"file: A file of the type {claimed} may have {words} at most."
    assert refused.value.details == text


def test_sticker_that_moves_may_be_larger(graph: Graph) -> None:
    size = 100 * 1024 + 1
    still, moving = (
        SimpleUploadedFile("a", begin + bytes(size - len(begin)), "image/webp")
        for begin in (STILL, MOVING)
    )
    assert error(graph.upload(file=still)) == (400, 131053)
    assert not Media.objects.exists()
    assert graph.upload(file=moving).status_code == 200


REFUSED: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "no file": ({}, (400, 131008)),
    "a text for a file": ({"file": "x"}, (400, 131008)),
    "another type": ({"file": png(claimed="image/jpeg")}, (400, 131053)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_upload_gets_its_code(graph: Graph, name: str) -> None:
    form, expected = REFUSED[name]
    assert error(graph.upload(**form)) == expected
    assert not Media.objects.exists()


def test_too_large_file_gets_413(graph: Graph, settings: Settings) -> None:
    settings.MEDIA_MAX_MB = 1
    large = SimpleUploadedFile("a.png", PNG + bytes(1024 * 1024), "image/png")
    assert error(graph.upload(file=large)) == (413, 131053)


def test_full_organization_stores_no_more(graph: Graph, settings: Settings) -> None:
    settings.MEDIA_TOTAL_MB = 0
    assert error(graph.upload(file=png())) == (400, 131053)


def test_upload_of_json_gets_415(graph: Graph) -> None:
    assert error(graph.of_number("post", "media", {"file": "x"})) == (415, 100)


def test_rights_are_those_of_the_rest_api(graph: Graph, organization: Organization) -> None:
    media_id = graph.upload(file=png()).json()["id"]
    sender, reader = Graph(organization, SEND), Graph(organization, READ)
    assert error(sender("get", media_id)) == (403, 10)
    assert error(reader.upload(file=png())) == (403, 10)
    assert error(reader("delete", media_id)) == (403, 10)
    assert reader("get", media_id).status_code == 200


def test_file_of_another_tenant_is_an_unknown_one(
    graph: Graph, other_organization: Organization
) -> None:
    foreign = Media.objects.create(organization=other_organization, state="ready")
    unknown = graph("get", "x" * 22)
    for method in ("get", "delete"):
        response = graph(method, foreign.public_id)
        assert (error(response), details(response)) == ((400, 100), details(unknown))
    own = graph.upload(file=png()).json()["id"]
    elsewhere = graph("get", f"{own}?phone_number_id={other_organization.pk}")
    assert error(elsewhere) == (400, 100)


@pytest.mark.django_db(transaction=True)
def test_file_that_is_being_fetched_is_waited_for(
    graph: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_poll, "RECHECK_SECONDS", 0.1)
    fetched = tmp_path / "fetched"
    fetched.write_bytes(PNG)
    answers = []
    for signed in (False, True):
        media = pending(graph.organization)
        fetch = MediaFetch(media.pk, graph.organization.pk, "x", 10_000)
        file = actions.save_fetched(fetched)
        timer = threading.Timer(0.2, actions.record_fetched, (fetch, file))
        timer.start()
        path = signed_urls.path_of(media.public_id)
        answers.append(Client().get(path) if signed else graph("get", media.public_id))
        timer.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (answers[0].json()["mime_type"], answers[1].getvalue()) == ("image/png", PNG)


def test_file_that_is_not_fetched_in_time_may_be_asked_for_again(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_long_poll, "SECONDS", 0.1)
    media = pending(graph.organization)
    refused = graph("get", media.public_id)
    assert (error(refused), refused["Retry-After"]) == ((503, 131016), "10")


@pytest.mark.parametrize(("state", "reason"), [("failed", "gone"), ("not_kept", "storage_full")])
def test_file_that_never_comes_gets_131052(graph: Graph, state: str, reason: str) -> None:
    media = Media.objects.create(organization=graph.organization, state=state, reason=reason)
    assert error(graph("get", media.public_id)) == (400, 131052)


@pytest.fixture
def files(settings: Settings) -> Iterator[FileServer]:
    """Return a server with files, to which links may lead."""
    settings.WEBHOOKS_ALLOW_PRIVATE, settings.WEBHOOKS_ALLOWED_HOSTS = True, ["127.0.0.1"]
    with serving_files() as server:
        yield server


def test_file_is_sent_by_its_link(graph: Graph, files: FileServer) -> None:
    link = files.add("/a.png", PNG, "image/png")
    response = graph.send(type="image", image={"link": link, "caption": "Bolo"})
    assert response.status_code == 200
    media = Message.objects.get().media
    assert media is not None
    assert (media.mime_type, media.size) == ("image/png", len(PNG))


def test_link_that_leads_to_no_file_gets_131052(graph: Graph, files: FileServer) -> None:
    refused = graph.send(type="image", image={"link": f"{files.url}/nowhere"})
    assert error(refused) == (400, 131052)
    assert not Message.objects.exists()


def test_documented_client_waits_longer_than_the_service(settings: Settings) -> None:
    text = (settings.BASE_DIR / "docs" / "cloud-api.md").read_text()
    [timeout] = re.findall(r"session=httpx\.Client\((?:timeout=(\d+))?\)", text)
    waits = (media_long_poll.SECONDS, WHOLE_SECONDS)
    assert float(timeout) > sum(waits)
    for seconds in waits:
        assert f"{seconds:.0f} s" in text.partition("## What is there")[0]
