"""Packages for those who hold a license key (learnings contract, section 4)."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from services.learnings.erasures.operations import forget_organization
from shared.db import Database
from shared.principal import Role
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.files_support import (
    builder,
    path_in,
    pieces_of,
    platform_admin,
    sha256,
    with_scopes,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import asserting, person

Sql = asyncpg.Connection
DATA = bytes(range(256)) * 2000
LICENSE = "/v1/me/proprietary-license"
ENTITLEMENT = "/v1/proprietary/entitlement"


@dataclass
class Shop:
    """A package, and an organization that may or may not have it."""

    client: httpx.AsyncClient
    sql: Sql
    package: str

    async def upload(self, version: str, data: bytes = DATA, **query: str) -> httpx.Response:
        path = f"/v1/proprietary/packages/{self.package}/{version}"
        bot = builder(self.client)
        return await bot.send("PUT", path, content=pieces_of(data), params=query)

    async def grant(self, org: str, *packages: str) -> httpx.Response:
        path = f"/v1/proprietary/entitlements/{org}"
        return await platform_admin(self.client).send("PUT", path, json={"packages": packages})

    async def found(self, tenant: Tenant) -> None:
        """Let the service know the organization."""
        await self.sql.execute(
            "INSERT INTO learnings.organization (org_id, name, named_at) VALUES ($1, 'x', now())",
            tenant.org,
        )

    async def license_of(self, tenant: Tenant) -> str:
        answer = await tenant.send("GET", LICENSE)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["license_key"])

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.client.post(ENTITLEMENT, json=body, headers=asserting("learnings"))

    async def get(self, url: str, **headers: str) -> httpx.Response:
        sent = asserting("learnings") | headers
        return await self.client.get(path_in(url), headers=sent)


@pytest.fixture
async def shop(client: httpx.AsyncClient, sql: Sql) -> Shop:
    return Shop(client, sql, f"core-{uuid4().hex[:8]}")


@pytest.fixture
async def customer(shop: Shop, tenant: Tenant) -> Tenant:
    """An organization that may have the package, which is there in version 1.0.0."""
    await shop.found(tenant)
    assert (await shop.upload("1.0.0")).status_code == 201
    assert (await shop.grant(tenant.org, shop.package)).status_code == 200
    return tenant


def refused(answer: httpx.Response, status: int, word: str) -> None:
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"] == word
    assert body["detail"]


async def test_a_license_key_gives_the_package(shop: Shop, customer: Tenant) -> None:
    key = await shop.license_of(customer)
    answer = await shop.ask(license_key=key, package=shop.package, version="1.0.0")
    assert answer.status_code == 200
    told = answer.json()
    assert set(told) == {"url", "sha256", "version"}
    assert (told["sha256"], told["version"]) == (sha256(DATA), "1.0.0")
    assert told["url"].startswith("http://127.0.0.1:8000/v1/proprietary/file?ticket=")
    assert key not in told["url"]
    got = await shop.get(told["url"])
    assert (got.status_code, got.content) == (200, DATA)
    assert base64.b64decode(got.headers["digest"].removeprefix("sha-256=")).hex() == sha256(DATA)
    part = await shop.get(told["url"], range="bytes=5-9")
    assert (part.status_code, part.content) == (206, DATA[5:10])


async def test_the_key_is_the_same_each_time_and_sealed(
    shop: Shop, customer: Tenant, sql: Sql
) -> None:
    keys = await asyncio.gather(*(shop.license_of(customer) for _ in range(5)))
    assert len(set(keys)) == 1
    row = await sql.fetchrow(
        "SELECT digest, sealed FROM learnings.license WHERE org_id = $1", customer.org
    )
    assert row is not None
    assert keys[0].encode() not in row["sealed"]
    assert row["digest"].hex() == sha256(keys[0].encode())


async def test_a_replaced_key_holds_no_longer(shop: Shop, customer: Tenant) -> None:
    old = await shop.license_of(customer)
    answer = await customer.send("POST", f"{LICENSE}/rotate")
    new = answer.json()["license_key"]
    assert answer.status_code == 200
    assert new != old
    assert await shop.license_of(customer) == new
    refused(await shop.ask(license_key=old, package=shop.package), 403, "not_entitled")
    assert (await shop.ask(license_key=new, package=shop.package)).status_code == 200
    member = Tenant(shop.client, person(org=customer.org, role=Role.MEMBER))
    refused(await member.send("POST", f"{LICENSE}/rotate"), 403, "forbidden")


async def test_without_a_grant_there_is_no_license(shop: Shop, tenant: Tenant) -> None:
    refused(await tenant.send("GET", LICENSE), 404, "no_license")
    refused(await tenant.send("POST", f"{LICENSE}/rotate"), 404, "no_license")


async def test_the_license_asks_for_its_scope(shop: Shop, customer: Tenant) -> None:
    keyed = with_scopes(customer, "proprietary:install")
    assert (await keyed.send("GET", LICENSE)).status_code == 200
    answer = await with_scopes(customer, "learnings:read").send("GET", LICENSE)
    refused(answer, 403, "forbidden")
    assert answer.json()["detail"] == "Missing scope: proprietary:install"


async def test_what_a_key_does_not_open(shop: Shop, customer: Tenant, stranger: Tenant) -> None:
    key = await shop.license_of(customer)
    other = Shop(shop.client, shop.sql, f"other-{uuid4().hex[:8]}")
    await other.upload("1.0.0")
    for wrong in ({"license_key": "trw_lic_" + "A" * 43}, {"license_key": "x"}, {"package": "no"},
                  {"package": other.package}, {"license_key": key[:-1]}, {"license_key": "é💾"},
                  {"license_key": key.swapcase()}):  # fmt: skip
        asked = {"license_key": key, "package": shop.package, "version": "1.0.0"} | wrong
        refused(await shop.ask(**asked), 403, "not_entitled")
    missing = await shop.ask(license_key=key, package=shop.package, version="9.9.9")
    refused(missing, 404, "unknown_version")


async def test_the_newest_version_is_latest(shop: Shop, customer: Tenant) -> None:
    key = await shop.license_of(customer)
    await shop.upload("1.1.0", b"newer")
    for asked in ({}, {"version": "latest"}):
        told = (await shop.ask(license_key=key, package=shop.package, **asked)).json()
        assert (told["version"], told["sha256"]) == ("1.1.0", sha256(b"newer"))


async def test_grants_are_the_whole_list(shop: Shop, customer: Tenant) -> None:
    key = await shop.license_of(customer)
    told = (await shop.ask(license_key=key, package=shop.package)).json()
    granted = await shop.grant(customer.org, "other", "other", "another")
    assert granted.json() == {"org_id": customer.org, "packages": ["another", "other"]}
    path = f"/v1/proprietary/entitlements/{customer.org}"
    shown = await platform_admin(shop.client).send("GET", path)
    assert shown.json() == granted.json()
    refused(await shop.ask(license_key=key, package=shop.package), 403, "not_entitled")
    refused(await shop.get(told["url"]), 404, "not_found")
    await shop.grant(customer.org)
    refused(await customer.send("GET", LICENSE), 404, "no_license")


async def test_only_platform_administrators_grant(shop: Shop, customer: Tenant) -> None:
    path = f"/v1/proprietary/entitlements/{customer.org}"
    for who in (customer, builder(shop.client)):
        for method in ("GET", "PUT"):
            answer = await who.send(method, path, json={"packages": []})
            refused(answer, 403, "forbidden")
            assert answer.json()["detail"] == "Admin role required"


async def test_grants_go_to_organizations_that_are_there(shop: Shop, tenant: Tenant) -> None:
    refused(await shop.grant(tenant.org, "core"), 404, "not_found")
    refused(await shop.grant("org_ä/%00"[:6], "core"), 404, "not_found")


@pytest.mark.parametrize(
    "packages", [None, "core", [""], ["a b"], [7], ["../x"], ["x" * 200], [None], ["a"] * 300]
)
async def test_odd_grants_are_named(shop: Shop, packages: Any) -> None:
    path = "/v1/proprietary/entitlements/org_one"
    answer = await platform_admin(shop.client).send("PUT", path, json={"packages": packages})
    refused(answer, 422, "validation_error")
    assert answer.json()["detail"][0]["loc"][:2] == ["body", "packages"]


@pytest.mark.parametrize("field", ["license_key", "package", "version"])
async def test_odd_questions_are_named(shop: Shop, field: str) -> None:
    odds: list[Any] = [None, True, 7, 10**400, [], {}, "", "x" * 5000, "a\x00b"]
    for odd in odds:
        body = {"license_key": "x", "package": "y", "version": "1"} | {field: odd}
        answer = await shop.ask(**body)
        refused(answer, 422, "validation_error")
        assert answer.json()["detail"][0]["loc"][:2] == ["body", field]
    refused(await shop.ask(), 422, "validation_error")
    for raw in (b"{", b'{"license_key": "\\ud800", "package": "x"}', b"[" * 5000):
        answer = await shop.client.post(ENTITLEMENT, content=raw, headers=asserting("learnings"))
        assert answer.status_code in (400, 422)
        assert answer.json()["error"]


async def test_a_version_is_uploaded_once(shop: Shop) -> None:
    first, again = await shop.upload("2.0.0"), await shop.upload("2.0.0")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json() == {
        "package": shop.package,
        "version": "2.0.0",
        "sha256": sha256(DATA),
        "size_bytes": len(DATA),
    }
    refused(await shop.upload("2.0.0", b"other"), 409, "conflict")
    wrong = await shop.upload("2.0.1", sha256=sha256(b"other"))
    refused(wrong, 422, "validation_error")
    assert (await shop.upload("2.0.1", sha256=sha256(DATA))).status_code == 201
    left = "SELECT count(*) FROM learnings.file WHERE NOT kept"
    assert await shop.sql.fetchval(left) == 0


async def test_of_uploads_at_once_one_is_kept(shop: Shop) -> None:
    answers = await asyncio.gather(
        *(shop.upload("3.0.0") for _ in range(3)), shop.upload("3.0.0", b"other")
    )
    assert sorted(answer.status_code for answer in answers) in (
        [200, 200, 201, 409],
        [201, 409, 409, 409],
    )


@pytest.mark.parametrize("path", ["x/latest", ".x/1", "x/..%2e", "a%20b/1", "x/%C3%A9", "x/-1"])
async def test_odd_names_are_refused(shop: Shop, path: str) -> None:
    answer = await builder(shop.client).send(
        "PUT", f"/v1/proprietary/packages/{path}", content=b"x"
    )
    refused(answer, 422, "validation_error")
    assert answer.json()["detail"][0]["loc"][0] == "path"


async def test_uploading_asks_for_its_scope(shop: Shop, tenant: Tenant) -> None:
    answer = await tenant.send("PUT", "/v1/proprietary/packages/x/1", content=b"x")
    refused(answer, 403, "forbidden")


async def test_addresses_are_signed(shop: Shop, customer: Tenant) -> None:
    key = await shop.license_of(customer)
    url = (await shop.ask(license_key=key, package=shop.package)).json()["url"]
    for wrong in (url[:-3] + "AAA", url.partition("?")[0], url.partition("=")[0] + "=x"):
        refused(await shop.get(wrong), 400, "bad_request")


@pytest.fixture
async def database(urls: DatabaseUrls) -> AsyncIterator[Database]:
    database = await Database.connect(urls.url("learnings"), size=2)
    yield database
    await database.close()


async def test_a_forgotten_organization_has_no_license(
    shop: Shop, customer: Tenant, database: Database
) -> None:
    key = await shop.license_of(customer)
    async with database.transaction() as connection:
        await forget_organization(connection, customer.org)
    refused(await shop.ask(license_key=key, package=shop.package), 403, "not_entitled")
    refused(await customer.send("GET", LICENSE), 404, "no_license")
    refused(await shop.grant(customer.org, shop.package), 404, "not_found")
