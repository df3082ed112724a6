"""Releases, backups and packages through the gateway of the running system."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import httpx
import pytest

from tests.services.learnings.files_support import (
    files_below,
    path_in,
    pieces_of,
    sha256,
    sha256_base64,
)
from tests.support.stack import Stack, running_stack
from tests.system.people import PASSWORD, Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ADMIN: Final = "root@files.example"
LARGE: Final = 100 * 1_048_576
ROOM: Final = 60 * 1_048_576
"""Bytes by which a process may grow while a file passes that is larger than that."""


@dataclass
class Site:
    """The system, its administrator, a key that publishes, and somebody else."""

    stack: Stack
    client: httpx.AsyncClient
    admin: dict[str, str]
    publisher: dict[str, str]
    ada: Person

    def memory(self) -> dict[str, int]:
        return {name: self.stack.child(name).memory_info().rss for name in ("gateway", "learnings")}


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    with running_stack(GUILDHALL_ADMIN_EMAIL=ADMIN, GUILDHALL_ADMIN_PASSWORD=PASSWORD) as stack:
        async with httpx.AsyncClient(base_url=stack.base_url, timeout=60) as client:
            root = Person(client, ADMIN)
            await root.log_in()
            org = (await client.get("/v1/auth/me", headers=root.headers)).json()["org_id"]
            made = await client.post(
                f"/v1/admin/organizations/{org}/api-keys",
                json={"name": "bot", "scopes": ["releases:write"]},
                headers=root.headers,
            )
            assert made.status_code == 201, made.text
            publisher = {"authorization": f"Bearer {made.json()['key']}"}
            ada = await joined(client, stack.mail_directory, "ada@files.example")
            yield Site(stack, client, root.headers, publisher, ada)


async def publish(site: Site, version: str, data: bytes, headers: dict[str, str]) -> dict[str, Any]:
    posted = {
        "version": version,
        "artifact_url": "/build/x",
        "artifact_checksum": sha256(data),
        "artifact_size_bytes": len(data),
        "framework_version": "v1",
    }
    answer = await site.client.post("/v1/releases", json=posted, headers=headers)
    assert answer.status_code == 201, answer.text
    path = f"/v1/releases/{version}/artifact"
    sent = headers | {"content-length": str(len(data))}
    answer = await site.client.put(path, content=pieces_of(data), headers=sent)
    assert answer.status_code == 200, answer.text
    return dict((await site.client.get(path)).json())


async def test_a_release_is_published_by_a_key_and_by_a_person(site: Site) -> None:
    for number, who in enumerate((site.publisher, site.admin)):
        data = os.urandom(200_000)
        told = await publish(site, f"1.0.{number}", data, who)
        assert told["artifact_url"].startswith(site.stack.base_url)
        path = path_in(told["artifact_url"])
        whole = await site.client.get(path)
        assert (whole.status_code, whole.content) == (200, data)
        part = await site.client.get(path, headers={"range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, data[1000:2000])
        have = await site.client.get(path, headers={"if-none-match": whole.headers["etag"]})
        assert (have.status_code, have.content) == (304, b"")
        head = await site.client.head(path)
        assert (head.status_code, head.headers["content-length"]) == (200, str(len(data)))
        assert int(head.headers["x-ratelimit-limit"]) > 0


async def test_publishing_is_refused_to_everybody_else(site: Site) -> None:
    body = {"version": "6.6.6", "artifact_checksum": "0" * 64, "artifact_size_bytes": 1}
    answer = await site.client.post("/v1/releases", json=body, headers=site.ada.headers)
    assert (answer.status_code, answer.json()) == (403, {"detail": "Missing scope: releases:write"})
    made = await site.client.post(
        f"/v1/admin/organizations/{site.ada.org_id}/api-keys",
        json={"name": "mine", "scopes": ["releases:write"]},
        headers=site.ada.headers,
    )
    assert made.status_code == 403
    for method, path in (("POST", "/v1/releases"), ("PUT", "/v1/releases/1.0.0/artifact"),
                         ("GET", "/v1/releases/latest/installer"), ("GET", "/v1/releases"),
                         ("POST", "/v1/backup/presign"), ("GET", "/v1/backup/list"),
                         ("GET", "/v1/me/proprietary-license"),
                         ("PUT", "/v1/proprietary/packages/a/1")):  # fmt: skip
        answer = await site.client.request(method, path)
        assert answer.status_code == 401, path
        assert answer.json()["detail"] == "Invalid or expired token"
        assert answer.json().get("error", "unauthorized") == "unauthorized"


async def presigned(site: Site, **fields: Any) -> str:
    answer = await site.client.post(
        "/v1/backup/presign", json={"client_id": "c"} | fields, headers=site.ada.headers
    )
    assert answer.status_code == 200, answer.text
    url = str(answer.json()["url"])
    assert url.startswith(site.stack.base_url)
    return path_in(url)


async def back_up(site: Site, data: bytes, **headers: str) -> httpx.Response:
    address = await presigned(site, sha256=sha256(data), size_bytes=len(data))
    sent = {"content-length": str(len(data)), "x-amz-checksum-sha256": sha256_base64(data)}
    return await site.client.put(address, content=pieces_of(data), headers=sent | headers)


async def test_a_large_file_passes_in_little_memory(site: Site) -> None:
    small, large = os.urandom(8_000_000), os.urandom(LARGE)
    await publish(site, "2.0.0", small, site.publisher)
    assert (await back_up(site, small)).status_code == 200
    before = site.memory()
    told = await publish(site, "2.0.1", large, site.publisher)
    stored = await back_up(site, large)
    assert stored.status_code == 200
    address = await presigned(site, method="get", key=stored.json()["key"])
    for path in (path_in(told["artifact_url"]), address):
        async with site.client.stream("GET", path) as answer:
            assert answer.status_code == 200
            content = b"".join([piece async for piece in answer.aiter_raw()])
        assert sha256(content) == sha256(large)
    grown = {name: size - before[name] for name, size in site.memory().items()}
    assert max(grown.values()) < ROOM, grown


@pytest.mark.parametrize("wrong", ["short", "digest"])
async def test_what_is_not_as_announced_is_refused_on_the_way(site: Site, wrong: str) -> None:
    data = os.urandom(300_000)
    address = await presigned(site, sha256=sha256(data), size_bytes=len(data))
    sent = data[:-1] if wrong == "short" else data[:-1] + b"\x00"
    if sent == data:
        sent = data[:-1] + b"\x01"
    headers = {"content-length": str(len(sent)), "x-amz-checksum-sha256": sha256_base64(data)}
    answer = await site.client.put(address, content=pieces_of(sent), headers=headers)
    assert answer.status_code == 400
    assert isinstance(answer.json()["detail"], str)


async def test_an_upload_that_breaks_off_leaves_nothing(site: Site) -> None:
    data = os.urandom(20_000_000)
    address = await presigned(site, sha256=sha256(data), size_bytes=len(data))
    headers = {"content-length": str(len(data)), "x-amz-checksum-sha256": sha256_base64(data)}
    sql = await asyncpg.connect(site.stack.database_url("learnings"), timeout=10)

    async def breaking() -> AsyncIterator[bytes]:
        async for piece in pieces_of(data[:15_000_000]):
            yield piece
        async with asyncio.timeout(20):
            while not await sql.fetchval("SELECT count(*) FROM learnings.file WHERE NOT kept"):
                await asyncio.sleep(0.02)
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await site.client.put(address, content=breaking(), headers=headers)
    async with asyncio.timeout(20):
        while await sql.fetchval("SELECT count(*) FROM learnings.file WHERE NOT kept"):
            await asyncio.sleep(0.02)
    await sql.close(timeout=5)
    folder = site.stack.data_dir / "artifacts" / "backups"
    assert all(path.stat().st_size != 15_000_000 for path in files_below(folder))
    assert not [path for path in files_below(folder) if "#" in path.name]
    again = {"content-length": str(len(data)), "x-amz-checksum-sha256": sha256_base64(data)}
    answer = await site.client.put(address, content=pieces_of(data), headers=again)
    assert answer.status_code == 200


async def test_a_package_goes_to_who_has_a_license(site: Site) -> None:
    data = os.urandom(100_000)
    path = "/v1/proprietary/packages/core/1.0.0"
    put = await site.client.put(path, content=data, headers=site.publisher)
    assert put.status_code == 201, put.text
    granted = await site.client.put(
        f"/v1/proprietary/entitlements/{site.ada.org_id}",
        json={"packages": ["core"]},
        headers=site.admin,
    )
    assert granted.status_code == 200, granted.text
    answer = await site.client.get("/v1/me/proprietary-license", headers=site.ada.headers)
    key = answer.json()["license_key"]
    told = await site.client.post(
        "/v1/proprietary/entitlement", json={"license_key": key, "package": "core"}
    )
    got = await site.client.get(path_in(told.json()["url"]))
    assert (got.status_code, sha256(got.content)) == (200, told.json()["sha256"])


async def test_no_signed_address_and_no_key_stands_in_a_log(site: Site) -> None:
    address = await presigned(site, sha256="0" * 64, size_bytes=5)
    await site.client.put(address, content=b"12345")
    await site.client.put(address + "x", content=b"12345")
    await site.client.get(address)
    ticket = address.partition("ticket=")[2]
    log = site.stack.log
    assert ticket[:60] not in log
    assert ticket.rpartition(".")[2][:20] not in log
    assert "trw_lic_" not in log.replace("trw_lic_***", "")
