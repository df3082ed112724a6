"""Looking up what learnings and teams know, with the real services beside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.agents.knowledge.models import MOST_BYTES, MOST_PASSAGES
from services.agents.knowledge.operations import look_up
from shared.principal import Kind, Principal, Role
from shared.siblings import Siblings
from tests.services.agents.knowledge_support import (
    ALL,
    House,
    agents_siblings,
    caller_of,
    house,
)
from tests.services.auth.conftest import Person
from tests.services.auth.people_support import colleague, remove
from tests.services.learnings.test_key_policies import PROJECT
from tests.services.teams.sharing_support import invited, join
from tests.support.postgres import DatabaseServer
from tests.support.service import person
from tests.support.serving import serving

LEARNINGS_DENIED = ["knowledge base 1 (learnings) not available to the caller"]
TEAM_DENIED = ["knowledge base 1 (team) not available to the caller"]
KNOWLEDGE = """# Payments

## Deploys
We deploy on Tuesdays, never on Fridays.

## Database
The pool has twenty connections.
"""
SKILLS = [{"id": "ship", "title": "Ship it", "description": "Deploying", "body": "Press the key."}]


@pytest.fixture(scope="module")
async def home(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Auth, learnings and teams; each test works with people of its own."""
    async with (
        database_server.clone() as urls,
        house(urls, tmp_path_factory.mktemp("data")) as home,
    ):
        yield home


@pytest.fixture
async def ada(home: House) -> Person:
    """Somebody with an organization of her own."""
    return await home.auth.person()


def team_base(team: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "team", "team_id": team["id"]}]


async def test_a_person_reads_their_organizations_learnings(home: House, ada: Person) -> None:
    tenant = home.tenant(ada)
    await tenant.record(summary="Rotate the pager weekly", detail="Mondays at ten")
    await tenant.record(summary="Cache headers matter")
    found = await home.look_up(ada, ALL, "Who has the pager, and when is it rotated?")
    assert found.notes == []
    (passage,) = found.passages
    assert (passage.source, passage.title) == ("learnings", "Rotate the pager weekly")
    assert passage.text == "Mondays at ten"
    stranger = await home.auth.person()
    assert await home.titles(stranger, ALL, "pager") == []


async def test_filters_narrow(home: House, ada: Person) -> None:
    tenant = home.tenant(ada)
    await tenant.record(summary="pool one", tags=["db", "x"], impact=0.9)
    await tenant.record(summary="pool two", tags=["db"], impact=0.2)
    await tenant.record(summary="pool three", expires="2001-01-01")
    gone = await tenant.record(summary="pool four")
    await tenant.send("DELETE", f"/v1/learnings/{gone['id']}")

    async def titles(**filters: Any) -> set[str]:
        return set(await home.titles(ada, [{"type": "learnings"} | filters], "the pool"))

    assert await titles() == {"pool one", "pool two"}
    assert await titles(tags=["db", "x"]) == await titles(min_impact=0.5) == {"pool one"}
    assert await titles(tags="x") == await titles(limit=1, query="one") == {"pool one"}
    assert await titles(status="obsolete") == {"pool four"}
    assert await titles(query="four", status=["obsolete", "active"]) == {"pool four"}
    assert await titles(source_project="elsewhere") == set()
    assert await home.titles(ada, [{"type": "learnings", "query": ""}], "?") == [
        "pool one",
        "pool two",
    ]
    assert await home.titles(ada, ALL, "?!") == []


async def test_a_key_reads_what_its_policy_lets_pass(home: House, ada: Person) -> None:
    tenant, key = home.tenant(ada), await home.key(ada)
    await tenant.record(summary="row here", metadata={"origin_project": PROJECT})
    await tenant.record(summary="row elsewhere")
    assert len(await home.titles(key, ALL, "row")) == 2
    path = f"/v1/sync/policies/{key.subject}"
    answer = await tenant.send("PUT", path, json={"origin_projects": [PROJECT]})
    assert answer.status_code == 200
    assert await home.titles(key, ALL, "row") == ["row here"]
    assert len(await home.titles(ada, ALL, "row")) == 2


