from __future__ import annotations

import asyncio
from pathlib import Path

from tests.services.auth.conftest import PASSWORD, new_address, running
from tests.support.postgres import DatabaseUrls


async def test_the_administrator_of_the_settings_is_there_at_start(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    admin = {
        "GUILDHALL_ADMIN_EMAIL": "Root@Intranet.local",
        "GUILDHALL_ADMIN_PASSWORD": "eight or",
    }
    async with running(database_urls, tmp_path, **admin) as auth:
        person = await auth.sign_in("root@intranet.local", "eight or")
        assert person.claims.role == "platform_admin"
        (created,) = await auth.events("organization.created.v1")
        assert created["org_id"] == person.claims.org
        assert len(await auth.events("account.registered.v1")) == 1
        assert len(await auth.events("account.verified.v1")) == 1
    changed = admin | {"GUILDHALL_ADMIN_PASSWORD": "another one"}
    async with running(database_urls, tmp_path, **changed) as auth:
        again = await auth.sign_in("root@intranet.local", "eight or")
        assert again.claims.sub == person.claims.sub
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.account") == 1


async def test_replicas_that_start_together_make_one(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    admin = {"GUILDHALL_ADMIN_EMAIL": new_address(), "GUILDHALL_ADMIN_PASSWORD": PASSWORD}

    async def start() -> str:
        async with running(database_urls, tmp_path, **admin) as auth:
            return (await auth.sign_in(admin["GUILDHALL_ADMIN_EMAIL"])).claims.sub

    assert len(set(await asyncio.gather(start(), start(), start()))) == 1


async def test_somebody_who_registered_the_address_before_is_no_danger(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    address = new_address()
    admin = {"GUILDHALL_ADMIN_EMAIL": address, "GUILDHALL_ADMIN_PASSWORD": PASSWORD}
    async with running(database_urls, tmp_path) as auth:
        await auth.register(address, password="the stranger's password")
        token = await auth.token_for(address)
    async with running(database_urls, tmp_path, **admin) as auth:
        assert (await auth.sign_in(address)).claims.role == "platform_admin"
        stranger = await auth.post(
            "/v1/auth/token", email=address, password="the stranger's password"
        )
        assert stranger.status_code == 401
        assert (await auth.post("/v1/auth/verify-email", token=token)).status_code == 400
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.organization") == 1


async def test_who_verified_the_address_keeps_their_password(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running(database_urls, tmp_path) as auth:
        person = await auth.person()
    admin = {
        "GUILDHALL_ADMIN_EMAIL": person.email,
        "GUILDHALL_ADMIN_PASSWORD": "something else",
    }
    async with running(database_urls, tmp_path, **admin) as auth:
        now = await auth.sign_in(person.email)
        assert (now.claims.sub, now.claims.role) == (person.claims.sub, "platform_admin")
