from __future__ import annotations

import asyncio
from pathlib import Path

from shared.bus import BroadcastSubscription, Event, Listener, connect
from shared.contracts.auth import ApiKeyRevoked, OrganizationCreated, SessionRevoked
from tests.services.auth.conftest import running
from tests.support.postgres import DatabaseUrls


async def test_revocations_are_heard_by_everyone_who_listens(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    heard: asyncio.Queue[Event] = asyncio.Queue()
    subscriptions = [
        BroadcastSubscription(kind, heard.put)
        for kind in (SessionRevoked, ApiKeyRevoked, OrganizationCreated)
    ]
    transport = await connect(database_urls.url("bus"))
    try:
        async with (
            Listener(transport, "gateway", subscriptions) as listener,
            running(database_urls, tmp_path, GUILDHALL_SERVE_BACKGROUND=True) as auth,
            asyncio.timeout(20),
        ):
            await listener.listening()
            person = await auth.person()
            created = await heard.get()
            assert isinstance(created, OrganizationCreated)
            assert created.org_id == person.claims.org
            keys = f"/v1/admin/organizations/{person.claims.org}/api-keys"
            made = (await auth.post(keys, person.principal, name="ci")).json()
            await auth.send("DELETE", f"{keys}/{made['id']}", person.principal)
            revoked = await heard.get()
            assert isinstance(revoked, ApiKeyRevoked)
            assert (revoked.key_id, revoked.org_id) == (made["id"], person.claims.org)
            await auth.send("POST", "/v1/auth/logout", person.principal)
            ended = await heard.get()
            assert isinstance(ended, SessionRevoked)
            assert ended.session_id == person.claims.sid
    finally:
        await transport.close()


async def test_what_is_undone_is_not_said(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running(database_urls, tmp_path) as auth:
        person = await auth.person()
        said = await auth.sql.fetchval("SELECT count(*) FROM auth.outbox")
        keys = f"/v1/admin/organizations/{person.claims.org}/api-keys"
        missing = await auth.send("DELETE", f"{keys}/key_none", person.principal)
        assert missing.status_code == 404
        again = await auth.post("/v1/auth/verify-email", token="x")
        assert again.status_code == 400
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.outbox") == said
