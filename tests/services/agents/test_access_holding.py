"""Who holds what: each sort of caller, what it costs, and how long it is remembered (section 7)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.agents.access.models import Holder
from services.agents.access.operations import Access
from services.agents.access.operations.holding import LIFE, MOST_REMEMBERED
from shared.db import Connection, Database
from shared.errors import Forbidden, NotFound, Unauthenticated, Unavailable
from shared.principal import ANONYMOUS, Kind, Principal
from tests.services.agents.conftest import Agents, new_name, rule, running
from tests.support.postgres import DatabaseServer, DatabaseUrls


async def held(agents: Agents, principal: Principal) -> Holder:
    agents.forget()
    access: Access = agents.resources[Access]
    return await access.holder(principal)


def grants_of(holder: Holder) -> list[tuple[str, str | None]]:
    return sorted((grant.role, grant.namespace) for grant in holder.grants)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every statement that is sent while the test runs."""
    seen: list[str] = []
    lend = Database.connection

    @asynccontextmanager
    async def watched(self: Database) -> AsyncIterator[Connection]:
        async with lend(self) as connection:
            logger: Any = connection.query_logger(lambda record: seen.append(record.query))
            with logger:
                yield connection

    monkeypatch.setattr(Database, "connection", watched)
    return seen


async def test_a_role_in_a_namespace_gives_nothing_elsewhere(
    agents: Agents, namespace: str
) -> None:
    holder = await held(agents, await agents.robot("viewer", namespace=namespace))
    assert holder.may("agents", "list", namespace)
    assert not holder.may("agents", "create", namespace)
    assert not holder.may("agents", "list", "other")
    assert holder.is_bound(namespace)
    assert not holder.is_bound("other")
    assert holder.namespaces("agents", "list") == frozenset({namespace})
    assert holder.namespaces("agents", "create") == frozenset()
    holder.require("agents", "list", namespace)
    holder.require_seen(namespace, "Agent not found")
    with pytest.raises(Forbidden):
        holder.require("agents", "create", namespace)
    with pytest.raises(NotFound, match="Agent not found"):
        holder.require_seen("other", "Agent not found")


async def test_a_role_without_a_namespace_holds_everywhere(agents: Agents) -> None:
    holder = await held(agents, await agents.robot("viewer"))
    assert holder.namespaces("agents", "list") is None
    assert holder.may("sessions", "get", "whatever")


async def test_a_rule_with_names_is_for_those_objects(agents: Agents, namespace: str) -> None:
    named = rule("agents", "get list update", names=("helper",))
    holder = await held(agents, await agents.holding(named, namespace=namespace))
    assert holder.may("agents", "get", namespace, ("some-id", "helper"))
    assert not holder.may("agents", "get", namespace, ("some-id", "other"))
    assert not holder.may("agents", "list", namespace)


async def test_people_hold_what_their_standing_gives_in_their_namespace(agents: Agents) -> None:
    org, slug = await agents.organization()
    member = await held(agents, agents.person(org, "member"))
    assert member.may("agents", "create", slug)
    assert not member.may("sessions", "list-all", slug)
    for role in ("admin", "owner"):
        holder = await held(agents, agents.person(org, role))
        assert holder.may("sessions", "list-all", slug)
        assert not holder.may("sessions", "list-all", "other")
    nobody = await held(agents, agents.person("org_unheard", "owner"))
    assert grants_of(nobody) == []
    assert grants_of(await held(agents, agents.person(org, "stranger"))) == []


async def test_a_platform_administrator_holds_everything_but_their_keys_do_not(
    agents: Agents,
) -> None:
    org, slug = await agents.organization()
    root = agents.person(org, "platform_admin")
    assert (await held(agents, root)).namespaces("sessions", "remix-all") is None
    key = await held(agents, agents.key_of(root))
    assert not key.may("agents", "list", slug)


async def test_a_key_acts_as_its_maker_or_not_at_all(agents: Agents, namespace: str) -> None:
    org, slug = await agents.organization()
    person = agents.person(org, "member")
    await agents.bind("viewer", person, namespace)
    mine, key = await held(agents, person), await held(agents, agents.key_of(person))
    assert grants_of(key) == grants_of(mine) == [("member", slug), ("viewer", namespace)]
    assert key.owner == mine.owner
    assert (key.owner.type, key.owner.name) == ("User", person.account)
    with pytest.raises(Forbidden):
        await held(agents, agents.key_of(person, "learnings:read", "learnings:write"))


