"""Backups: announced, uploaded as announced, encrypted, given back (contract, section 4.3)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from services.learnings.app import SERVICE
from shared.errors import BadRequest
from shared.tickets import Tickets
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.files_support import (
    files_below,
    path_in,
    pieces_of,
    sha256,
    sha256_base64,
    with_scopes,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting, client_of

Sql = asyncpg.Connection
DATA = random.Random(7).randbytes(300_000)
CLIENT = "sync-default-0123456789abcdef"


@dataclass
class Backups:
    """One organization's client; what it uploads goes without any credential."""

    tenant: Tenant

    async def presign(self, **fields: Any) -> httpx.Response:
        return await self.tenant.send("POST", "/v1/backup/presign", json=fields)

    async def announce(self, data: bytes = DATA, client_id: str = CLIENT) -> dict[str, Any]:
        answer = await self.presign(client_id=client_id, sha256=sha256(data), size_bytes=len(data))
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def put(
        self,
        url: str,
        data: bytes,
        *,
        says: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        told = data if says is None else says
        sent = {
            "content-length": str(len(told)),
            "x-amz-checksum-sha256": sha256_base64(told),
            "content-type": "application/octet-stream",
        }
        sent |= headers or {}
        sent = {name: value for name, value in sent.items() if value} | asserting("learnings")
        path = path_in(url)
        return await self.tenant.client.put(path, content=pieces_of(data), headers=sent)

    async def keep(self, data: bytes = DATA, client_id: str = CLIENT) -> str:
        announced = await self.announce(data, client_id)
        answer = await self.put(announced["url"], data)
        assert answer.status_code == 200, answer.text
        return str(announced["key"])

    async def address_of(self, key: str) -> str:
        answer = await self.presign(client_id="another", method="get", key=key)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["url"])

    async def get(self, url: str) -> httpx.Response:
        return await self.tenant.client.get(path_in(url), headers=asserting("learnings"))

    async def objects(self, client_id: str = CLIENT) -> list[dict[str, Any]]:
        answer = await self.tenant.send("GET", f"/v1/backup/list?client_id={client_id}")
        assert answer.status_code == 200
        found: list[dict[str, Any]] = answer.json()["objects"]
        return found


@pytest.fixture
def backups(tenant: Tenant) -> Backups:
    return Backups(tenant)


@dataclass
class Own:
    """A service of the test's own, with settings of its own."""

    backups: Backups
    folder: Path


@pytest.fixture
async def own(
    urls: DatabaseUrls, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Own]:
    values = getattr(request, "param", {})
    settings = learnings_settings(urls, tmp_path, **values)
    async with client_of(SERVICE, settings) as client:
        yield Own(Backups(Tenant(client)), tmp_path / "artifacts")


async def test_a_backup_goes_there_and_back(backups: Backups) -> None:
    announced = await backups.announce()
    assert set(announced) == {"url", "key"}
    assert announced["url"].startswith("http://127.0.0.1:8000/v1/backup/file?ticket=")
    org = backups.tenant.org
    assert announced["key"].startswith(f"backups/{org}/{CLIENT}/")
    assert announced["key"].endswith(".db.gz")
    assert await backups.objects() == []
    put = await backups.put(announced["url"], DATA)
    assert put.status_code == 200
    (item,) = await backups.objects()
    assert item["key"] == announced["key"]
    assert item["size_bytes"] == len(DATA)
    assert item["uploaded_at"].endswith("Z")
    assert datetime.fromisoformat(item["uploaded_at"])
    got = await backups.get(await backups.address_of(announced["key"]))
    assert (got.status_code, got.content) == (200, DATA)
    assert got.headers["content-length"] == str(len(DATA))
    assert base64.b64decode(got.headers["digest"].removeprefix("sha-256=")).hex() == sha256(DATA)


def test_the_digest_is_told_in_base64() -> None:
    raw = bytes.fromhex("48e6894b" + "00" * 28)
    assert base64.b64encode(raw).decode().startswith("SOaJS")


async def test_nothing_of_it_can_be_read_at_rest(own: Own, sql: Sql) -> None:
    plain = b"SECRET-LINE " * 30_000
    key = await own.backups.keep(plain)
    (stored,) = files_below(own.folder)
    content = stored.read_bytes()
    assert b"SECRET-LINE" not in content
    assert len(content) > len(plain)
    row = await sql.fetchrow(
        "SELECT sealed_key, file FROM learnings.backup WHERE org_id = $1 AND key = $2",
        own.backups.tenant.org,
        key,
    )
    assert row is not None
    assert len(row["sealed_key"]) > 32
    assert str(stored).endswith(row["file"])
    assert own.backups.tenant.org not in str(stored)


