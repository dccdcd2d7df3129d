"""Unit tests of codecs and cryptography."""

from __future__ import annotations

import random
import zlib

import pytest

from simulator import linkcode, nodes, wire
from simulator.jids import Jid, parse_jid
from simulator.nodes import Attribute, Content, Node
from simulator.noise import Cipher, NoiseError, Responder, SymmetricState
from simulator.phone import BadCode, Code, new_phone, read_code
from simulator.xeddsa import KeyPair, verify


def random_node(chance: random.Random, depth: int = 3) -> Node:
    words = ["iq", "set", "md", "é", "12-3.4", "DEADBEEF", "x" * 300, "s.whatsapp.net", "count"]
    values: list[Attribute] = [*words]
    values += [
        Jid("5511", "s.whatsapp.net", 7),
        Jid("5", "lid", 255),
        Jid("", "g.us"),
        Jid("a", "b"),
    ]
    attrs: dict[str, Attribute] = {
        chance.choice(words) + str(n): chance.choice(values) for n in range(chance.randrange(4))
    }
    content: Content = chance.choice([None, b"", b"\xf8\x00", chance.randbytes(400)])
    if depth and chance.random() < 0.6:
        children = range(chance.choice([1, 2, 300]) if depth == 1 else 2)
        content = [random_node(chance, depth - 1) for _ in children]
    return Node(chance.choice(words), attrs, content)


@pytest.mark.parametrize("seed", range(20))
def test_encoded_node_decodes_to_the_same_node(seed: int) -> None:
    node = random_node(random.Random(seed))
    raw = nodes.encode(node)
    assert nodes.decode(raw) == node
    assert nodes.decode(b"\x02" + zlib.compress(raw[1:])) == node


@pytest.mark.parametrize("seed", range(20))
def test_corrupted_nodes_raise_only_node_errors(seed: int) -> None:
    chance = random.Random(seed)
    raw = nodes.encode(random_node(chance))
    for _ in range(50):
        corrupted = bytearray(raw[: chance.randrange(len(raw))])
        if corrupted:
            corrupted[chance.randrange(len(corrupted))] = chance.randrange(256)
        try:
            nodes.decode(bytes(corrupted))
        except nodes.NodeError:
            continue


def test_packed_text_is_decoded() -> None:
    nibbles = bytes([0, 248, 2, 252, 1, ord("t"), 255, 0x82, 0x12, 0xBF])
    assert nodes.decode(nibbles) == Node("t", {}, b"12.")
    hexadecimal = bytes([0, 248, 2, 252, 1, ord("t"), 251, 0x02, 0xDE, 0xAD])
    assert nodes.decode(hexadecimal) == Node("t", {}, b"DEAD")


def test_compressed_frame_over_the_limit_is_refused() -> None:
    with pytest.raises(nodes.NodeError):
        nodes.decode(b"\x02" + zlib.compress(bytes(50_000_000)))


def test_protobuf_round_trip_and_errors() -> None:
    raw = wire.encode({1: 2**63, 2: b"abc", 19: "text", 4: 0})
    message = wire.decode(raw + bytes([0x2D, 1, 2, 3, 4]))
    assert message == {1: 2**63, 2: b"abc", 19: b"text", 4: 0, 5: bytes([1, 2, 3, 4])}
    assert (message.number(9), message.data(9)) == (0, b"")
    for bad in (b"\x0a\x05ab", b"\x08", b"\x0b", b"\x00\x00", b"\xff" * 12):
        with pytest.raises(wire.WireError):
            wire.decode(bad)
    with pytest.raises(wire.WireError):
        message.number(2)


def test_xeddsa_signature_verifies_only_for_its_key_and_message() -> None:
    for _ in range(8):  # half of the keys have the sign bit set
        alice, bob = KeyPair(), KeyPair()
        signature = alice.sign(b"message")
        assert verify(alice.public, b"message", signature)
        assert not verify(alice.public, b"massage", signature)
        assert not verify(bob.public, b"message", signature)
        assert alice.agree(bob.public) == bob.agree(alice.public)
        assert KeyPair(alice.seed).public == alice.public
    assert not verify(bytes(31), b"message", signature)
    assert not verify(b"\xff" * 32, b"message", signature)


