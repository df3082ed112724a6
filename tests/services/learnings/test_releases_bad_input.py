"""What nobody should send to releases gives a 4xx that names it, and never a 500."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.services.learnings.conftest import Tenant
from tests.services.learnings.files_support import builder, sha256

GOOD: dict[str, Any] = {
    "version": "9.9.9",
    "artifact_url": "/x",
    "artifact_checksum": sha256(b"x"),
    "artifact_size_bytes": 1,
    "framework_version": "v1",
}
ODD: list[Any] = [None, True, 7, -1, 1.5, 10**400, [], {}, [[]], "", " ", "x" * 5000, "a\x00b"]


@pytest.fixture
def bot(client: httpx.AsyncClient) -> Tenant:
    return builder(client)


@pytest.mark.parametrize("field", [*GOOD, "channel", "changelog_url", "installer_checksum"])
async def test_odd_values_are_named_or_taken(bot: Tenant, field: str) -> None:
    for number, odd in enumerate(ODD):
        body = GOOD | {"version": f"9.{number}.{len(field)}{field}"} | {field: odd}
        answer = await bot.send("POST", "/v1/releases", json=body)
        assert answer.status_code in (201, 200, 409, 422), (field, odd, answer.text)
        if answer.status_code == 422:
            assert {tuple(fault["loc"][:2]) for fault in answer.json()["detail"]} == {
                ("body", field)
            }


@pytest.mark.parametrize("field", ["version", "artifact_checksum", "artifact_size_bytes"])
async def test_what_must_be_there(bot: Tenant, field: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != field}
    answer = await bot.send("POST", "/v1/releases", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]


@pytest.mark.parametrize(
    "version",
    ["", ".", "..", "../1", "1/2", "1 2", "1\n", "-1", "+1", "latest", "lts", "signing-key",
     "é", "1" * 65, "1%00", "\u0661"],
)  # fmt: skip
async def test_versions_that_could_be_something_else(bot: Tenant, version: str) -> None:
    answer = await bot.send("POST", "/v1/releases", json=GOOD | {"version": version})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "version"]


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "ftp://x/", "//x", "/x", "https://", "http://[", "https://a\nb/"],
)
async def test_changelogs_are_web_addresses(bot: Tenant, url: str) -> None:
    answer = await bot.send("POST", "/v1/releases", json=GOOD | {"changelog_url": url})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "changelog_url"]


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"nul", b'{"version": "\\ud800"}', b"{" * 5000, b'{"version":NaN}', b"\xff"]
)
async def test_bodies_that_are_none(bot: Tenant, raw: bytes) -> None:
    answer = await bot.send("POST", "/v1/releases", content=raw)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("version", ["..", "%2e%2e", "%2F", "a%00b", "x" * 3000, "%ff", "latest"])
async def test_odd_paths_are_not_there(bot: Tenant, version: str) -> None:
    for path in ("artifact", "artifact.tar.gz", "SHA256SUMS", "SHA256SUMS.sig", "changelog"):
        answer = await bot.send("GET", f"/v1/releases/{version}/{path}")
        assert answer.status_code in (404, 422), (version, path)
    answer = await bot.send("PUT", f"/v1/releases/{version}/artifact", content=b"x")
    assert answer.status_code in (404, 405, 422)
