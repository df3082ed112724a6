"""What is left of a person, and of an organization, after they were erased."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.agents.erasures import operations as erasures
from shared.contracts.auth import AccountDeleted, OrganizationCreated, OrganizationDeleted
from shared.db import Database
from shared.principal import Principal
from tests.services.agents.agents_support import make as make_agent
from tests.services.agents.conftest import Agents, new_name
from tests.services.agents.messages_support import Talk, begin

SECRET = "only-for-one"
PASSING = ("outbox", "inbox", "attempt", "parked", "migration")
"""Tables of the bus: what stands there is on its way."""


@pytest.fixture
async def ada(agents: Agents) -> Principal:
    """Somebody who owns an organization."""
    org, _ = await agents.organization()
    return agents.person(org, "owner")


@pytest.fixture
async def host(agents: Agents, namespace: str) -> Principal:
    """A service account that has sessions of its own."""
    return await agents.robot("developer", namespace=namespace)


async def slug(agents: Agents, person: Principal) -> str:
    found: str = await agents.sql.fetchval(
        "SELECT slug FROM agents.organization WHERE id = $1", person.org
    )
    return found


async def forget(agents: Agents, person: Principal, *orgs: str) -> None:
    await agents.tell(AccountDeleted(account_id=person.account, org_ids=orgs))


async def traces(agents: Agents, text: str) -> dict[str, int]:
    """Count the rows that hold a text anywhere, by table."""
    tables = await agents.sql.fetch(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'agents'"
    )
    assert {"session", "message", "job", "audit_event"} <= {row["table_name"] for row in tables}
    found = {}
    for row in tables:
        table = row["table_name"]
        if table not in PASSING:
            query = f'SELECT count(*) FROM agents."{table}" t WHERE strpos(t::text, $1) > 0'  # noqa: S608
            found[table] = await agents.sql.fetchval(query, text)
    return {table: count for table, count in found.items() if count}


async def said(agents: Agents, kind: str, **fields: str) -> list[dict[str, Any]]:
    rows = await agents.sql.fetch(
        "SELECT payload FROM agents.outbox WHERE kind = $1 ORDER BY id", kind
    )
    events: list[dict[str, Any]] = [json.loads(row["payload"]) for row in rows]
    return [event for event in events if fields.items() <= event.items()]


async def as_guest(agents: Agents, talk: Talk, person: Principal, content: str) -> dict[str, Any]:
    """Let a person post in somebody else's session, as a role lets them."""
    await agents.bind("admin", person, talk.namespace)
    answer = await talk.send("POST", "/messages", person, json={"role": "USER", "content": content})
    assert answer.status_code == 201, answer.text
    posted: dict[str, Any] = answer.json()
    return posted


async def test_a_persons_sessions_go_and_nobody_elses(
    agents: Agents, ada: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "BATCH", 2)
    home = await slug(agents, ada)
    states = ("INIT", "READY", "IDLE", "ERROR", "READY", "READY")
    mine = [await begin(agents, home, ada, state, starting_prompt=SECRET) for state in states]
    await mine[1].say(SECRET)
    assert (await mine[5].send("DELETE")).status_code == 204
    # Called alike, and somebody else.
    others = [await begin(agents, home) for _ in range(3)]
    kinds = ("ServiceAccount", ada.account), ("Subject", ada.account), ("User", "usr_another")
    for talk, (owner_type, owner_id) in zip(others, kinds, strict=True):
        await agents.sql.execute(
            "UPDATE agents.session SET owner_type = $2, owner_id = $3, created_by = $4"
            " WHERE id = $1",
            UUID(talk.id),
            owner_type,
            owner_id,
            ada.account,
        )

    for _ in range(2):
        await forget(agents, ada)
        left = await agents.sql.fetch("SELECT id FROM agents.session WHERE namespace = $1", home)
        assert {str(row["id"]) for row in left} == {talk.id for talk in others}
    for table in ("message", "job", "work", "state_change"):
        query = f"SELECT count(*) FROM agents.{table} WHERE session_id = ANY($1::uuid[])"  # noqa: S608
        assert not await agents.sql.fetchval(query, [UUID(talk.id) for talk in mine])
    for talk in mine[:5]:
        told = await said(agents, "session.changed.v1", session_id=talk.id, state="DELETED")
        assert len(told) == 1, "it was deleted, once"
        assert told[0]["number"] > 1
    ended = await said(agents, "session.changed.v1", session_id=mine[5].id, state="DELETED")
    assert len(ended) == 1, "as it was said when its owner deleted it"
    done = await said(agents, "erasure.completed.v1", account_id=ada.account)
    assert [event["service"] for event in done] == ["agents", "agents"]