@pytest.mark.parametrize("place", [0, 30, 200_000, -1])
async def test_damage_at_rest_breaks_the_download(own: Own, place: int) -> None:
    key = await own.backups.keep(os.urandom(300_000))
    (stored,) = files_below(own.folder)
    content = bytearray(stored.read_bytes())
    content[place] ^= 1
    stored.write_bytes(content)
    url = await own.backups.address_of(key)
    with pytest.raises(Exception, match="authenticate"):
        await own.backups.get(url)


@pytest.mark.parametrize(
    ("data", "says"),
    [(DATA[:-1], DATA), (DATA + b"x", DATA), (DATA[:-1] + b"x", DATA), (b"", DATA), (DATA, b"x")],
    ids=["short", "long", "other", "empty", "says"],
)
async def test_other_bytes_than_announced_are_refused_and_not_kept(
    own: Own, sql: Sql, data: bytes, says: bytes
) -> None:
    announced = await own.backups.announce()
    answer = await own.backups.put(announced["url"], data, says=says)
    assert answer.status_code == 400, answer.text
    assert isinstance(answer.json()["detail"], str)
    assert files_below(own.folder) == []
    assert await own.backups.objects() == []
    left = "SELECT count(*) FROM learnings.file WHERE org_id = $1"
    assert await sql.fetchval(left, own.backups.tenant.org) == 0
    assert (await own.backups.put(announced["url"], DATA)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": ""},
        {"content-length": str(len(DATA) + 1)},
        {"content-length": "abc"},
        {"x-amz-checksum-sha256": ""},
        {"x-amz-checksum-sha256": sha256(DATA)},
        {"x-amz-checksum-sha256": sha256_base64(DATA).rstrip("=")},
        {"x-amz-checksum-sha256": sha256_base64(b"other")},
    ],
    ids=["no length", "long", "word", "no digest", "hex", "unpadded", "other"],
)
async def test_an_upload_must_say_what_was_announced(own: Own, headers: dict[str, str]) -> None:
    announced = await own.backups.announce()
    answer = await own.backups.put(announced["url"], DATA, headers=headers)
    assert answer.status_code == 400, answer.text
    assert files_below(own.folder) == []


async def test_an_address_is_used_once(backups: Backups) -> None:
    announced = await backups.announce()
    assert (await backups.put(announced["url"], DATA)).status_code == 200
    again = await backups.put(announced["url"], DATA)
    assert again.status_code == 400
    assert "used" in again.json()["detail"]
    assert len(await backups.objects()) == 1