def initiator_hello() -> tuple[SymmetricState, KeyPair, bytes]:
    state, ephemeral = SymmetricState(), KeyPair()
    state.mix(ephemeral.public)
    return state, ephemeral, wire.encode({2: wire.encode({1: ephemeral.public})})


def test_handshake_ends_in_the_same_ciphers() -> None:
    static, ours = KeyPair(), KeyPair()
    responder = Responder(static, b"certificate")
    state, ephemeral, hello = initiator_hello()
    answer = wire.decode(responder.hello(hello)).message(3)
    state.mix(answer.data(1))
    state.mix_key(ephemeral.agree(answer.data(1)))
    assert state.open(answer.data(2)) == static.public
    state.mix_key(ephemeral.agree(static.public))
    assert state.open(answer.data(3)) == b"certificate"
    sealed = state.seal(ours.public)
    state.mix_key(ours.agree(answer.data(1)))
    finish = wire.encode({4: wire.encode({1: sealed, 2: state.seal(b"payload")})})
    assert responder.finish(finish) == (ours.public, b"payload")
    (up, down), (their_up, their_down) = state.split(), responder.split()
    assert their_up.open(up.seal(b"one")) == b"one"
    assert their_up.open(up.seal(b"two")) == b"two"
    assert down.open(their_down.seal(b"three")) == b"three"


def test_malformed_handshakes_raise_noise_errors() -> None:
    for hello in (b"", b"junk", wire.encode({2: wire.encode({1: b"short"})})):
        with pytest.raises(NoiseError):
            Responder(KeyPair(), b"").hello(hello)
    zero_key = wire.encode({2: wire.encode({1: bytes(32)})})
    with pytest.raises(NoiseError):
        Responder(KeyPair(), b"").hello(zero_key)
    responder = Responder(KeyPair(), b"")
    responder.hello(initiator_hello()[2])
    with pytest.raises(NoiseError):
        responder.finish(wire.encode({4: wire.encode({1: bytes(48), 2: bytes(20)})}))
    with pytest.raises(NoiseError):
        Cipher(bytes(32)).open(b"")


def test_phone_signs_a_companion_and_verifies_its_answer() -> None:
    phone, companion = new_phone("5511987654321"), KeyPair()
    code = Code("ref", bytes(32), companion.public, bytes(32))
    message, details = phone.sign_companion(code, 1)
    signed = wire.decode(message).message(1)
    assert signed.data(1) == details
    assert verify(phone.keys.public, b"\x06\x00" + details + companion.public, signed.data(3))
    proof = companion.sign(b"\x06\x01" + details + companion.public + phone.keys.public)
    assert phone.verify_companion(wire.encode({1: details, 4: proof}), details, companion.public)
    assert not phone.verify_companion(
        wire.encode({1: details, 4: proof[::-1]}), details, companion.public
    )
    assert not phone.verify_companion(b"\x0a\xff", details, companion.public)


def test_qr_text_is_parsed_and_invalid_text_is_refused() -> None:
    key = "A" * 43 + "="
    link = f"https://wa.me/settings/linked_devices#2@ref,{key},{key},{key},1"
    assert read_code(link) == read_code(link.partition("#")[2]) == Code("2@ref", *[bytes(32)] * 3)
    for bad in (
        "",
        "2@ref",
        f"2@ref,{key},{key}",
        f"2@ref,{key},{key},AAAA",
        f",{key},{key},{key}",
    ):
        with pytest.raises(BadCode):
            read_code(bad)


def test_code_exchange_needs_the_right_code() -> None:
    public = KeyPair().public
    wrapped = linkcode.wrap("ABCD1234", public)
    assert linkcode.unwrap("ABCD1234", wrapped) == public
    assert linkcode.unwrap("ABCD1235", wrapped) != public
    assert linkcode.normalize("abcd-1234") == "ABCD1234"
    for bad in ("", "ABCD-123", "ABCD-O234", "ÄBCD-1234"):
        with pytest.raises(linkcode.WrongCode):
            linkcode.normalize(bad)


def test_jids_are_parsed_and_invalid_ones_are_refused() -> None:
    for text in ("5511:3@s.whatsapp.net", "5511@s.whatsapp.net", "7:1@lid"):
        assert str(parse_jid(text)) == text
    for bad in ("", "5511", "@lid", "5:x@lid", "5@"):
        with pytest.raises(ValueError, match="JID"):
            parse_jid(bad)