async def test_nothing_names_an_erased_person(
    agents: Agents, ada: Principal, host: Principal, namespace: str
) -> None:
    mine = await begin(agents, await slug(agents, ada), ada)
    await mine.say(SECRET)
    theirs = await begin(agents, namespace, host)
    await theirs.say("theirs")
    await theirs.reply(await theirs.take_turn())
    await as_guest(agents, theirs, ada, SECRET)
    await agents.post(
        f"sessions/{theirs.id}/messages",
        ada,
        {"role": "USER", "content": SECRET},
        headers={"idempotency-key": uuid4().hex},
    )
    await agents.sql.execute("DELETE FROM agents.role_binding WHERE principal_id = $1", ada.account)
    before = await traces(agents, ada.account)
    assert {"session", "message", "audit_event", "idempotency_key"} <= before.keys()
    await forget(agents, ada)
    assert await traces(agents, ada.account) == {}
    events = await agents.sql.fetch(
        "SELECT action, owner_type FROM agents.audit_event WHERE target = $1 ORDER BY id", mine.id
    )
    assert ("session.created", "User") in [tuple(row) for row in events], "what was done stays"


async def test_what_a_person_posted_elsewhere_goes_with_its_replies(
    agents: Agents, ada: Principal, host: Principal, namespace: str
) -> None:
    talk, alone = await begin(agents, namespace, host), await begin(agents, namespace, host)
    await talk.say("theirs")
    await talk.reply(await talk.take_turn(), "to theirs")
    await as_guest(agents, talk, ada, SECRET)
    await talk.reply(await talk.take_turn(), f"you said {SECRET}")
    await talk.show_replies()
    await agents.sql.execute(
        "UPDATE agents.session SET memory = $2::text::json WHERE id = ANY($1::uuid[])",
        [UUID(talk.id), UUID(alone.id)],
        json.dumps({"todo": SECRET}),
    )
    assert len(await talk.contents()) == 4
    await forget(agents, ada)
    assert await talk.contents() == ["theirs", "to theirs"]
    memory = "SELECT memory::text FROM agents.session WHERE id = $1"
    assert await agents.sql.fetchval(memory, UUID(talk.id)) == "{}"
    assert SECRET in await agents.sql.fetchval(memory, UUID(alone.id))
    assert await talk.state() == "READY"


async def test_in_a_deleted_session_too(
    agents: Agents, ada: Principal, host: Principal, namespace: str
) -> None:
    talk = await begin(agents, namespace, host)
    await as_guest(agents, talk, ada, SECRET)
    assert (await talk.send("DELETE")).status_code == 204
    await forget(agents, ada)
    left = "SELECT count(*) FROM agents.message WHERE session_id = $1"
    assert await agents.sql.fetchval(left, UUID(talk.id)) == 0


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_turn_that_answers_an_erased_message_ends(
    agents: Agents, ada: Principal, host: Principal, namespace: str, is_taken: bool
) -> None:
    talk = await begin(agents, namespace, host)
    posted = await as_guest(agents, talk, ada, SECRET)
    await talk.say("next")
    number = await talk.number_of(posted)
    if is_taken:
        assert await talk.take_turn() == number
    assert await talk.state() == "BUSY"
    await forget(agents, ada)
    assert await talk.state() == "READY"
    assert not await talk.reply(number, f"you said {SECRET}")
    assert await talk.contents() == ["next"]
    turns = [job[1:] for job in await talk.jobs() if job[0] == "run_turn"]
    assert [turn[0] for turn in turns] == ["failed", "pending"]
    assert turns[0][2] == "erased"
    work = await agents.sql.fetchrow(
        "SELECT worker, due_at <= clock_timestamp() AS is_due FROM agents.work"
        " WHERE session_id = $1",
        UUID(talk.id),
    )
    assert tuple(work or ()) == (None, True), "somebody looks at what waits"


async def test_a_turn_that_answers_somebody_else_goes_on(
    agents: Agents, ada: Principal, host: Principal, namespace: str
) -> None:
    talk = await begin(agents, namespace, host)
    await talk.say("theirs")
    await as_guest(agents, talk, ada, SECRET)
    number = await talk.take_turn()
    await forget(agents, ada)
    assert await talk.state() == "BUSY"
    assert await talk.reply(number)
    await talk.show_replies()
    assert await talk.contents() == ["theirs", "an answer"]
    turns = [job[1] for job in await talk.jobs() if job[0] == "run_turn"]
    assert turns == ["processing", "failed"]


async def furnished(agents: Agents, namespace: str, owner: Principal) -> Talk:
    """Put something of everything into a namespace."""
    agent = await make_agent(agents, owner, namespace, instructions=SECRET)
    gone = await make_agent(agents, owner, namespace)
    assert (await agents.delete(f"agents/{gone['id']}", owner)).status_code == 204
    await begin(agents, namespace, owner)
    deleted = await begin(agents, namespace, owner)
    assert (await deleted.send("DELETE")).status_code == 204
    await agents.sql.execute(
        "INSERT INTO agents.workspace (namespace, description) VALUES ($1, $2)", namespace, SECRET
    )
    talk = await begin(agents, namespace, owner, agent_ids=[agent["id"]])
    await talk.say(SECRET)
    return talk


