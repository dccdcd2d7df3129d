"""Every form of an address that leads inside is refused; public ones have one spelling."""

from __future__ import annotations

import pytest

from outbound.addresses import MAX_URL_BYTES, check_url, is_public
from outbound.errors import AddressRefused
from outbound.policy import Policy

PUBLIC = Policy(own_hosts=frozenset({"orgs.example.com", ".tenants.example.com", "93.184.216.34"}))

PRIVATE_HOSTS = [
    # Dotted, short, decimal, octal, hexadecimal and mixed.
    *("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1"),
    *("017700000001", "0177.0.0.1", "0177.1", "127.0.0.1.", "127.000.000.001", "0", "0.0.0.0"),
    *("10.0.0.1", "167772161", "0xa000001", "10.1", "172.16.0.1", "172.31.255.255"),
    *("192.168.0.1", "192.168.1", "0xc0a80001", "3232235521", "100.64.0.1", "100.100.100.200"),
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"),
    *("192.0.0.192", "198.18.0.1", "198.19.255.255", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "4294967295", "192.0.2.1", "198.51.100.7", "203.0.113.9"),
    *("192.88.99.1", "168.63.129.16"),
    # IPv6, with IPv4 inside, and with a zone.
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),
    *("[::ffff:8.8.8.8]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]"),
    *("[64:ff9b::8.8.8.8]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:808:808::1]"),
    *("[2001::1]", "[2001:0:7f00:1::]", "[2001:db8::1]", "[3fff::1]", "[fc00::1]"),
    *("[fd00:ec2::254]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[2606:4700::1%1]"),
    *("[fec0::1]", "[ff02::1]", "[100::1]"),
    # Names of our own network, which are not even looked up.
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain"),
    *("redis", "postgres", "metadata.google.internal", "printer.local", "x.corp", "router.lan"),
    *("router.home.arpa", "a.test", "a.internal.", "db.svc.cluster.local"),
    # Digits and dots of other scripts, and what percent signs hide.
    *("127。0。0。1", "127．0．0．1", "１２７.0.0.1", "①②⑦.0.0.1", "٠.٠.٠.٠"),
    *("ⓛocalhost", "localhost。", "%31%32%37.0.0.1", "127.0.0.1%00.example.com"),
    # Ourselves.
    *("orgs.example.com", "ORGS.example.com.", "a.tenants.example.com", "93.184.216.34"),
    "0x5db8d822",
    # No hosts at all.
    *("", ".", "..", "a..example.com", "localhost..", "-a.example.com", "a b.example.com"),
    *("1.2.3.4.5", "256.1.1.1", "0x.example.0x", "1.2.3.09", "999999999999", "a.1"),
    *("[::1", "[127.0.0.1]", "[]", "exa\\mple.com", "example.com\\@10.0.0.1", "a" * 64 + ".com"),
    ".".join(["a" * 60] * 5),
]


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
@pytest.mark.parametrize("end", ["/", ":8443/hook?a=b"])
def test_host_that_is_not_public_is_refused(host: str, end: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(f"https://{host}{end}", PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://a.example/"),
        *("//example.com/", "example.com", "", "https:", "https:///path", "https:example.com"),
        *("https://example.com:22/", "https://example.com:80/", "https://example.com:0/"),
        *("https://example.com:65536/", "https://example.com:x/", "https://example.com:-443/"),
        *("https://user@example.com/", "https://user:secret@example.com/", "https://@example.com/"),
        *("https://example.com@10.0.0.1/", "https://10.0.0.1#@example.com/"),
        *("https://10.0.0.1?@example.com/", "https://10.0.0.1\\@example.com/"),
        *("https://exam\nple.com/", "https://example.com/\r\nX: y", " https://example.com/"),
        *("https://example.com/\0", "https://example.com/\ud800", "https://\ud800.example.com/"),
        "https://example.com/" + "a" * MAX_URL_BYTES,
        "https://example.com/" + "é" * (MAX_URL_BYTES // 2),
    ],
)
def test_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, PUBLIC)


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("https://example.com", "example.com", "/"),
        ("HTTPS://Example.COM.:443/a?b=c#d", "example.com", "/a?b=c"),
        ("https://example.com:8443/a b?c=é", "example.com:8443", "/a%20b?c=%C3%A9"),
        ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", "/"),
        ("https://münchen.example/", "xn--mnchen-3ya.example", "/"),
        ("https://a_b.example.com/@x", "a_b.example.com", "/@x"),
        ("https://0x08080808/", "8.8.8.8", "/"),
        ("https://8.8.2056/", "8.8.8.8", "/"),
        ("https://[2606:4700:0:0::1111]:8443/", "[2606:4700::1111]:8443", "/"),
        ("https://orgs.example.com.evil.example/", "orgs.example.com.evil.example", "/"),
    ],
)
def test_public_url_has_one_spelling(url: str, authority: str, target: str) -> None:
    found = check_url(url, PUBLIC)
    assert (found.authority, found.target) == (authority, target)
    assert check_url(found.url, PUBLIC) == found


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000/", "http://localhost/", "https://crm.lan:1/", "http://[::1]:80/"]
)
def test_trusted_host_may_have_any_address_and_port(url: str) -> None:
    hosts = frozenset({"127.0.0.1", "localhost", "crm.lan", "::1"})
    for policy in (Policy(True), Policy(True, hosts, own_hosts=hosts)):
        assert check_url(url, policy).url.rstrip("/") in (url, url.rstrip("/"), "http://[::1]")


@pytest.mark.parametrize("url", ["http://10.0.0.8/", "http://crm.lan/", "http://example.com/"])
def test_list_of_hosts_leaves_the_rules_for_others(url: str) -> None:
    policy = Policy(True, frozenset({"10.0.0.7"}))
    with pytest.raises(AddressRefused):
        check_url(url, policy)
    assert check_url("https://example.com/", policy).host == "example.com"
    with pytest.raises(AddressRefused):
        check_url("http://10.0.0.7/", Policy(False, frozenset({"10.0.0.7"})))


def test_refusals_say_the_same_whatever_their_reason() -> None:
    said = set()
    for url in ("https://127.0.0.1/", "https://redis/", "http://example.com/", "nonsense"):
        with pytest.raises(AddressRefused) as refused:
            check_url(url, PUBLIC)
        said.add((str(refused.value), refused.value.sentence, refused.value.__cause__))
    assert len(said) == 1


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450::1"])
def test_address_on_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:8.8.8.8", "2002::1", "fe80::1%eth0"])
def test_address_that_leads_inside_is_not_public(address: str) -> None:
    assert not is_public(address)