async def test_a_member_and_an_owner_read_a_team_and_nobody_else(home: House, ada: Person) -> None:
    grace, stranger = await home.auth.person(), await home.auth.person()
    mine, hers = await home.machine(ada), await home.machine(grace)
    souls = [{"name": "alice", "role": "deploys", "soul": "She deploys at night."}]
    team = await mine.make(members=souls, knowledge=KNOWLEDGE, skills=SKILLS)
    bases = team_base(team)
    found = await home.look_up(ada, bases, "When do we deploy?")
    assert found.notes == []
    titles = [(passage.source, passage.title) for passage in found.passages]
    assert titles == [("team Payments", "Deploys"), ("team Payments", "skill Ship it")]
    assert "night" not in str([passage.text for passage in found.passages])
    for who in (grace, stranger):
        found = await home.look_up(who, bases, "When do we deploy?")
        assert (found.passages, found.notes) == ([], TEAM_DENIED)
    assert (await join(hers, await invited(mine))).status_code == 200
    assert await home.titles(grace, bases, "database connections") == ["Database"]
    # A revoked machine makes nobody a member, before its memberships have ended, too.
    sql = home.auth.sql
    await sql.execute("UPDATE auth.machine SET revoked_at = now() WHERE token = $1", hers.token)
    found = await home.look_up(grace, bases, "database connections")
    assert (found.passages, found.notes) == ([], TEAM_DENIED)


async def test_no_key_reads_a_team(home: House, ada: Person) -> None:
    machine, key = await home.machine(ada), await home.key(ada)
    team = await machine.make(knowledge=KNOWLEDGE)
    found = await home.look_up(key, team_base(team), "deploys")
    assert (found.passages, found.notes) == ([], TEAM_DENIED)


async def denied(home: House, who: Person | Principal) -> None:
    found = await home.look_up(who, ALL, "pager")
    assert (found.passages, found.notes) == ([], LEARNINGS_DENIED)


async def test_what_somebody_lost_since_is_lost(home: House, ada: Person) -> None:
    await home.tenant(ada).record(summary="Rotate the pager")
    left, put_out, key = (
        await colleague(home.auth, ada),
        await colleague(home.auth, ada),
        await home.key(ada),
    )
    for who in (left, put_out, key, ada):
        assert await home.titles(who, ALL, "pager") == ["Rotate the pager"]

    disable = "UPDATE auth.account SET disabled_at = now() WHERE id = $1"
    await home.auth.sql.execute(disable, put_out.claims.sub)
    await denied(home, put_out)

    assert (await remove(home.auth, ada, left)).status_code == 200
    await denied(home, left)

    path = f"/v1/admin/organizations/{ada.claims.org}/api-keys/{key.subject}"
    assert (await home.auth.send("DELETE", path, ada.principal)).status_code == 204
    await denied(home, key)

    again = await home.auth.sign_in(ada.email)
    assert (await home.auth.post("/v1/auth/logout", ada.principal)).status_code == 204
    await denied(home, ada)
    assert await home.titles(again, ALL, "pager") == ["Rotate the pager"]


async def test_a_key_needs_the_scope_and_its_makers_membership(home: House, ada: Person) -> None:
    await home.tenant(ada).record(summary="Rotate the pager")
    reader = await home.key(ada, "learnings:read")
    assert await home.titles(reader, ALL, "pager") == ["Rotate the pager"]
    await denied(home, await home.key(ada, "telemetry:write", "learnings:write"))
    # Scopes of the moment at which the message was posted count for nothing.
    other = await home.auth.person()
    lent = Principal(
        Kind.API_KEY, reader.subject, other.claims.org, Role.OWNER, ("*",), reader.subject
    )
    await denied(home, lent)
    sql = home.auth.sql
    await sql.execute("DELETE FROM auth.membership WHERE account_id = $1", ada.claims.sub)
    await denied(home, reader)


async def test_what_is_asserted_must_fit_together(home: House, ada: Person) -> None:
    """A session opens its own account's organization only, as its own kind of caller."""
    await home.tenant(ada).record(summary="Rotate the pager")
    other, key, mine = await home.auth.person(), await home.key(ada), ada.principal
    for kind, org, account, session in (
        (Kind.USER, mine.org, other.claims.sub, other.claims.sid),
        (Kind.USER, mine.org, mine.account, other.claims.sid),
        (Kind.USER, other.claims.org, mine.account, mine.session),
        (Kind.USER, mine.org, mine.account, key.session),
        (Kind.API_KEY, mine.org, mine.account, mine.session),
        (Kind.API_KEY, mine.org, other.claims.sub, key.session),
        (Kind.MACHINE, mine.org, mine.account, mine.session),
        (Kind.USER, "", mine.account, mine.session),
        (Kind.USER, mine.org, mine.account, ""),
    ):
        await denied(home, Principal(kind, account, org, "owner", ("*",), session, account))


