"""Auth, learnings and teams, running side by side, and an asker that looks things up there."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import asyncpg
import httpx

from services.agents.app import SERVICE
from services.agents.knowledge.models import Caller, Found
from services.agents.knowledge.operations import look_up
from services.agents.settings import AgentsSettings
from services.auth.app import SERVICE as AUTH
from services.learnings.app import SERVICE as LEARNINGS
from services.teams.app import SERVICE as TEAMS
from shared.principal import Kind, Principal
from shared.service import Service, create_app
from shared.settings import ServiceSettings
from shared.siblings import Siblings
from tests.services.auth.conftest import Auth, Person, auth_settings
from tests.services.auth.fake_teams import fake_teams
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.teams.conftest import Machine, teams_settings
from tests.support.postgres import DatabaseUrls
from tests.support.service import settings_for
from tests.support.serving import serving

Sql: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

KEYS: Final = {name: secrets.token_bytes(32) for name in ("auth", "learnings", "teams")}
"""Under which siblings ask."""

ALL: Final = ({"type": "learnings"},)


def caller_of(principal: Principal) -> Caller:
    """Give a caller as a message keeps them."""
    return Caller(
        principal.kind, principal.subject, principal.org, principal.account, principal.session
    )


@dataclass
class House:
    """The three services, and how agents reaches them."""

    auth: Auth
    learnings: httpx.AsyncClient
    teams: httpx.AsyncClient
    addresses: Mapping[str, str]
    urls: DatabaseUrls
    siblings: Siblings

    async def look_up(self, who: Principal | Person, bases: Any, query: str) -> Found:
        principal = who.principal if isinstance(who, Person) else who
        return await look_up(self.siblings, caller_of(principal), bases, query)

    async def titles(self, who: Principal | Person, bases: Any, query: str) -> list[str]:
        """Look up and give titles; there is nothing to note."""
        found = await self.look_up(who, bases, query)
        assert found.notes == []
        return [passage.title for passage in found.passages]

    def tenant(self, person: Person) -> Tenant:
        """Give a person's organization, to record learnings in."""
        return Tenant(self.learnings, person.principal)

    async def machine(self, person: Person | None = None) -> Machine:
        """Make a machine, linked to a person's account if one is named."""
        machine = Machine(self.teams)
        if person is not None:
            await self.auth.sql.execute(
                """
                INSERT INTO auth.machine (token, id, account_id, machine_name)
                VALUES ($1, $2, $3, 'laptop')
                """,
                machine.token,
                f"mach_{secrets.token_hex(12)}",
                person.claims.sub,
            )
        return machine

    async def key(self, person: Person, *scopes: str) -> Principal:
        """Make an API key of a person who administers their organization."""
        answer = await self.auth.post(
            f"/v1/admin/organizations/{person.claims.org}/api-keys",
            person.principal,
            name="a key",
            scopes=list(scopes or ("*",)),
        )
        assert answer.status_code == 201, answer.text
        made = answer.json()
        account, org = person.claims.sub, person.claims.org
        return Principal(
            Kind.API_KEY, made["id"], org, "owner", tuple(made["scopes"]), made["id"], account
        )


def agents_siblings(urls: DatabaseUrls, **addresses: str) -> dict[str, Any]:
    """Give whom agents may ask, as its settings say it."""
    values: dict[str, Any] = {}
    for name, address in addresses.items():
        values[f"GUILDHALL_{name.upper()}_URL"] = address
        values[f"GUILDHALL_{name.upper()}_SIBLING_KEY"] = KEYS[name]
    settings = settings_for(SERVICE, urls, **values)
    assert isinstance(settings, AgentsSettings)
    return dict(settings.siblings())


@asynccontextmanager
async def house(urls: DatabaseUrls, folder: Path) -> AsyncIterator[House]:
    """Run the three services on one database."""
    async with AsyncExitStack() as stack:

        async def run(service: Service, settings: ServiceSettings) -> tuple[str, httpx.AsyncClient]:
            address = await stack.enter_async_context(serving(create_app(service, settings)))
            client = httpx.AsyncClient(base_url=address, timeout=20)
            return address, await stack.enter_async_context(client)

        own = {name: {"GUILDHALL_SIBLING_KEY": key} for name, key in KEYS.items()}
        auth_url, auth = await run(AUTH, auth_settings(urls, folder, **own["auth"]))
        told = {"GUILDHALL_AUTH_SIBLING_KEY": KEYS["auth"]}
        teams_url, teams = await run(TEAMS, teams_settings(urls, auth_url, **told, **own["teams"]))
        settings = learnings_settings(urls, folder, **own["learnings"])
        learnings_url, learnings = await run(LEARNINGS, settings)
        sql = await asyncpg.connect(urls.url("auth"), timeout=10)
        stack.push_async_callback(sql.close, timeout=5)
        addresses = {"auth": auth_url, "learnings": learnings_url, "teams": teams_url}
        known = agents_siblings(urls, **addresses)
        yield House(
            Auth(auth, sql, folder / "mail", await stack.enter_async_context(fake_teams())),
            learnings,
            teams,
            addresses,
            urls,
            await stack.enter_async_context(Siblings.opened("agents", known)),
        )
