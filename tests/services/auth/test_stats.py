from __future__ import annotations

from pathlib import Path

from services.auth.stats.store import CAP
from tests.services.auth.conftest import Auth, Person, new_address, running
from tests.support.postgres import DatabaseUrls

STATS = "/v1/admin/stats"


async def read(auth: Auth, person: Person) -> dict[str, object]:
    answer = await auth.send("GET", STATS, person.principal)
    assert answer.status_code == 200, answer.text
    body: dict[str, object] = answer.json()
    return body


async def test_only_platform_administrators_see_counters(auth: Auth, ada: Person) -> None:
    assert (await auth.send("GET", STATS, ada.principal)).status_code == 403
    assert (await auth.send("GET", STATS)).status_code == 401


async def test_small_tables_are_counted(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running(database_urls, tmp_path) as auth:
        root = await auth.make_platform_admin(await auth.person())
        await auth.register(new_address())
        await auth.post("/v1/waitlist", email=new_address())
        keys = f"/v1/admin/organizations/{root.claims.org}/api-keys"
        for name in ("one", "two"):
            key = (await auth.post(keys, root.principal, name=name)).json()
        await auth.send("DELETE", f"{keys}/{key['id']}", root.principal)
        await auth.sql.execute(
            "INSERT INTO auth.erasure (account_id, closed_at) VALUES ('a', NULL), ('b', now())"
        )
        assert await read(auth, root) == {
            "accounts": 2,
            "verified_accounts": 1,
            "organizations": 1,
            "active_sessions": 2,
            "active_api_keys": 1,
            "machines": 0,
            "waiting": 1,
            "open_erasures": 1,
            "estimated": [],
        }


async def test_large_tables_are_estimated(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running(database_urls, tmp_path) as auth:
        root = await auth.make_platform_admin(await auth.person())
        await auth.sql.execute(
            """
            INSERT INTO auth.waiting_person (id, email, email_key, converted_at)
            SELECT n, n || '@mail.example', n || '@mail.example', CASE WHEN n % 4 = 0 THEN now() END
              FROM generate_series(1, $1) AS n
            """,
            4 * CAP,
        )
        await auth.sql.execute("ANALYZE auth.waiting_person")
        body = await read(auth, root)
        assert body["estimated"] == ["waiting"]
        waiting = body["waiting"]
        assert isinstance(waiting, int)
        assert 0.9 * 3 * CAP < waiting < 1.1 * 3 * CAP
        assert body["accounts"] == 1