async def counts(agents: Agents, namespace: str) -> dict[str, int]:
    """Count what is in a namespace, by table."""
    tables = ("agent", "session", "workspace", "audit_event", "work")
    return {
        table: await agents.sql.fetchval(
            f"SELECT count(*) FROM agents.{table} WHERE namespace = $1",  # noqa: S608
            namespace,
        )
        for table in tables
    }


async def test_everything_of_an_organizations_namespace_goes(
    agents: Agents, ada: Principal, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasures, "BATCH", 2)
    home = await slug(agents, ada)
    talk = await furnished(agents, home, await agents.robot("admin", namespace=home))
    await begin(agents, home, ada)
    await agents.post(
        "sessions", ada, {"namespace": home}, headers={"idempotency-key": uuid4().hex}
    )
    await furnished(agents, namespace, await agents.robot("admin", namespace=namespace))
    before = await counts(agents, namespace)
    assert all(before.values())
    for _ in range(2):
        await agents.tell(OrganizationDeleted(org_id=ada.org))
        assert not any((await counts(agents, home)).values())
        assert await counts(agents, namespace) == before
    assert await traces(agents, f"/{ada.account}") == {}, "no answer is kept for a repeat"
    told = await said(agents, "session.changed.v1", session_id=talk.id, state="DELETED")
    assert len(told) == 1
    # Who goes on showing an old login holds nothing there.
    answer = await agents.post("sessions", ada, {"namespace": home})
    assert answer.status_code in (403, 404)


async def test_organizations_go_along_with_an_account(agents: Agents, ada: Principal) -> None:
    home = await slug(agents, ada)
    await furnished(agents, home, ada)
    await forget(agents, ada, ada.org, f"org_{uuid4().hex}")
    assert not any((await counts(agents, home)).values())
    assert len(await said(agents, "erasure.completed.v1", account_id=ada.account)) == 1


async def test_who_has_the_name_next_loses_nothing(agents: Agents, ada: Principal) -> None:
    """The news come late: the slug was given to somebody else in the meantime."""
    home = await slug(agents, ada)
    await furnished(agents, home, ada)
    await agents.sql.execute("DELETE FROM agents.workspace WHERE namespace = $1", home)
    for table in ("agent", "session"):
        await agents.sql.execute(
            f"UPDATE agents.{table} SET created_at = now() - interval '1 day'"  # noqa: S608
            " WHERE namespace = $1",
            home,
        )
    await agents.sql.execute(
        "UPDATE agents.audit_event SET at = now() - interval '1 day' WHERE namespace = $1", home
    )
    org, _ = await agents.organization(home)
    heir = agents.person(org, "owner")
    talk = await furnished(agents, home, heir)
    before = await counts(agents, home)
    at = datetime.now(UTC) - timedelta(hours=2)
    await agents.tell(OrganizationDeleted(org_id=ada.org, occurred_at=at))
    after = await counts(agents, home)
    assert (after["session"], after["agent"], after["workspace"]) == (3, 2, 1)
    assert all(after[table] < before[table] for table in ("session", "agent", "audit_event"))
    assert await talk.contents() == [SECRET]


async def test_the_namespace_of_all_stays(agents: Agents) -> None:
    org = f"org_{uuid4().hex}"
    await agents.tell(OrganizationCreated(org_id=org, name="Default", slug="default"))
    robot = await agents.robot("admin")
    await begin(agents, "default", robot)
    before = await counts(agents, "default")
    await agents.tell(OrganizationDeleted(org_id=org))
    assert await counts(agents, "default") == before


async def test_an_organization_that_nobody_heard_of_is_no_trouble(agents: Agents) -> None:
    org, name = f"org_{uuid4().hex}", new_name("late")
    await agents.tell(OrganizationDeleted(org_id=org))
    await agents.tell(OrganizationCreated(org_id=org, name="Late", slug=name))
    await agents.tell(OrganizationDeleted(org_id=org))
    answer = await agents.post("sessions", agents.person(org, "owner"), {"namespace": name})
    assert answer.status_code in (403, 404)


async def test_erasures_at_once_wait_for_each_other(agents: Agents) -> None:
    """Two people and their organization: each erasure finds what another is deleting."""
    org, home = await agents.organization()
    people = [agents.person(org, "owner") for _ in range(2)]
    for person in people:
        for other in people:
            talk = await begin(agents, home, other)
            await as_guest(agents, talk, person, SECRET)
    database = agents.resources[Database]
    at = datetime.now(UTC)

    async def erase(person: Principal | None) -> None:
        async with database.transaction() as connection:
            if person is None:
                await erasures.forget_organization(connection, org, at)
            else:
                await erasures.forget_account(connection, person.account, [org], at)

    await asyncio.gather(*(erase(who) for who in (*people, None, *people)))
    assert not any((await counts(agents, home)).values())
