from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from nacl.bindings import crypto_sign_open

from bench.gateway_idle import http_heads, socket_heads, ticket_heads
from bench.rivals import SECRET, cache, hs256_token
from bench.rivals.all import RIVALS
from bench.rivals.envoy import configuration
from shared.secret import decode_base64url


def test_rivals_have_names_of_their_own() -> None:
    assert len({rival.name for rival in RIVALS}) == len(RIVALS)
    assert all(rival.checks or rival.is_plain_too for rival in RIVALS)


def test_the_token_of_the_rivals_holds() -> None:
    claims = jwt.decode(hs256_token(), SECRET, ["HS256"], audience="bench", issuer="bench")
    assert claims["sub"] == "usr_1"


def test_envoy_checks_before_it_counts_and_forwards() -> None:
    plain, checked = (json.dumps(configuration(1, 2, checks)) for checks in (False, True))
    assert "jwt_authn" not in plain
    assert checked.index("jwt_authn") < checked.index("local_ratelimit") < checked.index("router")


@pytest.mark.parametrize("name", ["envoy.txt", "fastapi.txt"])
def test_what_is_installed_is_pinned_by_hash(name: str) -> None:
    lines = (cache.PROGRAMS / name).read_text().splitlines()
    pinned = [line for line in lines if "==" in line]
    assert pinned
    assert sum("--hash=" in line for line in lines) >= len(pinned)


def test_what_npm_installs_is_pinned_by_hash() -> None:
    lock = json.loads((cache.PROGRAMS / "package-lock.json").read_text())
    assert all("integrity" in package for name, package in lock["packages"].items() if name)


def test_another_lock_file_has_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert cache.place("x", "envoy.txt") != cache.place("x", "fastapi.txt")
    assert cache.place("x", "envoy.txt").parent == Path("/cache/guildhall")


def test_a_failed_installation_says_why_and_is_not_complete(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    assert cache.install(folder, ("sh", "-c", "echo no network >&2; exit 3")) == "no network"
    assert not cache.is_complete(folder)
    assert "no-such-program" in cache.install(folder, ("no-such-program",))
    assert cache.install(folder, ("sh", "-c", "touch done")) == ""
    assert cache.is_complete(folder)
    assert (folder / "done").exists()


def test_each_socket_comes_with_a_ticket_of_another_machine() -> None:
    heads = [head.replace(r"\r\n", "\r\n") for head in ticket_heads(2)]
    tokens = set()
    for head in heads:
        assert head.endswith("\r\n\r\n")
        query = parse_qs(urlsplit(head.split()[1]).query)
        timestamp, token, signature = query["ticket"][0].split(".")
        public = decode_base64url(token.removeprefix("trc_ak_"))
        signed = f"{timestamp}.{token}".encode()
        assert crypto_sign_open(decode_base64url(signature) + signed, public) == signed
        tokens.add(token)
    assert len(tokens) == 2


def test_idle_connections_ask_with_their_token() -> None:
    for heads in (http_heads("/a", "t"), socket_heads("/a", "t")):
        first, second = heads(2)
        assert first.startswith(r"GET /a HTTP/1.1\r\n")
        assert r"Authorization: Bearer t\r\n" in second