async def test_who_belongs_to_no_organization_reads_nothing() -> None:
    bases = [*ALL, {"type": "team", "team_id": "6f1c1c52-5e0e-4a41-9c9b-4f4d4f3f8a10"}]
    async with Siblings.opened("agents", {}) as nobody:
        for kind in (Kind.SERVICE_ACCOUNT, Kind.SUBJECT, Kind.MACHINE, Kind.ANONYMOUS):
            who = Principal(kind, "robot", session="sas_one")
            found = await look_up(nobody, caller_of(who), bases, "pager")
            assert found.notes == [
                *LEARNINGS_DENIED,
                "knowledge base 2 (team) not available to the caller",
            ]


async def test_a_service_account_of_the_name_of_an_organization_reads_nothing(
    home: House, ada: Person
) -> None:
    await home.tenant(ada).record(summary="Rotate the pager")
    for kind in (Kind.SERVICE_ACCOUNT, Kind.SUBJECT):
        who = Principal(kind, ada.claims.sub, ada.claims.org, "owner", ("*",), ada.claims.sid)
        await denied(home, who)


async def test_bases_are_mixed_and_bounded(home: House, ada: Person) -> None:
    tenant, machine = home.tenant(ada), await home.machine(ada)
    for number in range(10):
        await tenant.record(summary=f"Deploy note {number}", detail="deploy " * 600)
    team = await machine.make(knowledge=KNOWLEDGE)
    bases = ["notes.md", 7, *ALL, {"type": "pinecone", "index": "x"}, *team_base(team), *ALL]
    found = await home.look_up(ada, bases, "When do we deploy?")
    assert found.notes == ["knowledge base type 'pinecone' is not known"]
    assert [passage.source for passage in found.passages][:2] == ["learnings", "team Payments"]
    assert len(found.passages) <= MOST_PASSAGES
    sizes = [len((each.title + each.text).encode()) for each in found.passages]
    assert MOST_BYTES - 200 < sum(sizes) <= MOST_BYTES


async def test_a_large_team_is_looked_at_beside_the_loop(home: House, ada: Person) -> None:
    machine = await home.machine(ada)
    skills = [{"id": f"s{n}", "body": f"filler {n} " * 400} for n in range(45)]
    skills[41]["body"] += "\n\nThe zebra crosses at noon."
    team = await machine.make(skills=skills)
    assert await home.titles(ada, team_base(team), "When does the zebra cross?") == ["skill s41"]


async def test_one_that_is_away_leaves_the_others(home: House, ada: Person) -> None:
    await home.tenant(ada).record(summary="Rotate the pager")
    team = await (await home.machine(ada)).make(knowledge=KNOWLEDGE)
    bases = [*ALL, *team_base(team)]
    away = "http://127.0.0.1:9"
    for name, notes, count in (
        ("auth", ["knowledge base 1 (learnings)", "knowledge base 2 (team)"], 0),
        ("learnings", ["knowledge base 1 (learnings)"], 1),
        ("teams", ["knowledge base 2 (team)"], 1),
    ):
        known = agents_siblings(home.urls, **{**home.addresses, name: away})
        absent = {service: known[service] for service in known if service != name}
        for siblings_known in (known, absent):
            async with Siblings.opened("agents", siblings_known) as siblings:
                asker = caller_of(ada.principal)
                found = await look_up(siblings, asker, bases, "pager of the pool's database")
            assert found.notes == [f"{note} did not answer" for note in notes], name
            assert len(found.passages) == count


async def test_all_bases_are_asked_at_once_and_nobody_waits_for_ever(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-in answers a search when all eight have come, and the ninth never."""
    meeting, met, is_over = asyncio.Barrier(8), list[str](), asyncio.Event()

    async def answer(request: Request) -> Response:
        if request.url.path == "/internal/sessions/check":
            return JSONResponse({"active": True, "kind": "user", "scopes": ["*"]})
        if len(met) == 8:
            await is_over.wait()
        met.append((await request.json())["query"])
        query = met[-1]
        await meeting.wait()
        return JSONResponse({"results": [{"summary": query, "detail": ""}]})

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    bases = [{"type": "learnings", "query": f"q{number}"} for number in range(9)]
    async with serving(app) as url:
        known = agents_siblings(home.urls, auth=url, learnings=url)
        async with Siblings.opened("agents", known) as siblings:
            asker = caller_of(person())
            found = await look_up(siblings, asker, bases, "something")
            assert [passage.title for passage in found.passages] == [f"q{n}" for n in range(8)]
            assert found.notes == ["knowledge bases after the first 8 are not looked at"]
            monkeypatch.setattr("shared.siblings.TIMEOUT", 0.2)
            found = await look_up(siblings, asker, bases[:1], "something")
            assert found.notes == ["knowledge base 1 (learnings) did not answer"]
        is_over.set()
