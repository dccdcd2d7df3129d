"""All types of messages, sent and received by real clients."""

from __future__ import annotations

import asyncio
import base64
import importlib
import os
from pathlib import Path
from typing import Any

import pytest

from connections.tests.support.linked_clients import (
    fork_server,
    host,
    link_store,
    open_linked,
    simulator,
    spooled_lines,
    text_to,
)
from connections.worker.child import neonize_gateway
from connections.worker.hosts.answers import Downloaded
from connections.worker.hosts.client import ClientHandle
from connections.worker.hosts.fork_server import ForkServer
from connections.worker.hosts.handle import HostHandle
from simulator.process import Simulator

__all__ = ["fork_server", "host", "simulator"]

pytestmark = pytest.mark.sqlite_only

NUMBER, PERSON = "5511987650001", "5511912345678"
SECONDS = 15.0
LIMIT = 100_000
SECRET = bytes(range(32)).hex()
VCARD = "BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nEND:VCARD"
MEDIA: dict[str, dict[str, Any]] = {
    "image": {"mime_type": "image/jpeg", "caption": "look"},
    "video": {"mime_type": "video/mp4", "caption": "look", "seconds": 7},
    "audio": {"mime_type": "audio/ogg; codecs=opus", "voice": True, "seconds": 2},
    "document": {"mime_type": "application/pdf", "filename": "a.pdf"},
    "sticker": {"mime_type": "image/webp"},
}
OTHER: dict[str, dict[str, Any]] = {
    "location": {"latitude": -23.5, "longitude": -46.6, "name": "Sé", "address": "Praça da Sé"},
    "contacts": {"contacts": [{"name": "Bia", "vcard": VCARD}]},
}


