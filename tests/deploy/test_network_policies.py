"""The network policies of deploy/kubernetes, worked out: who may reach whom."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from outbound.addresses import PORTS as HTTPS
from outbound.addresses import is_public
from tests.deploy.files import KUBERNETES, manifests

COMPONENT = "app.kubernetes.io/component"
COMPONENTS = ("web", "worker", "migrate")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Everything that is no address of a computer on the internet, with one address of each.
NOT_PUBLIC = {
    "0.0.0.0/8": "0.1.2.3",
    "10.0.0.0/8": "10.96.0.1",
    "100.64.0.0/10": "100.100.100.200",
    "127.0.0.0/8": "127.0.0.1",
    "169.254.0.0/16": "169.254.169.254",
    "172.16.0.0/12": "172.31.255.1",
    "192.0.0.0/24": "192.0.0.192",
    "192.0.2.0/24": "192.0.2.1",
    "192.88.99.0/24": "192.88.99.1",
    "192.168.0.0/16": "192.168.1.1",
    "198.18.0.0/15": "198.19.0.1",
    "198.51.100.0/24": "198.51.100.1",
    "203.0.113.0/24": "203.0.113.1",
    "224.0.0.0/4": "239.255.255.250",
    "240.0.0.0/4": "255.255.255.255",
    "::/128": "::",
    "::1/128": "::1",
    "::ffff:0:0/96": "::ffff:10.0.0.1",
    "64:ff9b::/96": "64:ff9b::a00:1",
    "64:ff9b:1::/48": "64:ff9b:1::a00:1",
    "100::/64": "100::1",
    "2001::/32": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::/32": "2001:db8::1",
    "2002::/16": "2002:a00:1::1",
    "3fff::/20": "3fff::1",
    "5f00::/16": "5f00::1",
    "fc00::/7": "fd00:ec2::254",
    "fe80::/10": "fe80::1",
    "fec0::/10": "fec0::1",
    "ff00::/8": "ff02::1",
}


def policies(component: str, direction: str) -> list[dict[str, Any]]:
    """The policies that select a component's pods, for Ingress or Egress."""
    found = [one["spec"] for one in manifests() if one["kind"] == "NetworkPolicy"]
    labels = pod_labels(component)
    return [
        spec
        for spec in found
        if spec["podSelector"].get("matchLabels", {}).items() <= labels.items()
        and direction in spec["policyTypes"]
    ]


def pod_labels(component: str) -> dict[str, str]:
    """The labels of a component's pods."""
    templates = (one.get("spec", {}).get("template") for one in manifests())
    labels = (template["metadata"]["labels"] for template in templates if template)
    return next(found for found in labels if found[COMPONENT] == component)


def rules(component: str, direction: str) -> list[dict[str, Any]]:
    """All that these policies allow together."""
    of = direction.lower()
    return [rule for spec in policies(component, direction) for rule in spec.get(of, [])]


def ports(rule: dict[str, Any]) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for port in rule["ports"]}


def blocks(component: str, port: int) -> Iterator[dict[str, Any]]:
    """The blocks of addresses that a component may reach on a port."""
    for rule in rules(component, "Egress"):
        if ("TCP", port) in ports(rule):
            yield from (peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer)


def reaches(component: str, port: int, network: str) -> bool:
    """Whether any address of a network can be reached."""
    wanted = ipaddress.ip_network(network)
    return any(_overlaps(block, wanted) for block in blocks(component, port))


def _overlaps(block: dict[str, Any], wanted: Network) -> bool:
    allowed = ipaddress.ip_network(block["cidr"])
    if allowed.version != wanted.version or not allowed.overlaps(wanted):
        return False
    excepted = map(ipaddress.ip_network, block.get("except", []))
    return not any(wanted.version == one.version and _within(wanted, one) for one in excepted)


def _within(inner: Network, outer: Network) -> bool:
    # mypy: both are of one version.
    return inner.subnet_of(outer)  # type: ignore[arg-type]


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("direction", ["Ingress", "Egress"])
def test_nothing_is_open_without_a_rule(component: str, direction: str) -> None:
    assert policies(component, direction)
    for rule in rules(component, direction):
        assert rule["ports"]
        assert rule["from" if direction == "Ingress" else "to"]


@pytest.mark.parametrize("component", ["web", "worker"])
@pytest.mark.parametrize("network", NOT_PUBLIC)
def test_no_network_that_is_not_public_is_reached(component: str, network: str) -> None:
    example = ipaddress.ip_address(NOT_PUBLIC[network])
    assert example in ipaddress.ip_network(network)
    assert not is_public(example)
    for port in HTTPS:
        assert not reaches(component, port, network)
        assert not reaches(component, port, f"{example}/{example.max_prefixlen}")


@pytest.mark.parametrize("component", ["web", "worker"])
@pytest.mark.parametrize("address", ["157.240.0.60/32", "8.8.8.8/32", "2a03:2880:f200::1/128"])
def test_internet_is_reached_with_https_alone(component: str, address: str) -> None:
    assert all(reaches(component, port, address) for port in HTTPS)
    tcp = {port for rule in rules(component, "Egress") for port in ports(rule)}
    assert {number for _, number in tcp} == {53, 5432, 6379, *HTTPS}
    assert not any(reaches(component, port, address) for port in (53, 5432, 6379))


def test_migrations_do_not_reach_the_internet() -> None:
    for port in (53, 5432, 6379, *HTTPS):
        assert not reaches("migrate", port, "8.8.8.8/32")
        assert not reaches("migrate", port, "2a03:2880:f200::1/128")
    assert reaches("migrate", 5432, "10.1.2.3/32")


def test_only_controller_and_prometheus_reach_web_processes() -> None:
    [rule] = rules("web", "Ingress")
    assert ports(rule) == {("TCP", 8000)}
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in rule["from"]
    ]
    assert namespaces == ["ingress-nginx", "monitoring"]
    assert all(peer["podSelector"]["matchLabels"] for peer in rule["from"])


@pytest.mark.parametrize("component", ["worker", "migrate"])
def test_no_pod_reaches_other_pods(component: str) -> None:
    assert rules(component, "Ingress") == []


def test_dns_goes_only_to_the_cluster() -> None:
    for component in COMPONENTS:
        peers = [
            peer
            for rule in rules(component, "Egress")
            if ("UDP", 53) in ports(rule)
            for peer in rule["to"]
        ]
        assert peers
        for peer in peers:
            labels = peer["namespaceSelector"]["matchLabels"]
            assert labels == {"kubernetes.io/metadata.name": "kube-system"}
            assert peer["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}


def test_ingress_limits_the_login() -> None:
    found = {
        path["path"]: one["metadata"]["annotations"]
        for one in yaml.safe_load_all((KUBERNETES / "ingress.yaml").read_text())
        for rule in one["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert set(found) == {"/", "/admin/login/", "/graph/"}
    limit = "nginx.ingress.kubernetes.io/limit-rpm"
    assert 0 < int(found["/admin/login/"][limit]) <= 60
    assert limit not in found["/"]


def test_ingress_logs_no_address_of_the_cloud_api() -> None:
    [annotations] = [
        one["metadata"]["annotations"]
        for one in yaml.safe_load_all((KUBERNETES / "ingress.yaml").read_text())
        if one["metadata"]["name"] == "whatsapp-orgs-graph"
    ]
    assert annotations["nginx.ingress.kubernetes.io/enable-access-log"] == "false"
