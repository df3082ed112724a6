"""Claiming a team with its secret (teams contract, sections 4, 4.3, 14 and 15)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx
import pytest

from services.teams.app import SERVICE
from services.teams.claims import operations, rules, store
from tests.services.teams.conftest import FakeAuth, Machine, teams_settings
from tests.services.teams.sharing_support import (
    AWAY,
    NOT_OBJECTS,
    ODD_VALUES,
    USED,
    Sql,
    delete_softly,
    member_of,
    settled,
    twin_of,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

PATH = "/api/teams/claim"
CLAIMED = {"status": "claimed"}
UNLINKED = {"error": "link your account first with `teamrc login`"}
OWNED = {"error": "team already has an owner"}
INVALID = {"error": "invalid or already-claimed ownership token"}


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second process' worth of the service, on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


async def claim(machine: Machine, secret: Any, **options: Any) -> httpx.Response:
    body = {"claim_secret": secret, "token": machine.token}
    return await machine.post(PATH, body, **options)


async def owner(sql: Sql, team_id: str) -> tuple[Any, ...]:
    row = await sql.fetchrow(
        "SELECT owner, claim_lookup, claim_hash FROM teams.team WHERE id = $1", team_id
    )
    return tuple(row or ())


async def test_a_linked_machine_claims_its_team(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    answer = await claim(machine, made["owner_claim_secret"])
    assert (answer.status_code, answer.json()) == (200, CLAIMED)
    assert await owner(sql, made["id"]) == ("usr_ada", None, None)
    shared = await machine.post("/api/teams/visibility", {"visibility": "public"})
    assert shared.status_code == 200
    # It works once.
    again = await claim(machine, made["owner_claim_secret"])
    assert (again.status_code, again.json()) == (404, INVALID)


async def test_any_member_with_the_secret_may(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    member = await member_of(machine)
    auth.link(member.token, "usr_bob")
    assert (await claim(member, made["owner_claim_secret"])).status_code == 200
    assert (await owner(sql, made["id"]))[0] == "usr_bob"


async def test_an_unlinked_machine_may_not(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    for secret in (made["owner_claim_secret"], "wrong"):
        refused = await claim(machine, secret)
        assert (refused.status_code, refused.json()) == (403, UNLINKED)
    auth.link(machine.token, "usr_ada")
    auth.owners[machine.token]["linked"] = False
    assert (await claim(machine, made["owner_claim_secret"])).json() == UNLINKED
    assert (await owner(sql, made["id"]))[0] is None


async def test_a_secret_of_another_team_is_none(
    machine: Machine, stranger: Machine, auth: FakeAuth, sql: Sql
) -> None:
    made, other = await machine.make(), await stranger.make()
    auth.link(stranger.token, "usr_eve")
    auth.link(machine.token, "usr_ada")
    refused = await claim(stranger, made["owner_claim_secret"])
    assert (refused.status_code, refused.json()) == (404, INVALID)
    # Naming the team does not help.
    body = {"claim_secret": made["owner_claim_secret"], "team_id": other["id"]}
    assert (await stranger.post(PATH, body)).json() == INVALID
    assert (await owner(sql, made["id"]))[0] is None
    # Nor does it hinder.
    assert (await machine.post(PATH, body)).status_code == 200


async def test_a_member_that_left_may_not(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    await machine.send(
        "DELETE", f"/api/token/{machine.token}/erase", params={"team_id": made["id"]}
    )
    assert (await claim(machine, made["owner_claim_secret"])).json() == INVALID


async def test_a_deleted_team_is_not_claimed(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    await delete_softly(sql, made["id"])
    assert (await claim(machine, made["owner_claim_secret"])).json() == INVALID


async def test_a_secret_is_the_whole_of_it(machine: Machine, auth: FakeAuth) -> None:
    secret = (await machine.make())["owner_claim_secret"]
    auth.link(machine.token, "usr_ada")
    last = "A" if secret[-1] != "A" else "B"
    for wrong in (
        secret[:-1],
        secret[:-1] + last,
        secret + "A",
        secret + "x" * 1_000,
        secret[:16],
        " " + secret,
        secret.swapcase(),
        rules.PREFIX + "A" * 24,
    ):
        refused = await claim(machine, wrong)
        assert (refused.status_code, refused.json()) == (404, INVALID), wrong
    assert (await claim(machine, secret)).status_code == 200


async def test_odd_secrets_are_none(machine: Machine, auth: FakeAuth) -> None:
    await machine.make()
    auth.link(machine.token, "usr_ada")
    for value in ODD_VALUES:
        refused = await claim(machine, value)
        assert (refused.status_code, refused.json()) == (404, INVALID)
    missing = await machine.post(PATH, {"token": machine.token})
    assert (missing.status_code, missing.json()) == (400, {"error": "claim_secret is required"})


@pytest.mark.parametrize("body", NOT_OBJECTS, ids=lambda body: repr(body[:12]))
async def test_what_is_no_object_is_refused(machine: Machine, body: bytes) -> None:
    assert (await machine.send("POST", PATH, content=body)).status_code == 400


async def test_of_fifty_claims_one_wins(
    machine: Machine, auth: FakeAuth, replica: httpx.AsyncClient, sql: Sql
) -> None:
    """Fifty machines of fifty accounts, all members, all with the secret, over two processes."""
    made = await machine.make()
    crowd = [Machine(client) for _ in range(25) for client in (machine.client, replica)]
    for number, each in enumerate(crowd):
        auth.link(each.token, f"usr_{number}")
    await sql.executemany(
        "INSERT INTO teams.membership (token, team_id) VALUES ($1, $2)",
        [(each.token, made["id"]) for each in crowd],
    )
    secret = made["owner_claim_secret"]
    answers = await asyncio.gather(*(settled(partial(claim, each, secret)) for each in crowd))
    winners = [number for number, answer in enumerate(answers) if answer.json() == CLAIMED]
    assert len(winners) == 1
    assert await owner(sql, made["id"]) == (f"usr_{winners[0]}", None, None)
    for answer in answers:
        if answer.json() != CLAIMED:
            assert (answer.status_code, answer.json()) in ((409, OWNED), (404, INVALID))


async def test_who_comes_second_is_told(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    """The secret was right when it was checked, but somebody else has the team now."""
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    async with sql.transaction():
        await sql.execute(
            "UPDATE teams.team SET owner = 'usr_eve', claim_lookup = NULL, claim_hash = NULL"
            " WHERE id = $1",
            made["id"],
        )
        late = asyncio.create_task(claim(machine, made["owner_claim_secret"]))
        async with asyncio.timeout(10):
            while not await sql.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            ):
                await asyncio.sleep(0.01)
    refused = await late
    assert (refused.status_code, refused.json()) == (409, OWNED)
    assert (await owner(sql, made["id"]))[0] == "usr_eve"


async def test_a_second_claim_fails_however_soon_it_comes(
    machine: Machine, auth: FakeAuth, replica: httpx.AsyncClient, sql: Sql
) -> None:
    """Two claims within a second are the same bytes, signature and all."""
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    signature = machine.signature()
    answers = await asyncio.gather(
        *(
            claim(each, made["owner_claim_secret"], signature=signature)
            for each in (machine, twin_of(machine, replica))
            for _ in range(5)
        )
    )
    first, *others = sorted(answer.status_code for answer in answers)
    assert (first, set(others) - {404, 409}) == (200, set())
    assert (await owner(sql, made["id"]))[0] == "usr_ada"
    stolen = await claim(machine, "else", signature=signature)
    assert (stolen.status_code, stolen.json()) == (401, USED)


async def test_without_auth_nothing_is_claimed(machine: Machine, auth: FakeAuth, sql: Sql) -> None:
    made = await machine.make()
    auth.link(machine.token, "usr_ada")
    auth.is_away = True
    try:
        for secret in (made["owner_claim_secret"], "wrong"):
            refused = await claim(machine, secret)
            assert (refused.status_code, refused.json()) == (503, AWAY)
    finally:
        auth.is_away = False
    assert (await owner(sql, made["id"]))[0] is None
    assert (await claim(machine, made["owner_claim_secret"])).status_code == 200


async def test_one_slow_check_whatever_is_sent(
    machine: Machine, stranger: Machine, auth: FakeAuth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a candidate, without one, with a secret that is none: what takes long is the same."""
    made = await machine.make()
    auth.link(stranger.token, "usr_eve")
    auth.link(machine.token, "usr_ada")
    checked: list[bool] = []

    def counting(hash_: str | None, text: str) -> bool:
        checked.append(hash_ is not None)
        return rules.holds(hash_, text)

    holder = type("Rules", (), {**vars(rules), "holds": staticmethod(counting)})
    monkeypatch.setattr(operations, "rules", holder)
    await claim(stranger, made["owner_claim_secret"])
    await claim(stranger, "nonsense")
    await claim(stranger, 7)
    await claim(machine, made["owner_claim_secret"][:-1])
    assert checked == [False, False, False, True]