class Linked:
    """A linked client and the spool that it writes."""

    def __init__(self, client: ClientHandle, spool: Path, control: Any) -> None:
        self.client = client
        self.spool = spool
        self._control = control

    async def send(self, kind: str, value: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Send a message to the person. Return what the person got."""
        to = {"user": PERSON, "server": "s.whatsapp.net"}
        content = {"to": to, "secret": SECRET, "type": kind, kind: value, **fields}
        result = await self.client.send(content, SECONDS)
        assert result.error == "", result
        got: dict[str, Any] = self._control.received(PERSON)[-1]
        assert got["id"] == result.id
        return got

    async def receive(self, kind: str, value: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Let the person send a message. Return its line in the spool."""
        content = {"text": value["body"]} if kind == "text" else {"type": kind, kind: value}
        sent_id = self._control.say(PERSON, NUMBER, **content, **fields)
        return await self.wait_for_line("id", sent_id)

    async def wait_for_line(self, field: str, value: object) -> dict[str, Any]:
        """Return the first message in the spool with this value, once it is there."""
        async with asyncio.timeout(SECONDS):
            while True:
                for line in spooled_lines(self.spool):
                    if line["kind"] == "message" and line[field] == value:
                        return line
                await self.client.spooled.wait()
                self.client.spooled.clear()


@pytest.fixture
async def linked(
    fork_server: ForkServer, host: HostHandle, simulator: Simulator, tmp_path: Path
) -> Linked:
    database, spool = tmp_path / "a.sqlite3", tmp_path / "a.spool"
    await link_store(fork_server, simulator, database, NUMBER)
    simulator.control.save_person(PERSON, "Ana")
    return Linked(await open_linked(host, database, spool), spool, simulator.control)


async def test_media_reaches_a_person_as_it_is(
    linked: Linked, simulator: Simulator, tmp_path: Path
) -> None:
    for kind, value in MEDIA.items():
        content = os.urandom(20_000)
        (tmp_path / "file").write_bytes(content)
        got = await linked.send(kind, {**value, "path": str(tmp_path / "file")})
        assert (got["type"], got[kind]["intact"]) == (kind, True)
        assert {name: got[kind].get(name) for name in value} == value
        assert simulator.control.media(PERSON, got["id"]) == content


async def test_media_of_a_person_is_downloaded_as_it_is(linked: Linked, tmp_path: Path) -> None:
    for sent, value in (*MEDIA.items(), ("ptv", MEDIA["video"])):
        kind = "video" if sent == "ptv" else sent  # a round video
        content = os.urandom(20_000)
        line = await linked.receive(sent, {**value, "data": base64.b64encode(content).decode()})
        assert (line["type"], line[kind]["size"]) == (kind, len(content))
        assert {name: line[kind].get(name) for name in value} == value
        path = tmp_path / kind
        path.touch(0o600)
        done = await linked.client.download(line["media"], str(path), LIMIT, SECONDS)
        assert done == Downloaded("", len(content), value["mime_type"])
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    done = await linked.client.download(line["media"], str(path), LIMIT, SECONDS)
    assert (done.error, path.exists()) == ("failed", False), "its worker waits for it no more"


async def test_media_that_is_gone_or_too_large_writes_no_file(
    linked: Linked, simulator: Simulator, tmp_path: Path
) -> None:
    data = base64.b64encode(bytes(1000)).decode()
    line = await linked.receive("image", {"mime_type": "image/jpeg", "data": data})
    path = tmp_path / "file"
    path.touch()
    done = await linked.client.download(line["media"], str(path), 999, SECONDS)
    assert done == Downloaded("too_large")
    simulator.control.arm("media_error", status=404)
    done = await linked.client.download(line["media"], str(path), LIMIT, SECONDS)
    assert done == Downloaded("gone")
    assert path.read_bytes() == b""


async def test_media_larger_than_its_message_says_is_not_downloaded(
    linked: Linked, tmp_path: Path
) -> None:
    """The library would read all of it into memory."""
    line = await linked.receive("document", {"mime_type": "text/plain", "size": 3 * LIMIT})
    neonize_gateway.preload(simulated=False)
    e2e = importlib.import_module("neonize.proto.waE2E.WAWebProtobufsE2E_pb2")
    message = e2e.Message.FromString(base64.b64decode(line["media"]))
    message.documentMessage.fileLength = 1
    path = tmp_path / "file"
    path.touch()

    async def download() -> Downloaded:
        media = base64.b64encode(message.SerializeToString()).decode()
        return await linked.client.download(media, str(path), LIMIT, SECONDS)

    assert await download() == Downloaded("too_large")
    message.documentMessage.directPath = ".example" + message.documentMessage.directPath
    assert await download() == Downloaded("failed")
    assert path.read_bytes() == b""


async def test_media_that_cannot_be_uploaded_is_not_sent(
    linked: Linked, simulator: Simulator, tmp_path: Path
) -> None:
    to = {"user": PERSON, "server": "s.whatsapp.net"}
    value = {"mime_type": "image/jpeg", "path": str(tmp_path / "none")}
    content = {"to": to, "type": "image", "image": value}
    missing = await linked.client.send(content, SECONDS)
    assert (missing.error, missing.maybe_sent) == ("upload_failed", False)
    (tmp_path / "none").write_bytes(b"picture")
    simulator.control.arm("media_error", status=500, download=0, upload=1)
    refused = await linked.client.send(content, SECONDS)
    assert (refused.error, refused.maybe_sent) == ("upload_failed", False)
    assert simulator.control.received(PERSON) == []


async def test_end_of_an_upload_is_told_before_the_message_is_accepted(
    linked: Linked, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"picture")
    value = {"mime_type": "image/jpeg", "path": str(tmp_path / "file")}
    to = {"user": PERSON, "server": "s.whatsapp.net"}
    content = {"to": to, "type": "image", "image": value}
    simulator.control.arm("no_ack", number=NUMBER, count=1)
    uploaded = asyncio.Event()
    sending = asyncio.create_task(linked.client.send(content, on_uploaded=uploaded.set))
    async with asyncio.timeout(SECONDS):
        await uploaded.wait()
    assert not sending.done()
    await linked.client.close()
    assert (await sending).error


async def test_other_types_go_both_ways(linked: Linked) -> None:
    for kind, value in OTHER.items():
        got = await linked.send(kind, value)
        assert (got["type"], got[kind]) == (kind, value)
        line = await linked.receive(kind, value)
        assert (line["type"], line[kind]) == (kind, value)


async def test_reaction_edit_and_deletion_name_their_message_both_ways(linked: Linked) -> None:
    mine = (await linked.send("text", {"body": "mine"}))["id"]
    theirs = (await linked.receive("text", {"body": "theirs"}))["id"]
    got = await linked.send("reaction", {"target": {"id": theirs, "from_me": False}, "emoji": "👍"})
    assert got["reaction"] == {"target": {"id": theirs, "from_me": False}, "emoji": "👍"}
    target = {"id": mine, "from_me": True}
    got = await linked.send("edit", {"target": target, "body": "better"})
    assert got["edit"] == {"target": target, "body": "better"}
    got = await linked.send("delete", {"target": target})
    assert got["delete"] == {"target": target}

    line = await linked.receive("reaction", {"target": {"id": mine}, "emoji": ""})
    assert line["reaction"] == {
        "target": {"id": mine, "from_me": True, "sender": ""},
        "emoji": "",
    }
    line = await linked.receive("edit", {"target": {"id": theirs}, "body": "better"})
    assert line["edit"]["body"] == "better"
    assert (line["edit"]["target"]["id"], line["edit"]["target"]["from_me"]) == (theirs, False)
    line = await linked.receive("delete", {"target": {"id": theirs}})
    assert (line["delete"]["target"]["id"], line["delete"]["target"]["from_me"]) == (theirs, False)


async def test_answer_names_its_message_both_ways(linked: Linked) -> None:
    question = await linked.receive("text", {"body": "question?"})
    context = {
        "id": question["id"],
        "sender": question["sender"],
        "from_me": False,
        "text": "question?",
    }
    got = await linked.send("text", {"body": "answer"}, context=context)
    assert got["context"] == {"id": question["id"], "text": "question?"}
    line = await linked.receive("text", {"body": "thanks"}, context={"id": got["id"]})
    assert (line["context"]["id"], line["context"]["text"]) == (got["id"], "answer")


async def test_person_sees_that_messages_are_read_played_and_typed(
    linked: Linked, simulator: Simulator
) -> None:
    line = await linked.receive("text", {"body": "hello"})
    client = linked.client
    read = await client.mark_read([line["id"]], line["chat"], line["sender"], False, SECONDS)
    assert read == ""
    voice = {**MEDIA["audio"], "data": base64.b64encode(b"voice").decode()}
    played = await linked.receive("audio", voice)
    chat, sender = played["chat"], played["sender"]
    assert await client.mark_read([played["id"]], chat, sender, True, SECONDS) == ""
    client.typing(line["chat"], on=True)
    # One client's calls are made in order, so the answer comes after them.
    assert (await linked.client.resolve([f"+{PERSON}"], SECONDS)).error == ""
    sent = {message["id"]: message for message in simulator.control.sent(NUMBER)}
    assert sent[line["id"]]["read_at"] and sent[played["id"]]["played_at"]
    (person,) = simulator.control.people()
    assert person["typing"] == {"from": NUMBER, "on": True}


async def test_owner_who_writes_on_the_phone_is_seen(linked: Linked, simulator: Simulator) -> None:
    await linked.client.send(text_to(PERSON, "first"), SECONDS)
    simulator.control._object(
        "POST",
        f"/phones/{NUMBER}/send",
        {"to": PERSON, "type": "text", "text": {"body": "from the phone"}},
    )
    line = await linked.wait_for_line("from_me", True)
    assert line["text"]["body"] == "from the phone"
    assert PERSON in line["chat"] + line["chat_alt"]
