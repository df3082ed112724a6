"""Machines of accounts (teams contract, sections 1.1, 4.3 and 8)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.auth.audit_events.models import Origin
from services.auth.machines import operations
from services.auth.machines.rules import email_digest, name_of
from shared.db import Database
from shared.principal import Principal
from tests.services.auth.conftest import PUBLIC_URL, Auth, Person, running
from tests.services.auth.device_support import (
    TEAMS,
    approve,
    begin_machine,
    browser_of,
    linked_machine,
    new_machine,
)
from tests.support.postgres import DatabaseServer


async def check(auth: Auth, machine: Principal) -> dict[str, Any]:
    answer = await auth.post("/internal/machines/check", TEAMS, token=machine.subject)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def revoke(auth: Auth, person: Person, machine: Principal) -> Any:
    return await auth.send("DELETE", f"/api/account/machines/{machine.subject}", person.principal)


async def events(auth: Auth, kind: str, machine: Principal) -> list[dict[str, Any]]:
    return [one for one in await auth.events(kind) if one["token"] == machine.subject]


async def test_a_linked_machine_names_its_account(auth: Auth, ada: Person) -> None:
    machine = await linked_machine(auth, ada, "laptop/1")
    (said,) = await events(auth, "machine.linked.v1", machine)
    assert said["account_id"] == ada.claims.sub
    assert await check(auth, machine) == {
        "linked": True,
        "barred": False,
        "version": said["version"],
        "account_id": ada.claims.sub,
        "machine_name": "laptop",
        "email_digest": hashlib.sha256(ada.email.lower().encode()).hexdigest(),
    }


async def test_a_stranger_is_nobodys(auth: Auth) -> None:
    nobody = {
        "linked": False, "barred": False, "version": 0, "account_id": "", "machine_name": "",
        "email_digest": "",
    }  # fmt: skip
    assert await check(auth, new_machine()) == nobody


async def test_a_revoked_machine_is_barred_until_it_is_linked_again(
    auth: Auth, ada: Person
) -> None:
    machine = await linked_machine(auth, ada)
    for _ in range(2):
        answer = await revoke(auth, ada, machine)
        assert (answer.status_code, answer.json()) == (200, {"status": "revoked"})
        assert answer.headers["x-pii-access"] == "true"
    found = await check(auth, machine)
    assert (found["linked"], found["barred"], found["account_id"]) == (False, True, "")
    (revoked,) = await events(auth, "machine.revoked.v1", machine)
    assert (revoked["account_id"], revoked["version"]) == (ada.claims.sub, found["version"])
    # Teams ended its memberships before anybody was told that it is revoked, and once.
    wanted = {"tokens": [machine.subject], "without_owner": ""}
    assert [one for one in auth.teams.dropped if one == wanted] == [wanted]
    code = await begin_machine(auth, machine)
    await approve(auth, ada.principal, code["user_code"], machine_name="again")
    found = await check(auth, machine)
    assert (found["linked"], found["barred"], found["machine_name"]) == (True, False, "again")
    said = await events(auth, "machine.linked.v1", machine)
    assert [one["version"] for one in said] == sorted(one["version"] for one in said)
    assert said[0]["version"] < revoked["version"] < said[1]["version"] == found["version"]
    count = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.machine WHERE token = $1", machine.subject
    )
    assert count == 1


async def test_while_teams_is_away_no_machine_is_revoked(auth: Auth, ada: Person) -> None:
    machine = await linked_machine(auth, ada)
    before = await check(auth, machine)
    auth.teams.status = 503
    try:
        answer = await revoke(auth, ada, machine)
        page = await (await browser_of(auth, ada)).post(
            "/users/settings/machines/revoke", token=machine.subject
        )
    finally:
        auth.teams.status = 200
    assert (answer.status_code, page.status_code) == (503, 503)
    assert answer.json() == {"error": "service temporarily unavailable"}
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-pii-access"] == "true"
    assert await check(auth, machine) == before
    assert not await events(auth, "machine.revoked.v1", machine)
    assert (await revoke(auth, ada, machine)).json() == {"status": "revoked"}


async def test_a_machine_of_an_account_that_has_gone_goes_on_counting_versions(auth: Auth) -> None:
    person, heir = await auth.person(), await auth.person()
    machine = await linked_machine(auth, person)
    assert (await auth.send("DELETE", "/api/account", person.principal)).status_code == 200
    (gone,) = await events(auth, "machine.revoked.v1", machine)
    code = await begin_machine(auth, machine)
    await approve(auth, heir.principal, code["user_code"])
    assert (await check(auth, machine))["version"] > gone["version"]


async def test_anothers_revoked_machine_cannot_be_taken_over(
    auth: Auth, ada: Person, grace: Person
) -> None:
    machine = await linked_machine(auth, ada)
    await revoke(auth, ada, machine)
    code = await begin_machine(auth, machine)
    assert (await approve(auth, grace.principal, code["user_code"])).status_code == 409


async def test_what_is_not_ones_own_is_not_found(auth: Auth, ada: Person, grace: Person) -> None:
    machine = await linked_machine(auth, ada)
    for token in (machine.subject, machine.subject[:12] + "...", "nonsense"):
        answer = await auth.send("DELETE", f"/api/account/machines/{token}", grace.principal)
        assert (answer.status_code, answer.json()) == (404, {"error": "token_not_found"})
        assert answer.headers["x-pii-access"] == "true"
    assert (await check(auth, machine))["linked"]


async def test_nobody_signed_in_is_401_and_a_foreign_form_is_403(auth: Auth) -> None:
    person = await auth.person()
    machine = await linked_machine(auth, person)
    path = f"/api/account/machines/{machine.subject}"
    answer = await auth.send("DELETE", path)
    assert answer.status_code == 401
    assert answer.json() == {"error": "authentication required"}
    assert answer.headers["x-pii-access"] == "true"
    browser = await browser_of(auth, person)
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for origin, word in (
        (None, "missing_origin"),
        ("https://evil.example", "origin_mismatch"),
        (PUBLIC_URL + ".evil.example", "origin_mismatch"),
        ("null", "origin_mismatch"),
    ):
        headers = {"cookie": cookie} | ({"origin": origin} if origin else {})
        answer = await auth.send("DELETE", path, headers=headers)
        assert (answer.status_code, answer.json()) == (403, {"error": word})
        assert answer.headers["x-pii-access"] == "true"
    assert (await check(auth, machine))["linked"]
    answer = await auth.send("DELETE", path, headers={"cookie": cookie, "origin": PUBLIC_URL})
    assert answer.json() == {"status": "revoked"}


async def test_a_machine_that_erases_itself_is_not_barred(auth: Auth, ada: Person) -> None:
    machine = await linked_machine(auth, ada)
    for revoked in (True, False):
        answer = await auth.post("/internal/machines/revoke", TEAMS, token=machine.subject)
        assert answer.json() == {"revoked": revoked}
    answer = await auth.post("/internal/machines/revoke", TEAMS, token=new_machine().subject)
    assert answer.json() == {"revoked": False}
    found = await check(auth, machine)
    assert (found["linked"], found["barred"]) == (False, False)
    assert len(await events(auth, "machine.revoked.v1", machine)) == 1


@pytest.mark.parametrize("column", ["disabled_at"])
async def test_the_machine_of_an_account_that_may_not_act_is_not_linked(
    auth: Auth, column: str
) -> None:
    person = await auth.person()
    machine = await linked_machine(auth, person)
    await auth.sql.execute(
        f"UPDATE auth.account SET {column} = now() WHERE id = $1",  # noqa: S608
        person.claims.sub,
    )
    assert not (await check(auth, machine))["linked"]


async def test_owners_of_many_are_told_at_once(auth: Auth, ada: Person, grace: Person) -> None:
    machines = [await linked_machine(auth, ada), await linked_machine(auth, grace), new_machine()]
    gone = await linked_machine(auth, ada)
    await revoke(auth, ada, gone)
    tokens = [machine.subject for machine in (*machines, gone)]
    answer = await auth.post("/internal/machines/owners", TEAMS, tokens=tokens)
    owners = answer.json()["owners"]
    assert {token: owner["account_id"] for token, owner in owners.items()} == {
        machines[0].subject: ada.claims.sub,
        machines[1].subject: grace.claims.sub,
    }
    assert owners[machines[0].subject]["email_digest"] == email_digest(ada.email)
    assert ada.email not in answer.text
    many = await auth.post("/internal/machines/owners", TEAMS, tokens=["x"] * 1001)
    assert many.status_code == 422


async def test_the_linked_machines_of_an_account_are_listed(auth: Auth) -> None:
    person = await auth.person()
    first, second, gone = [await linked_machine(auth, person) for _ in range(3)]
    await revoke(auth, person, gone)
    answer = await auth.post("/internal/accounts/machines", TEAMS, account_id=person.claims.sub)
    listed = [machine["token"] for machine in answer.json()["machines"]]
    assert listed == [second.subject, first.subject]
    nobody = await auth.post("/internal/accounts/machines", TEAMS, account_id="usr_nobody")
    assert nobody.json() == {"machines": []}


async def test_only_siblings_ask(auth: Auth, ada: Person) -> None:
    for path in (
        "/internal/machines/check",
        "/internal/machines/owners",
        "/internal/machines/revoke",
        "/internal/accounts/machines",
        "/internal/web-sessions/check",
        "/internal/people/check",
    ):
        assert (await auth.post(path, ada.principal)).status_code == 401
        assert (await auth.post(path)).status_code == 401
        assert (
            await auth.post(path, TEAMS, token=7, tokens=7, account_id=7, cookie=7)
        ).status_code == 422


@asynccontextmanager
async def own(server: DatabaseServer, folder: Path) -> AsyncIterator[tuple[Auth, Database]]:
    """A service with a database that the test may use beside it."""
    async with server.clone() as urls, running(urls, folder) as auth:
        database = await Database.connect(urls.url("auth"), size=1)
        try:
            yield auth, database
        finally:
            await database.close()


async def test_a_sighting_is_kept_unless_it_is_older(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    async with own(database_server, tmp_path) as (auth, database):
        person = await auth.person()
        machine = await linked_machine(auth, person)
        for at in (now, now - timedelta(hours=1), now + timedelta(seconds=1), now):
            async with database.transaction() as connection:
                await operations.note_seen(connection, machine.subject, at)
        async with database.connection() as connection:
            (listed,) = await operations.list_for(connection, person.claims.sub)
    assert listed.last_seen_at == now + timedelta(seconds=1)


async def test_all_machines_of_an_account_that_goes_are_revoked(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with own(database_server, tmp_path) as (auth, database):
        person = await auth.person()
        machines = [await linked_machine(auth, person) for _ in range(3)]
        await revoke(auth, person, machines[0])
        async with database.transaction() as connection:
            await operations.revoke_all(
                connection, person.claims.sub, person.principal, Origin("192.0.2.1")
            )
        for machine in machines:
            assert not (await check(auth, machine))["linked"]
            assert len(await events(auth, "machine.revoked.v1", machine)) == 1


async def test_links_and_revocations_are_in_the_audit_log(auth: Auth) -> None:
    person = await auth.person()
    machine = await linked_machine(auth, person)
    await revoke(auth, person, machine)
    rows = await auth.sql.fetch(
        "SELECT action, target FROM auth.audit_event"
        " WHERE actor_id = $1 AND action LIKE 'machine.%' ORDER BY id",
        person.claims.sub,
    )
    assert [tuple(row) for row in rows] == [
        ("machine.linked", machine.subject),
        ("machine.revoked", machine.subject),
    ]


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("", "machine"),
        ("teamrc/1.0 (linux x64)", "teamrc"),
        ("my laptop", "my laptop"),
        ("a\x07b\u2028c/1", "abc"),
        ("  /x", "machine"),
    ],
)
def test_a_machine_is_called_after_its_program(user_agent: str, name: str) -> None:
    assert name_of(user_agent) == name


def test_addresses_are_digested_trimmed_and_in_lower_case() -> None:
    assert email_digest(" Ada@Mail.Example ") == email_digest("ada@mail.example")
