"""The copy of access: events late, twice and stale, and snapshots at any time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from random import Random
from uuid import UUID, uuid4

import pytest

from services.agents.access import store
from services.agents.access.models import Asked
from services.agents.access.operations import Access, slug_of
from services.agents.access.operations.copying import merge
from services.auth.role_bindings.models import (
    AccessSnapshot,
    CopiedBinding,
    CopiedOrganization,
    CopiedRole,
    CopiedServiceAccount,
)
from services.auth.roles.rules import BY_STANDING, SEEDS
from shared.contracts.auth import (
    OrganizationCreated,
    OrganizationDeleted,
    RoleBindingChanged,
    RoleChanged,
    RoleRule,
    ServiceAccountChanged,
)
from shared.db import Database
from shared.errors import Unauthenticated
from shared.principal import Principal
from tests.services.agents.access_support import THINGS, Ask, Auth, Hear, State, Step, Take, Told
from tests.services.agents.conftest import Agents, new_name, running
from tests.support.postgres import DatabaseServer

EMPTY = AccessSnapshot(
    version=0, roles=[], bindings=[], service_accounts=[], organizations=[], standings={}
)
ROLE = CopiedRole(id=str(uuid4()), name="viewer", rules=[*SEEDS["viewer"][0]], version=0)


@pytest.fixture
async def fresh(database_server: DatabaseServer) -> AsyncIterator[Agents]:
    """A service with an empty copy."""
    async with database_server.clone() as urls, running(urls) as agents:
        yield agents


async def asked(agents: Agents) -> Asked:
    async with agents.resources[Database].connection() as connection:
        return await store.asked(connection)


async def take(agents: Agents, snapshot: AccessSnapshot, before: Asked) -> None:
    await merge(agents.resources[Database], snapshot.model_dump_json(), before)


async def roles_of(agents: Agents, principal: Principal) -> list[tuple[str, str | None]]:
    """What somebody holds now: roles and namespaces."""
    agents.forget()
    holder = await agents.resources[Access].holder(principal)
    return sorted((grant.role, grant.namespace) for grant in holder.grants)


def role_changed(role: UUID, name: str, version: int, *, deleted: bool = False) -> RoleChanged:
    rule = RoleRule(api_groups=("api",), resources=("agents",), verbs=("get",))
    return RoleChanged(
        role_id=str(role), name=name, rules=(rule,), deleted=deleted, version=version
    )


def account_changed(
    account: str, version: int, *, active: bool = True, deleted: bool = False
) -> ServiceAccountChanged:
    return ServiceAccountChanged(
        service_account_id=account, name="robot", active=active, deleted=deleted, version=version
    )


class World:
    """A history of bindings, told to a copy in the database. A thing's content is its namespace."""

    def __init__(self, agents: Agents) -> None:
        self.agents = agents
        self.ids = [uuid4() for _ in range(THINGS)]
        self.asked: dict[int, tuple[State, Asked]] = {}
        self.subject = agents.subject()

    async def do(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Hear():
                    await self.agents.tell(self.event(step.told))
                case Ask():
                    self.asked[step.number] = step.state, await asked(self.agents)
                case Take():
                    state, before = self.asked[step.number]
                    await take(self.agents, self.snapshot(state), before)

    def event(self, told: Told) -> RoleBindingChanged:
        return RoleBindingChanged(
            binding_id=str(self.ids[told.thing]),
            role_id=ROLE.id,
            principal_type="Subject",
            principal_name=self.subject.subject,
            principal_id="",
            namespace=(told.content or "gone").replace(" ", "-"),
            deleted=told.content is None,
            version=told.version,
        )

    def snapshot(self, state: State) -> AccessSnapshot:
        bindings = [
            CopiedBinding.model_validate(
                self.event(Told(number, thing, content)).model_dump() | {"id": str(self.ids[thing])}
            )
            for thing, (number, content) in state.rows.items()
        ]
        return EMPTY.model_copy(
            update={"version": state.version, "roles": [ROLE], "bindings": bindings}
        )

    async def check(self, auth: Auth) -> None:
        expected = [("viewer", text.replace(" ", "-")) for text in auth.state().contents.values()]
        assert await roles_of(self.agents, self.subject) == sorted(expected)


@pytest.mark.parametrize("seed", range(8))
async def test_the_copy_in_the_database_ends_as_what_auth_has(fresh: Agents, seed: int) -> None:
    auth, world = Auth(Random(seed)), World(fresh)
    await world.do([auth.ask(), Take(0)])
    await world.do(auth.steps(30))
    await world.do(auth.rest())
    await world.check(auth)
    await world.do(auth.steps(10))
    await world.do(auth.repair())
    await world.check(auth)


async def test_nobody_is_sent_here_before_auth_has_told_who_holds_what(fresh: Agents) -> None:
    before = await fresh.client.get("/health/ready")
    assert (before.status_code, before.json()["checks"]["access"]) == (503, False)
    await take(fresh, EMPTY, await asked(fresh))
    assert (await fresh.client.get("/health/ready")).status_code == 200


async def test_a_deleted_role_does_not_come_back(agents: Agents) -> None:
    role, subject = uuid4(), agents.subject()
    agents.roles["gone"] = role
    await agents.bind("gone", subject)
    await agents.tell(role_changed(role, "gone", 12, deleted=True))
    late = role_changed(role, "gone", 11)
    for event in (late, late):
        await agents.tell(event)
        assert await roles_of(agents, subject) == []


async def test_a_binding_may_be_heard_of_before_its_role(agents: Agents) -> None:
    role, subject = uuid4(), agents.subject()
    agents.roles["later"] = role
    await agents.bind("later", subject, "acme")
    assert await roles_of(agents, subject) == []
    await agents.tell(role_changed(role, "later", 21))
    assert await roles_of(agents, subject) == [("later", "acme")]


async def test_a_service_account_is_refused_from_the_event_on(agents: Agents) -> None:
    robot = await agents.robot("viewer", namespace="acme")
    await agents.tell(account_changed(robot.subject, 32, active=False))
    with pytest.raises(Unauthenticated):
        await roles_of(agents, robot)
    await agents.tell(account_changed(robot.subject, 31))
    with pytest.raises(Unauthenticated):
        await roles_of(agents, robot)
    await agents.tell(account_changed(robot.subject, 33))
    assert await roles_of(agents, robot) == [("viewer", "acme")]
    await agents.tell(account_changed(robot.subject, 34, deleted=True))
    with pytest.raises(Unauthenticated):
        await roles_of(agents, robot)


async def test_a_service_account_that_a_snapshot_lacks_stays_refused(fresh: Agents) -> None:
    robot = CopiedServiceAccount(id=str(uuid4()), name="robot", active=True, version=1)
    principal = await fresh.robot()
    principal = Principal(principal.kind, robot.id)
    shown = EMPTY.model_copy(update={"version": 1, "service_accounts": [robot]})
    await take(fresh, shown, await asked(fresh))
    assert await roles_of(fresh, principal) == []
    for version in (2, 3):
        await take(fresh, EMPTY.model_copy(update={"version": version}), await asked(fresh))
        with pytest.raises(Unauthenticated):
            await roles_of(fresh, principal)
    # Once none of its tokens can be alive, it is forgotten.
    await fresh.sql.execute(
        "UPDATE agents.service_account SET heard_at = now() - interval '3 days'"
    )
    await take(fresh, EMPTY.model_copy(update={"version": 4}), await asked(fresh))
    assert await fresh.sql.fetchval("SELECT count(*) FROM agents.service_account") == 0


async def test_people_hold_what_their_standing_gives_until_the_organization_ends(
    agents: Agents,
) -> None:
    org, slug = f"org_{uuid4().hex}", new_name("slug")
    person = agents.person(org, "owner")
    assert await roles_of(agents, person) == []
    created = OrganizationCreated(org_id=org, name="Acme", slug=slug)
    await agents.tell(created)
    assert await roles_of(agents, person) == [("owner", slug)]
    await agents.tell(OrganizationDeleted(org_id=org))
    await agents.tell(created)
    assert await roles_of(agents, person) == []
    async with agents.resources[Database].connection() as connection:
        assert await slug_of(connection, org) == slug
        assert await slug_of(connection, "org_unheard") is None


async def test_an_end_may_be_heard_of_before_its_beginning(agents: Agents) -> None:
    org, slug = f"org_{uuid4().hex}", new_name("slug")
    await agents.tell(OrganizationDeleted(org_id=org))
    await agents.tell(OrganizationCreated(org_id=org, name="Acme", slug=slug))
    assert await roles_of(agents, agents.person(org, "owner")) == []
    async with agents.resources[Database].connection() as connection:
        assert await slug_of(connection, org) == slug


async def test_organizations_follow_a_snapshot_but_for_what_was_heard_since(
    fresh: Agents,
) -> None:
    standings = {name: [*held] for name, (_, held) in BY_STANDING.items()}

    def showing(version: int, *orgs: str) -> AccessSnapshot:
        shown = [CopiedOrganization(org_id=org, slug=org) for org in orgs]
        update = {"version": version, "organizations": shown, "standings": standings}
        return EMPTY.model_copy(update=update)

    async def there() -> list[str]:
        rows = await fresh.sql.fetch(
            "SELECT slug FROM agents.organization WHERE NOT deleted ORDER BY slug"
        )
        return [row["slug"] for row in rows]

    await take(fresh, showing(1, "a", "b", "c"), await asked(fresh))
    assert await there() == ["a", "b", "c"]
    before = await asked(fresh)
    await fresh.tell(OrganizationDeleted(org_id="a"))
    await fresh.tell(OrganizationCreated(org_id="d", name="d", slug="d"))
    await take(fresh, showing(1, "a", "b"), before)
    assert await there() == ["b", "d"]
    older = before
    await take(fresh, showing(1, "a", "d"), await asked(fresh))
    assert await there() == ["a", "d"], "auth is right about what it was asked later"
    await take(fresh, showing(1, "a", "b", "c"), older)
    assert await there() == ["a", "d"], "an answer that was overtaken changes nothing"


async def test_a_gap_is_seen_once_it_stays_open(fresh: Agents) -> None:
    async def has_gap(patience: float) -> bool:
        async with fresh.resources[Database].transaction() as connection:
            return await store.has_gap(connection, patience)

    async def hear(*versions: int) -> None:
        for version in versions:
            await fresh.tell(account_changed(str(uuid4()), version))

    await hear(2, 1, 3)
    assert not await has_gap(0)
    assert await fresh.sql.fetchval("SELECT through FROM agents.access_copy") == 3
    assert await fresh.sql.fetchval("SELECT count(*) FROM agents.access_news") == 0
    await hear(6, 5)
    assert not await has_gap(60), "it may still come"
    assert await has_gap(0)
    await hear(4, 4, 2)
    assert not await has_gap(0)
    assert await fresh.sql.fetchval("SELECT through FROM agents.access_copy") == 6
    before = await asked(fresh)
    await hear(9)
    await take(fresh, EMPTY.model_copy(update={"version": 8}), before)
    assert not await has_gap(0)
    assert await fresh.sql.fetchval("SELECT through FROM agents.access_copy") == 9
