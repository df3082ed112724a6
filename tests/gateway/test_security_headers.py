"""Security headers: every answer has them, a service's own words win, and caches still work."""

from __future__ import annotations

import pytest

from gateway.pipeline.security_headers import OWNED, SPEAKS, VALIDATOR, SecurityHeaders

PLAIN = SecurityHeaders(is_https=False)
HTTPS = SecurityHeaders(is_https=True, hsts_max_age=31_536_000)


def read(lines: bytes) -> dict[str, str]:
    assert lines.endswith(b"\r\n")
    pairs = [line.split(": ", 1) for line in lines.decode("ascii").split("\r\n")[:-1]]
    headers = dict(pairs)
    assert len(headers) == len(pairs), "no header stands twice"
    return headers


@pytest.mark.parametrize("table", [PLAIN.public, PLAIN.private, HTTPS.public, HTTPS.private])
def test_a_service_that_speaks_is_not_contradicted(table: tuple[bytes, ...]) -> None:
    assert len(table) == 2 * VALIDATOR
    for said in range(len(table)):
        headers = read(table[said])
        assert headers["x-content-type-options"] == "nosniff"
        for name, bit in SPEAKS.items():
            if bit != VALIDATOR and said & bit:
                assert name.decode() not in headers


def test_who_says_nothing_gets_all() -> None:
    assert read(PLAIN.private[0]) == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-security-policy": (
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "x-frame-options": "DENY",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
    assert read(PLAIN.public[0]) == {
        name: value for name, value in read(PLAIN.private[0]).items() if name != "cache-control"
    }


def test_what_can_be_asked_for_again_may_be_kept_by_its_owner() -> None:
    assert read(PLAIN.private[VALIDATOR])["cache-control"] == "private, no-cache"
    assert "cache-control" not in read(PLAIN.public[VALIDATOR])


def test_https_is_demanded_only_where_it_is_spoken() -> None:
    for said in range(2 * VALIDATOR):
        assert "strict-transport-security" not in read(PLAIN.private[said])
        assert read(HTTPS.public[said])["strict-transport-security"] == "max-age=31536000"
    forgotten = SecurityHeaders(is_https=True, hsts_max_age=0)
    assert read(forgotten.public[0])["strict-transport-security"] == "max-age=0"


def test_names_are_written_as_they_are_compared() -> None:
    for name in (*SPEAKS, *OWNED):
        assert name == name.lower()
    assert OWNED.isdisjoint(SPEAKS)
