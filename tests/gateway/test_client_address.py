from __future__ import annotations

from ipaddress import ip_network

import pytest

from gateway.pipeline.client_address import ClientAddresses, rate_key

PROXIES = ClientAddresses([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", [b"198.51.100.7"], "192.0.2.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", [b"1.1.1.1, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", [b"1.1.1.1", b"198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", [b"198.51.100.7, 10.0.0.2"], "198.51.100.7"),
        ("10.0.0.1", [b"198.51.100.7 ,  fd00::1"], "198.51.100.7"),
        ("10.0.0.1", [b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", [b"198.51.100.7, nonsense"], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.7, nonsense, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [b""], "10.0.0.1"),
        ("10.0.0.1", [b"198.51.100.7:1234"], "10.0.0.1"),
        ("10.0.0.1", [b"2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", [b"198.51.100.7"], "198.51.100.7"),
        ("", [b"198.51.100.7"], ""),
    ],
)
def test_client_behind_proxies(peer: str, forwarded: list[bytes], client: str) -> None:
    assert PROXIES.find(peer, forwarded) == client


def test_nobody_is_trusted_by_default() -> None:
    assert ClientAddresses().find("10.0.0.1", [b"198.51.100.7"]) == "10.0.0.1"


def test_ipv6_is_counted_by_network() -> None:
    assert rate_key("2001:db8::1") == rate_key("2001:db8::ffff:2")
    assert rate_key("2001:db8::1") != rate_key("2001:db8:0:1::1")
    assert rate_key("192.0.2.1") != rate_key("192.0.2.2")
    assert rate_key("::ffff:192.0.2.1") != rate_key("::ffff:192.0.2.2")
