"""Clients that go on showing keys that do not hold (learnings contract, sections 7 and 8)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from shared.principal import Role
from tests.services.auth.conftest import PUBLIC_URL, Auth, Person
from tests.services.auth.device_support import browser_of
from tests.services.auth.test_api_keys import INACTIVE, check, create, path_of


async def keys_of(auth: Auth, person: Person, **query: Any) -> dict[str, dict[str, Any]]:
    answer = await auth.send("GET", path_of(person), person.principal, params=query)
    assert answer.status_code == 200, answer.text
    return {item["id"]: item for item in answer.json()["items"]}


async def revoked(auth: Auth, person: Person, **fields: Any) -> dict[str, Any]:
    made = await create(auth, person, **fields)
    await auth.send("DELETE", path_of(person, made["id"]), person.principal)
    return made


async def test_a_revoked_key_that_is_shown_is_listed_again(auth: Auth) -> None:
    person = await auth.person()
    made = await revoked(auth, person, name="old laptop")
    assert await keys_of(auth, person) == {}
    assert await check(auth, made["key"]) == INACTIVE
    item = (await keys_of(auth, person))[made["id"]]
    assert item["name"] == "old laptop"
    assert item["revoked_at"] <= item["last_refused_at"]
    assert item["refused_count"] == 1


async def test_refusals_are_noted_once_a_minute(auth: Auth) -> None:
    person = await auth.person()
    made = await revoked(auth, person)
    await asyncio.gather(*(check(auth, made["key"]) for _ in range(20)))
    assert (await keys_of(auth, person))[made["id"]]["refused_count"] == 1
    await auth.sql.execute(
        "UPDATE auth.api_key SET last_refused_at = now() - interval '61 seconds' WHERE id = $1",
        made["id"],
    )
    await check(auth, made["key"])
    assert (await keys_of(auth, person))[made["id"]]["refused_count"] == 2


async def test_after_a_month_of_silence_it_is_gone(auth: Auth) -> None:
    person = await auth.person()
    made = await revoked(auth, person)
    await check(auth, made["key"])
    await auth.sql.execute(
        "UPDATE auth.api_key SET last_refused_at = now() - interval '31 days' WHERE id = $1",
        made["id"],
    )
    assert await keys_of(auth, person) == {}


async def test_an_expired_key_that_is_shown_says_so(auth: Auth) -> None:
    person = await auth.person()
    made = await create(auth, person)
    await auth.sql.execute("UPDATE auth.api_key SET expires_at = now() WHERE id = $1", made["id"])
    await check(auth, made["key"])
    item = (await keys_of(auth, person))[made["id"]]
    assert (item["revoked_at"], item["refused_count"]) == (None, 1)


async def test_a_key_that_holds_is_not_refused(auth: Auth) -> None:
    person = await auth.person()
    made = await create(auth, person)
    await check(auth, made["key"])
    item = (await keys_of(auth, person))[made["id"]]
    assert (item["revoked_at"], item["last_refused_at"], item["refused_count"]) == (None, None, 0)


async def test_what_is_no_key_of_ours_is_noted_nowhere(auth: Auth) -> None:
    assert await check(auth, "trw_live_" + "A" * 43) == INACTIVE


async def test_pages_hold_both_kinds_newest_first(auth: Auth) -> None:
    person = await auth.person()
    made = []
    for number in range(6):
        one = await (create if number % 2 else revoked)(auth, person, name=str(number))
        await check(auth, one["key"])
        made.append(one["id"])
    found: list[str] = []
    for page in (1, 2, 3):
        found += await keys_of(auth, person, page=page, page_size=2)
    assert found == made[::-1]
    answer = await auth.send("GET", path_of(person), person.principal, params={"page_size": 1})
    assert answer.json()["total"] == 6


async def test_the_dashboard_shows_them_to_administrators(auth: Auth) -> None:
    person = await auth.person()
    browser = await browser_of(auth, person)
    assert "keep failing" not in (await browser.get("/dashboard")).text
    made = await revoked(auth, person, name="<old> laptop")
    await check(auth, made["key"])
    text = (await browser.get("/dashboard")).text
    assert "keep failing" in text
    assert "&lt;old&gt; laptop" in text
    assert made["prefix"] in text
    assert made["key"] not in text
    await auth.sql.execute(
        "UPDATE auth.membership SET role = 'member' WHERE account_id = $1", person.claims.sub
    )
    assert "laptop" not in (await browser.get("/dashboard")).text


async def test_the_dashboard_says_how_to_point_a_client_here(auth: Auth, ada: Person) -> None:
    text = (await (await browser_of(auth, ada)).get("/dashboard")).text
    for word in (
        *(PUBLIC_URL, "platform_urls", "platform_url", "TRW_PLATFORM_URL", "backend_url"),
        *("TRW_BACKEND_URL", "TRW_BACKEND_API_KEY", "TRW_PLATFORM_API_KEY", "TRW_API_KEY"),
        *("platform_trusted_hosts", "TRW_PLATFORM_TRUSTED_HOSTS", "--api-url"),
        *("MEMORY_PLATFORM_API_KEY", "learning_sharing_enabled", "platform_telemetry_enabled"),
        *("team_sync_enabled", "backup_remote_enabled", "platform_contact_enabled"),
    ):
        assert word in text, word


async def test_a_members_list_stays_closed(auth: Auth) -> None:
    person = await auth.person()
    member = replace(person.principal, role=Role.MEMBER)
    assert (await auth.send("GET", path_of(person), member)).status_code == 403
