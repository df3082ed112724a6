"""Releases: posted, uploaded as announced, given out signed (learnings contract, section 5.4)."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from services.learnings.app import SERVICE
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.files_support import (
    builder,
    files_below,
    path_in,
    pieces_of,
    sha256,
    with_scopes,
)
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import client_of

Sql = asyncpg.Connection
ARTIFACT = bytes(range(256)) * 3000
INSTALLER = b"print('installed')\n" * 100


@pytest.fixture
def bot(client: httpx.AsyncClient) -> Tenant:
    return builder(client)


def release(version: str = "", data: bytes = ARTIFACT, **fields: Any) -> dict[str, Any]:
    return {
        "version": version or f"1.0.{uuid4().int % 10**9}",
        "artifact_url": "/home/ci/build/../dist/trw.tar.gz",
        "artifact_checksum": sha256(data),
        "artifact_size_bytes": len(data),
        "framework_version": "v27.6_TRW",
    } | fields


async def post(bot: Tenant, **fields: Any) -> dict[str, Any]:
    answer = await bot.send("POST", "/v1/releases", json=release(**fields))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def upload(bot: Tenant, version: str, part: str, data: bytes) -> httpx.Response:
    return await bot.send("PUT", f"/v1/releases/{version}/{part}", content=pieces_of(data))


async def published(bot: Tenant, **fields: Any) -> dict[str, Any]:
    made = await post(bot, **fields)
    assert (await upload(bot, made["version"], "artifact", ARTIFACT)).status_code == 200
    assert (await upload(bot, made["version"], "installer", INSTALLER)).status_code == 200
    return made


async def test_a_posted_release_is_the_latest_with_all_its_fields(
    bot: Tenant, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    made = await post(bot, version="2.0.0")
    latest = (await tenant.send("GET", "/v1/releases/latest")).json()
    assert latest == made
    assert latest["published_at"] == datetime.now(UTC).strftime("%Y-%m-%d")
    home = "http://127.0.0.1:8000/v1/releases/2.0.0"
    signed, signature = latest.pop("signed"), latest.pop("signature")
    assert len(base64.b64decode(signature, validate=True)) == 64
    assert latest == {
        "version": "2.0.0",
        "published_at": latest["published_at"],
        "channel": "latest",
        "changelog_url": f"{home}/changelog",
        "artifact_url": f"{home}/artifact.tar.gz",
        "artifact_checksum": sha256(ARTIFACT),
        "artifact_size_bytes": len(ARTIFACT),
        "installer_checksum": None,
        "min_compatible_version": "0.0.0",
        "framework_version": "v27.6_TRW",
        "sha256sums_url": f"{home}/SHA256SUMS",
    }
    assert json.loads(signed)["artifact_checksum"] == sha256(ARTIFACT)
    assert "/home/ci" not in json.dumps(made)


async def test_posting_again_is_an_answer_and_something_else_a_conflict(bot: Tenant) -> None:
    wanted = release(installer_checksum=sha256(INSTALLER), changelog="new things")
    first = await bot.send("POST", "/v1/releases", json=wanted)
    again = await bot.send("POST", "/v1/releases", json=wanted)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    for other in (
        {"artifact_checksum": sha256(b"other")},
        {"artifact_size_bytes": 1},
        {"artifact_url": "/elsewhere"},
        {"framework_version": "v28"},
        {"channel": "lts"},
        {"min_compatible_version": "1.0.0"},
        {"installer_checksum": None},
        {"changelog": "other"},
        {"changelog_url": "https://example.org/"},
    ):
        answer = await bot.send("POST", "/v1/releases", json=wanted | other)
        assert answer.status_code == 409, other
        assert isinstance(answer.json()["detail"], str)


async def test_posting_at_once_makes_one_and_says_it_once(bot: Tenant, sql: Sql) -> None:
    wanted = release()
    answers = await asyncio.gather(
        *(bot.send("POST", "/v1/releases", json=wanted) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    said = await sql.fetch(
        "SELECT payload FROM learnings.outbox WHERE kind = 'release.published.v1'"
    )
    versions = [json.loads(row["payload"])["version"] for row in said]
    assert versions.count(wanted["version"]) == 1


async def test_channels_are_apart(bot: Tenant) -> None:
    lts = await post(bot, channel="lts")
    newest = await post(bot)
    path = "/v1/releases/latest"
    assert (await bot.send("GET", f"{path}?channel=lts")).json()["version"] == lts["version"]
    assert (await bot.send("GET", path)).json()["version"] == newest["version"]
    for channel in ("beta", "", "LTS"):
        answer = await bot.send("GET", path, params={"channel": channel})
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["query", "channel"]


async def test_with_no_release_there_is_no_latest(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with database_server.clone() as urls:
        settings = learnings_settings(urls, tmp_path_factory.mktemp("empty"))
        async with client_of(SERVICE, settings) as client:
            nobody = Tenant(client)
            for path in ("latest", "latest/installer", "1.0.0/artifact", "1.0.0/SHA256SUMS"):
                answer = await nobody.send("GET", f"/v1/releases/{path}")
                assert answer.status_code == 404
                assert answer.json() == {"detail": "Not Found"}


async def test_the_artifact_is_where_it_is_said_to_be(bot: Tenant, stranger: Tenant) -> None:
    made = await published(bot)
    answer = await stranger.send("GET", f"/v1/releases/{made['version']}/artifact")
    told = answer.json()
    assert answer.status_code == 200
    assert told["artifact_url"] == made["artifact_url"]
    assert told["artifact_checksum"] == sha256(ARTIFACT)
    assert told["min_compatible_version"] == "0.0.0"
    download = await stranger.send("GET", path_in(told["artifact_url"]))
    assert (download.status_code, download.content) == (200, ARTIFACT)
    assert download.headers["content-type"] == "application/gzip"


async def test_an_artifact_that_is_not_as_announced_is_refused_whole(
    bot: Tenant, client: httpx.AsyncClient, sql: Sql
) -> None:
    made = await post(bot)
    before = await sql.fetchval("SELECT count(*) FROM learnings.file")
    for wrong in (b"", ARTIFACT[:-1], ARTIFACT + b"x", ARTIFACT[:-1] + b"x"):
        answer = await upload(bot, made["version"], "artifact", wrong)
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"][0]["loc"] == ["body"]
    assert (await bot.send("GET", path_in(made["artifact_url"]))).status_code == 404
    assert await sql.fetchval("SELECT count(*) FROM learnings.file") == before


async def test_uploading_again_changes_nothing(bot: Tenant, sql: Sql) -> None:
    made = await post(bot)
    version = made["version"]
    answers = [await upload(bot, version, "artifact", ARTIFACT) for _ in range(2)]
    for answer in answers:
        assert answer.status_code == 200
        assert answer.json() == {
            "version": version,
            "sha256": sha256(ARTIFACT),
            "size_bytes": len(ARTIFACT),
        }
    assert (await upload(bot, version, "artifact", b"else")).status_code == 422
    first = await upload(bot, version, "installer", INSTALLER)
    other = await upload(bot, version, "installer", INSTALLER + b"#")
    assert (first.status_code, other.status_code) == (200, 422)


async def test_uploads_at_once_keep_one_file(bot: Tenant, sql: Sql) -> None:
    version = (await post(bot))["version"]
    installers = [INSTALLER + bytes([number]) for number in range(4)]
    answers = await asyncio.gather(
        *(upload(bot, version, "artifact", ARTIFACT) for _ in range(4)),
        *(upload(bot, version, "installer", data) for data in installers),
    )
    assert [answer.status_code for answer in answers[:4]] == [200] * 4
    assert sorted(answer.status_code for answer in answers[4:]) == [200, 422, 422, 422]
    assert await sql.fetchval("SELECT count(*) FROM learnings.file WHERE NOT kept") == 0


async def test_an_installer_that_was_announced_must_be_that_one(bot: Tenant) -> None:
    made = await post(bot, installer_checksum=sha256(INSTALLER).upper())
    assert made["installer_checksum"] == sha256(INSTALLER)
    assert (await upload(bot, made["version"], "installer", b"else")).status_code == 422
    assert (await upload(bot, made["version"], "installer", INSTALLER)).status_code == 200


async def test_the_installer_is_a_streamed_file_equal_to_its_checksum(
    bot: Tenant, tenant: Tenant
) -> None:
    await published(bot)
    latest = (await tenant.send("GET", "/v1/releases/latest")).json()
    answer = await tenant.send("GET", "/v1/releases/latest/installer")
    assert (answer.status_code, answer.content) == (200, INSTALLER)
    assert latest["installer_checksum"] == sha256(answer.content)
    headers = answer.headers
    assert headers["content-disposition"] == 'attachment; filename="install-trw.py"'
    assert headers["etag"] == f'"{latest["installer_checksum"]}"'
    algorithm, _, digest = headers["digest"].partition("=")
    assert algorithm == "sha-256"
    assert base64.b64decode(digest).hex() == latest["installer_checksum"]
    assert headers["content-length"] == str(len(INSTALLER))
    assert headers["x-content-type-options"] == "nosniff"


async def test_the_installer_asks_for_a_credential_and_its_scope(
    bot: Tenant, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    await published(bot)
    path = "/v1/releases/latest/installer"
    assert (await with_scopes(tenant, "releases:read").send("GET", path)).status_code == 200
    refused = await with_scopes(tenant, "telemetry:write").send("GET", path)
    assert refused.status_code == 403
    assert refused.json() == {"detail": "Missing scope: releases:read"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/releases"),
        ("PUT", "/v1/releases/1.0.0/artifact"),
        ("PUT", "/v1/releases/1.0.0/installer"),
        ("DELETE", "/v1/releases/1.0.0"),
    ],
)
async def test_publishing_is_for_platform_administrators_keys(
    tenant: Tenant, method: str, path: str
) -> None:
    for who in (tenant, with_scopes(tenant, "*"), with_scopes(tenant, "releases:read")):
        answer = await who.send(method, path, json=release() if method == "POST" else None)
        assert answer.status_code == 403
        assert answer.json() == {"detail": "Missing scope: releases:write"}


async def test_metadata_and_sums_are_signed(bot: Tenant, stranger: Tenant) -> None:
    made = await published(bot)
    shown = (await bot.send("GET", f"/v1/releases/{made['version']}")).json()
    key = (await stranger.send("GET", "/v1/releases/signing-key")).json()
    assert key["algorithm"] == "ed25519"
    verify = VerifyKey(base64.b64decode(key["public_key"]))
    verify.verify(shown["signed"].encode(), base64.b64decode(shown["signature"]))
    said = json.loads(shown["signed"])
    assert all(shown[name] == value for name, value in said.items())
    assert said["installer_checksum"] == sha256(INSTALLER)
    assert shown["signed"] == json.dumps(said, separators=(",", ":"), sort_keys=True)
    with pytest.raises(BadSignatureError):
        verify.verify(shown["signed"].encode() + b" ", base64.b64decode(shown["signature"]))

    sums = await stranger.send("GET", path_in(shown["sha256sums_url"]))
    assert sums.headers["content-type"].startswith("text/plain")
    assert sums.text == (
        f"{sha256(ARTIFACT)}  trw-{made['version']}.tar.gz\n{sha256(INSTALLER)}  install-trw.py\n"
    )
    detached = await stranger.send("GET", path_in(shown["sha256sums_url"]) + ".sig")
    verify.verify(sums.content, base64.b64decode(detached.text))
    download = await stranger.send("GET", path_in(shown["artifact_url"]))
    name = re.search('filename="(.*)"', download.headers["content-disposition"])
    assert name is not None
    assert name[1] in sums.text


async def test_the_changelog_is_the_address_given_or_our_own_text(
    bot: Tenant, stranger: Tenant
) -> None:
    elsewhere = await post(bot, changelog_url="https://example.org/changes/?a=b#c")
    assert elsewhere["changelog_url"] == "https://example.org/changes/?a=b#c"
    told = await post(bot, changelog="First.\nSecond ✓.")
    answer = await stranger.send("GET", path_in(told["changelog_url"]))
    assert (answer.status_code, answer.text) == (200, "First.\nSecond ✓.")
    silent = await post(bot)
    answer = await stranger.send("GET", path_in(silent["changelog_url"]))
    assert silent["version"] in answer.text


async def test_releases_are_listed_newest_first(bot: Tenant, tenant: Tenant) -> None:
    made = [(await post(bot))["version"] for _ in range(3)]
    page = (await tenant.send("GET", "/v1/releases?page_size=2")).json()
    assert [item["version"] for item in page["items"]] == made[:0:-1]
    assert (page["page"], page["page_size"]) == (1, 2)
    assert page["total"] >= 3
    lts = (await tenant.send("GET", "/v1/releases?channel=lts")).json()["items"]
    assert all(item["channel"] == "lts" for item in lts)
    assert (await tenant.send("GET", "/v1/releases?page_size=201")).status_code == 422


async def test_a_withdrawn_release_is_offered_to_nobody(
    bot: Tenant, tenant: Tenant, sql: Sql
) -> None:
    before = await published(bot)
    made = await published(bot)
    version = made["version"]
    assert (await bot.send("DELETE", f"/v1/releases/{version}")).status_code == 204
    assert (await bot.send("DELETE", f"/v1/releases/{version}")).status_code == 404
    latest = (await tenant.send("GET", "/v1/releases/latest")).json()
    assert latest["version"] == before["version"]
    for path in ("", "/artifact", "/artifact.tar.gz", "/SHA256SUMS", "/changelog"):
        answer = await tenant.send("GET", f"/v1/releases/{version}{path}")
        assert answer.status_code == 404, path
    assert (await upload(bot, version, "artifact", ARTIFACT)).status_code == 404
    again = await bot.send("POST", "/v1/releases", json=release(version))
    assert again.status_code == 409
    assert await sql.fetchval("SELECT count(*) FROM learnings.file WHERE NOT kept") == 0


async def test_versions_with_a_plus_have_addresses_that_work(bot: Tenant) -> None:
    made = await published(bot, version="3.0.0-rc.1+build_7")
    answer = await bot.send("GET", path_in(made["artifact_url"]))
    assert (answer.status_code, answer.content) == (200, ARTIFACT)


@pytest.fixture
async def small(
    urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Tenant]:
    folder = tmp_path_factory.mktemp("small")
    settings = learnings_settings(urls, folder, GUILDHALL_RELEASE_SIZE=1000)
    async with client_of(SERVICE, settings) as client:
        yield builder(client)
    assert files_below(folder) == []


async def test_files_larger_than_the_settings_allow_are_refused(small: Tenant) -> None:
    answer = await small.send("POST", "/v1/releases", json=release())
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "artifact_size_bytes"]
    made = await post(small, artifact_size_bytes=1000)
    answer = await upload(small, made["version"], "installer", b"x" * 1001)
    assert answer.status_code == 413
