from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.targets import TargetPolicy, read_targets

STRICT = TargetPolicy(allow_private=False)
LAX = TargetPolicy(allow_private=True)
OPEN = TargetPolicy(True, read_targets("0.0.0.0/0 ::/0"))


def permits(
    policy: TargetPolicy, address: str, host: str = "host.example", port: int = 443
) -> bool:
    return policy.permits(host, port, ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1"])
def test_the_internet_may_be_reached(address: str) -> None:
    assert permits(STRICT, address)
    assert permits(LAX, address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.2.1",
        "::1",
        "fc00::1",
        "fd12:3456::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
        "2002:c0a8:101::",
    ],
)
def test_what_is_private_is_open_only_by_setting(address: str) -> None:
    assert not permits(STRICT, address)
    assert permits(LAX, address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fe80::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "::a9fe:a9fe",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "0.0.0.0",  # noqa: S104 - asked about, not bound
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ],
)
def test_metadata_and_nowhere_are_never_reached(address: str) -> None:
    assert not permits(STRICT, address)
    assert not permits(LAX, address)
    assert not permits(OPEN, address)


def test_a_host_a_network_or_a_port_may_be_opened() -> None:
    policy = TargetPolicy(
        False, read_targets("idp.intranet, 10.1.0.0/16 [::1]:8443 192.168.0.9:8080")
    )
    assert permits(policy, "10.9.9.9", "IDP.intranet.")
    assert not permits(policy, "10.9.9.9", "other.intranet")
    assert permits(policy, "10.1.2.3")
    assert permits(policy, "::ffff:10.1.2.3")
    assert permits(policy, "::1", port=8443)
    assert not permits(policy, "::1", port=443)
    assert permits(policy, "192.168.0.9", port=8080)
    assert not permits(policy, "192.168.0.9", port=8081)


def test_deny_wins() -> None:
    words = read_targets("bad.example 8.8.0.0/16 good.example:25")
    policy = TargetPolicy(True, words, words)
    assert not permits(policy, "93.184.216.34", "bad.example")
    assert not permits(policy, "8.8.8.8")
    assert not permits(policy, "93.184.216.34", "good.example", 25)
    assert permits(policy, "93.184.216.34", "good.example", 443)


@pytest.mark.parametrize(
    "text", ["http://x", "a b:0", "x:99999", "x:", "ex ample/8", "10.0.0.0/33", "ü.example", "*"]
)
def test_a_bad_word_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="not a host, a network or host:port"):
        read_targets(text)


@given(st.ip_addresses())
def test_every_address_is_decided_and_strict_is_the_stricter(
    address: IPv4Address | IPv6Address,
) -> None:
    if STRICT.permits("host.example", 443, address):
        assert LAX.permits("host.example", 443, address)
        assert address.is_global


@given(st.ip_addresses(v=4))
def test_an_address_in_another_coat_is_decided_alike(address: IPv4Address) -> None:
    for policy in (STRICT, LAX):
        plain = policy.permits("host.example", 443, address)
        mapped = IPv6Address(f"::ffff:{address}")
        assert policy.permits("host.example", 443, mapped) == plain