def test_a_check_without_a_hash_is_the_same_work() -> None:
    """Nobody's hash was made with the parameters that secrets are hashed with."""
    secret = rules.mint()
    parameters = secret.hash.rsplit("$", 2)[0]
    assert parameters.startswith("$argon2id$")
    assert rules._NOBODYS.rsplit("$", 2)[0] == parameters
    assert rules.holds(secret.hash, secret.text)
    assert not rules.holds(None, secret.text)


class Explaining:
    """A connection that explains a query instead of asking it."""

    def __init__(self, sql: Sql) -> None:
        self.sql = sql
        self.plan = ""

    async def fetchrow(self, query: str, *arguments: Any) -> None:
        rows = await self.sql.fetch("EXPLAIN " + query, *arguments)
        self.plan = "\n".join(row[0] for row in rows)


async def test_it_costs_the_same_however_many_teams_nobody_owns(machine: Machine, sql: Sql) -> None:
    made = await machine.make()
    await sql.execute(
        """
        INSERT INTO teams.team (id, name, hash, members_hash, skills_hash, knowledge_hash,
                                members_part, skills_part, knowledge_part, version, claim_lookup,
                                claim_hash)
        SELECT gen_random_uuid(), t.name, t.hash, t.members_hash, t.skills_hash, t.knowledge_hash,
               t.members_part, t.skills_part, t.knowledge_part, 1, sha256(n::text::bytea), 'x'
          FROM teams.team t, generate_series(1, 5000) n WHERE t.id = $1
        """,
        made["id"],
    )
    await sql.execute("ANALYZE teams.team, teams.membership")
    explaining = Explaining(sql)
    await store.find(explaining, machine.token, rules.lookup(made["owner_claim_secret"]))  # type: ignore[arg-type]  # as far as it is used
    assert "Index Scan using team_claim_lookup_key" in explaining.plan
    assert "Seq Scan on team " not in explaining.plan
    await sql.execute("DELETE FROM teams.team WHERE claim_hash = 'x'")