async def test_subjects_hold_what_is_bound_to_their_name_and_groups(
    agents: Agents, namespace: str
) -> None:
    subject = agents.subject("", new_name("staff"))
    assert grants_of(await held(agents, subject)) == []
    await agents.bind("viewer", subject, namespace)
    await agents.bind_group("operator", subject.groups[0])
    holder = await held(agents, subject)
    assert grants_of(holder) == [("operator", None), ("viewer", namespace)]
    assert (holder.owner.type, holder.owner.id) == ("Subject", subject.subject)
    stranger = agents.subject(subject.groups[0])
    assert grants_of(await held(agents, stranger)) == [], "a name is no group"


async def test_a_subject_named_like_an_account_is_somebody_else(
    agents: Agents, namespace: str
) -> None:
    robot = await agents.robot("viewer", namespace=namespace, name=new_name("same"))
    mine = await held(agents, robot)
    assert mine.owner.name.startswith("same-")
    org, _ = await agents.organization()
    person = agents.person(org, "owner")
    await agents.bind("viewer", person, namespace)
    for name in (mine.owner.name, robot.subject, person.account):
        holder = await held(agents, agents.subject(name))
        assert grants_of(holder) == []
        assert not holder.owns(mine.owner.type, mine.owner.id)
        assert not holder.owns("User", person.account)
    # A binding that waits for an account of its name is nobody's, but for subjects.
    subject = agents.subject(new_name("awaited"))
    await agents.bind("viewer", subject, namespace)
    assert grants_of(await held(agents, await agents.robot(name=subject.subject))) == []
    assert grants_of(await held(agents, agents.person(org, "x", subject.subject))) == []


async def test_an_account_made_anew_under_a_name_holds_nothing_of_the_old(
    agents: Agents, namespace: str
) -> None:
    name = new_name("robot")
    old = await agents.robot("viewer", namespace=namespace, name=name)
    new = await agents.robot(name=name)
    assert grants_of(await held(agents, new)) == []
    assert not (await held(agents, new)).owns("ServiceAccount", old.subject)


async def test_an_account_that_was_not_heard_of_yet_holds_nothing(agents: Agents) -> None:
    unheard = Principal(Kind.SERVICE_ACCOUNT, str(uuid4()))
    await agents.bind("admin", unheard)
    holder = await held(agents, unheard)
    assert grants_of(holder) == []
    assert holder.owner.name == unheard.subject


