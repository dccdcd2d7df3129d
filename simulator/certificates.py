"""The simulator's certificates: a TLS chain for its two hosts, and a Noise chain.

Both are created once and stored in the state directory: `ca.pem` (for clients to trust), `tls.pem`
(leaf key and certificate) and `noise.json` (seeds of the root, intermediate and server keys).
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import wire
from .files import write_private
from .xeddsa import KeyPair

HOST = "web.whatsapp.com"
MEDIA_HOST = "mmg.whatsapp.net"
_NAMES: list[x509.GeneralName] = [x509.DNSName(HOST), x509.DNSName(MEDIA_HOST)]
# The proxies in front of the simulator (proxies.py) have a CA of their own.
_LOOPBACK = ipaddress.ip_address("127.0.0.1")
_PROXY_NAMES: list[x509.GeneralName] = [x509.IPAddress(_LOOPBACK)]
_DAY = 86_400
_YEARS = 10 * 365


class NoiseIdentity:
    """The server's Noise keys: the root that clients trust, and the static key that it signs."""

    def __init__(self, root: KeyPair, intermediate: KeyPair, static: KeyPair) -> None:
        self.root = root
        self.static = static
        self._intermediate = intermediate

    def chain(self) -> bytes:
        """Return the CertChain message, valid from yesterday for ten years."""
        intermediate = _certificate(self.root, serial=1, issuer=0, key=self._intermediate.public)
        leaf = _certificate(self._intermediate, serial=2, issuer=1, key=self.static.public)
        return wire.encode({1: leaf, 2: intermediate})


def noise_identity(directory: Path) -> NoiseIdentity:
    """Return the Noise keys of a state directory, created if they are missing."""
    path = directory / "noise.json"
    if not path.exists():
        seeds = [KeyPair().seed.hex() for _ in range(3)]
        write_private(path, json.dumps(seeds).encode())
    root, intermediate, static = (
        KeyPair(bytes.fromhex(seed)) for seed in json.loads(path.read_text())
    )
    return NoiseIdentity(root, intermediate, static)


def tls_context(directory: Path) -> ssl.SSLContext:
    """Return the server's TLS context of a state directory, with its chain created if missing."""
    chain = directory / "tls.pem"
    made = chain.exists() and ca_file(directory).exists() and _proxy_chain(directory).exists()
    if not (made and _names(chain) == _NAMES):
        _make_tls(directory, chain)
    return _context(chain)


def proxy_tls_context(directory: Path) -> ssl.SSLContext:
    """Return the TLS context of HTTPS proxies on 127.0.0.1. `tls_context` has made its chain."""
    return _context(_proxy_chain(directory))


def other_tls_context(directory: Path) -> ssl.SSLContext:
    """Return a TLS context for the simulator's hosts that no client trusts."""
    path = directory / "other.pem"
    if not path.exists():
        _ca, chain = _chain("Another CA", _NAMES, x509.NameConstraints(_NAMES, None))
        write_private(path, chain)
    return _context(path)


def _proxy_chain(directory: Path) -> Path:
    return directory / "proxy.pem"


def _context(chain: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    # No session tickets: they cost memory for each client, and no client resumes a session.
    context.num_tickets = 0
    return context


def ca_file(directory: Path) -> Path:
    """Return the path of the CA certificate that clients must trust."""
    return directory / "ca.pem"


def _certificate(issuer_key: KeyPair, *, serial: int, issuer: int, key: bytes) -> bytes:
    now = int(time.time())
    details = wire.encode(
        {1: serial, 2: issuer, 3: key, 4: now - _DAY, 5: now + _YEARS * _DAY},
    )
    return wire.encode({1: details, 2: issuer_key.sign(details)})


def _names(chain: Path) -> list[x509.GeneralName]:
    """Return the hosts of a stored certificate; older ones have the first host only."""
    certificate = x509.load_pem_x509_certificate(chain.read_bytes())
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _make_tls(directory: Path, chain: Path) -> None:
    ca, leaf = _chain("WhatsApp stand-in CA", _NAMES, x509.NameConstraints(_NAMES, None))
    network = x509.IPAddress(ipaddress.ip_network(f"{_LOOPBACK}/32"))
    proxy_ca, proxy = _chain(
        "Proxy stand-in CA", _PROXY_NAMES, x509.NameConstraints([network], None)
    )
    write_private(chain, leaf)
    write_private(_proxy_chain(directory), proxy)
    write_private(ca_file(directory), ca + proxy_ca)


def _chain(
    name: str, names: list[x509.GeneralName], limits: x509.NameConstraints
) -> tuple[bytes, bytes]:
    """Return a CA's certificate, and a leaf's key and certificate for these names."""
    ca_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    leaf_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(names[0].value))])
    ca = (
        _builder(ca_name, ca_name, ca_key, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        # The CA's key is not stored, and the CA is limited to these hosts.
        .add_extension(limits, critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        _builder(leaf_name, ca_name, leaf_key, ca_key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ca.public_bytes(Encoding.PEM), key + leaf.public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    subject_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_YEARS))
        # Python 3.13 refuses chains without these two.
        .add_extension(subject_id, critical=False)
        .add_extension(issuer_id, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