async def test_of_uploads_at_once_one_wins(own: Own) -> None:
    announced = await own.backups.announce()
    answers = await asyncio.gather(*(own.backups.put(announced["url"], DATA) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400, 400]
    assert len(files_below(own.folder)) == 1
    assert len(await own.backups.objects()) == 1


async def test_addresses_are_for_one_thing(backups: Backups) -> None:
    announced = await backups.announce()
    await backups.put(announced["url"], DATA)
    download = await backups.address_of(announced["key"])
    assert (await backups.put(download, DATA)).status_code == 400
    assert (await backups.get(announced["url"])).status_code == 400


async def test_changed_and_foreign_addresses_open_nothing(backups: Backups) -> None:
    key = await backups.keep()
    url = await backups.address_of(key)
    path, _, ticket = path_in(url).partition("?ticket=")
    payload, _, mac = ticket.partition(".")
    other = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    other["exp"] += 10
    forged = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
    tickets = ["", ".", "x", payload, f"{payload}.", f".{mac}", f"{payload}.{mac}x",
               f"{payload}.{mac[:-4]}AAAA", f"{forged}.{mac}", f"{mac}.{payload}", "é.é",
               f"{payload}=.{mac}", "x" * 9000]  # fmt: skip
    for wrong in tickets:
        for method in ("GET", "PUT"):
            answer = await backups.tenant.client.request(
                method, path, params={"ticket": wrong}, headers=asserting("learnings")
            )
            assert answer.status_code == 400, wrong


def test_tickets_hold_for_fifteen_minutes_and_under_one_key() -> None:
    now = 1_000_000.0
    tickets = Tickets(bytes(32), 900, lambda: now)
    ticket = tickets.write("something", size=7)
    now += 899
    assert tickets.read("something", ticket)["size"] == 7
    with pytest.raises(BadRequest):
        tickets.read("something else", ticket)
    with pytest.raises(BadRequest):
        Tickets(bytes(31) + b"x", 900, lambda: now).read("something", ticket)
    now += 1
    with pytest.raises(BadRequest):
        tickets.read("something", ticket)


async def test_another_organizations_backups_are_not_there(
    backups: Backups, stranger: Tenant
) -> None:
    key = await backups.keep()
    other = Backups(stranger)
    answer = await other.presign(client_id=CLIENT, method="get", key=key)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"})
    assert await other.objects() == []
    for wrong in ("nothing", key + "x", key.replace(backups.tenant.org, stranger.org), "../" + key):
        for who in (backups, other):
            answer = await who.presign(client_id=CLIENT, method="get", key=wrong)
            assert answer.status_code == 404


async def test_what_is_announced_and_not_uploaded_cannot_be_fetched(backups: Backups) -> None:
    announced = await backups.announce()
    answer = await backups.presign(client_id=CLIENT, method="get", key=announced["key"])
    assert answer.status_code == 404


async def test_the_list_is_newest_first_and_of_one_client(backups: Backups) -> None:
    keys = [await backups.keep(bytes([number])) for number in range(3)]
    other = await backups.keep(client_id="other")
    assert [item["key"] for item in await backups.objects()] == keys[::-1]
    assert [item["key"] for item in await backups.objects("other")] == [other]
    assert await backups.objects("nobody") == []
    everything = (await backups.tenant.send("GET", "/v1/backup/list")).json()["objects"]
    assert [item["key"] for item in everything] == [other, *keys[::-1]]


async def test_the_scope_is_asked_for(backups: Backups) -> None:
    keyed = with_scopes(backups.tenant, "backup")
    assert (await keyed.send("GET", "/v1/backup/list")).status_code == 200
    refused = with_scopes(backups.tenant, "sync:read", "sync:write")
    for method, path in (("GET", "/v1/backup/list"), ("POST", "/v1/backup/presign")):
        answer = await refused.send(method, path, json={} if method == "POST" else None)
        assert answer.status_code == 403
        assert answer.json() == {"detail": "Missing scope: backup"}


@pytest.mark.parametrize(
    "client_id",
    ["../../etc", "a/b", "a b", "é", "x" * 200, ".", "..", "a..b", "-", '"', "%2e", "💾"],
)
async def test_odd_client_ids_make_plain_keys(backups: Backups, client_id: str) -> None:
    key = await backups.keep(client_id=client_id)
    prefix, org, client, _ = key.split("/")
    assert (prefix, org) == ("backups", backups.tenant.org)
    assert client.isascii()
    assert client.startswith("client-")
    listed = await backups.tenant.send("GET", "/v1/backup/list", params={"client_id": client_id})
    assert [item["key"] for item in listed.json()["objects"]] == [key]
    got = await backups.get(await backups.address_of(key))
    assert got.content == DATA


@pytest.mark.parametrize("field", ["client_id", "sha256", "size_bytes", "method", "key"])
async def test_odd_values_are_named(backups: Backups, field: str) -> None:
    good = {"client_id": CLIENT, "sha256": sha256(DATA), "size_bytes": 5}
    odds: list[Any] = [None, True, -1, 0, 1.5, 10**400, [], {}, "", " ", "x" * 5000, "a\x00b"]
    for odd in [*odds, "G" * 64]:
        answer = await backups.presign(**good | {field: odd})
        assert answer.status_code in (200, 422), (field, odd, answer.text)
        if answer.status_code == 422:
            assert answer.json()["detail"][0]["loc"][:2] == ["body", field]


async def test_what_is_missing_is_named(backups: Backups) -> None:
    answer = await backups.presign(client_id=CLIENT)
    assert [fault["loc"] for fault in answer.json()["detail"]] == [
        ["body", "sha256"],
        ["body", "size_bytes"],
    ]
    answer = await backups.presign(client_id=CLIENT, method="get")
    assert answer.json()["detail"][0]["loc"] == ["body", "key"]
    assert (await backups.presign()).status_code == 422