@pytest.mark.parametrize(
    ("principal", "error"),
    [
        (ANONYMOUS, Unauthenticated),
        (Principal(Kind.SERVICE_ACCOUNT, "admin"), Unauthenticated),
        (Principal(Kind.MACHINE, "trc_ak_x", account="usr_one"), Forbidden),
        (Principal(Kind.SERVICE, "runs"), Forbidden),
        (Principal(Kind.USER), Forbidden),
    ],
)
async def test_who_cannot_act_here_is_refused(
    agents: Agents, principal: Principal, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await held(agents, principal)


async def test_without_a_copy_nobody_is_judged(database_server: DatabaseServer) -> None:
    async with database_server.clone() as urls, running(urls) as empty:
        robot = await empty.robot()
        with pytest.raises(Unavailable) as refused:
            await held(empty, robot)
        assert refused.value.retry_after == 1


async def test_a_decision_is_one_query_and_then_none(agents: Agents, statements: list[str]) -> None:
    robot = await agents.robot("viewer", "developer", namespace="acme")
    access = agents.resources[Access]
    agents.forget()
    statements.clear()
    for _ in range(3):
        await access.holder(robot)
    assert len([text for text in statements if "role_binding" in text]) == 1


async def test_what_is_remembered_is_of_a_caller_and_not_of_a_login(agents: Agents) -> None:
    robot = await agents.robot("viewer")
    again = replace(robot, session="sas_other")
    first, second = await held(agents, robot), await agents.resources[Access].holder(again)
    assert first.grants is second.grants
    assert second.principal.session == "sas_other"


@asynccontextmanager
async def access_of(urls: DatabaseUrls, **options: Any) -> AsyncIterator[Access]:
    database = await Database.connect(urls.url("agents"))
    try:
        yield Access(database, **options)
    finally:
        await database.close()


async def test_what_is_held_is_asked_again_after_a_moment(
    agents: Agents, urls: DatabaseUrls
) -> None:
    robot, now = await agents.robot(), 100.0
    async with access_of(urls, clock=lambda: now) as access:
        assert grants_of(await access.holder(robot)) == []
        await agents.bind("viewer", robot)
        now += LIFE - 0.01
        assert grants_of(await access.holder(robot)) == [], "this process was not told"
        now += 0.02
        assert grants_of(await access.holder(robot)) == [("viewer", None)]


async def test_what_was_read_before_a_change_is_not_kept_after_it(
    agents: Agents, urls: DatabaseUrls
) -> None:
    robot = await agents.robot()
    async with access_of(urls, clock=lambda: 100.0) as access:
        reading = asyncio.ensure_future(access.holder(robot))
        await asyncio.sleep(0)
        access.forget()
        await reading
        assert not access._known


async def test_for_a_moment_after_news_nothing_is_remembered(
    agents: Agents, urls: DatabaseUrls
) -> None:
    robot, now = await agents.robot(), 100.0
    async with access_of(urls, clock=lambda: now) as access:
        access.doubt()
        assert grants_of(await access.holder(robot)) == [], "the copy was not changed yet"
        await agents.bind("viewer", robot)
        assert grants_of(await access.holder(robot)) == [("viewer", None)]
        now += LIFE
        await access.holder(robot)
        assert access._known


async def test_what_is_remembered_is_bounded(agents: Agents, urls: DatabaseUrls) -> None:
    async with access_of(urls, clock=lambda: 100.0) as access:
        robot = await agents.robot()
        holder = await access.holder(robot)
        for number in range(MOST_REMEMBERED):
            access._known[(number,)] = (holder.owner, ()), 200.0
        await access.holder(agents.subject())
        assert len(access._known) == 1


_PLAN = "EXPLAIN (FORMAT JSON, ANALYZE) "


def scans_of(plan: dict[str, Any]) -> set[str]:
    """The tables that a plan reads from end to end."""
    found = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return found.union(*(scans_of(part) for part in plan.get("Plans", ())))


async def test_a_decision_finds_its_rows_by_index_among_many(
    agents: Agents, urls: DatabaseUrls, statements: list[str]
) -> None:
    viewer, org = agents.roles["viewer"], (await agents.organization())[0]
    for setup in (
        """INSERT INTO agents.role_binding
                  (id, role_id, principal_type, principal_name, principal_id, namespace, version)
           SELECT gen_random_uuid(), $1, (ARRAY['ServiceAccount', 'User', 'Subject', 'Group'])
                  [n % 4 + 1], 'p' || n / 4, CASE WHEN n % 4 < 2 THEN 'id' || n / 4 END,
                  'ns' || n % 500, 0
             FROM generate_series(1, 100000) n""",
        """INSERT INTO agents.role (id, name, rules, version)
           SELECT gen_random_uuid(), 'many' || n, r.rules, 0
             FROM generate_series(1, 2000) n, agents.role r WHERE r.id = $1""",
        """INSERT INTO agents.service_account (id, name, active, version)
           SELECT gen_random_uuid(), 'r' || n, $1::uuid IS NOT NULL, 0
             FROM generate_series(1, 20000) n""",
        """INSERT INTO agents.organization (id, slug)
           SELECT 'org_' || n || $1::uuid, 's' || n FROM generate_series(1, 20000) n""",
    ):
        await agents.sql.execute(setup, viewer)
    for table in ("role_binding", "role", "service_account", "organization"):
        await agents.sql.execute(f"ANALYZE agents.{table}")
    statements.clear()
    await held(agents, agents.person(org))
    [query] = [text for text in statements if "role_binding" in text]
    callers: tuple[tuple[Any, ...], ...] = (
        ("id7", ["ServiceAccount"], None, [], "", "", uuid4()),
        ("id7", ["User", "Subject"], None, [], org, "owner", None),
        (None, [], "p9", ["p11", "p12"], "", "", None),
    )
    for values in callers:
        plan = json.loads(await agents.sql.fetchval(_PLAN + query, *values))[0]
        assert not scans_of(plan["Plan"]) - {"access_copy"}, values
    # The plan for any values, to which prepared statements turn.
    generic = await asyncpg.connect(
        urls.url("agents"), server_settings={"plan_cache_mode": "force_generic_plan"}
    )
    try:
        plan = json.loads(await generic.fetchval(_PLAN + query, *callers[1]))[0]
    finally:
        await generic.close()
    assert not scans_of(plan["Plan"]) - {"access_copy"}
