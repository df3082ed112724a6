"""Callers of the agents surface: service accounts, subjects and what they hold."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from shared.principal import Kind, Principal
from tests.services.auth.conftest import GATEWAY, Auth, running
from tests.support.postgres import DatabaseUrls

API = "/api/v0"
ACCOUNTS = f"{API}/service-accounts"
ROLES = f"{API}/roles"
BINDINGS = f"{API}/role-bindings"
ADMIN_PASSWORD = "admin"
EVERYTHING = {"api_groups": ["*"], "resources": ["*"], "verbs": ["*"]}


def new_name(prefix: str = "robot") -> str:
    return f"{prefix}-{uuid4().hex[:12]}"


def rule(resources: str, verbs: str, group: str = "api", **more: Any) -> dict[str, Any]:
    """A rule of words separated by blanks."""
    return {
        "api_groups": [group],
        "resources": resources.split(),
        "verbs": verbs.split(),
        **more,
    }


class Agents:
    """Requests to the agents surface's routes of auth, as somebody."""

    def __init__(self, auth: Auth) -> None:
        self.auth = auth
        self.admin: Principal = Principal(Kind.ANONYMOUS)

    async def log_in(self, name: str, password: str) -> Principal:
        answer = await self.auth.send(
            "POST", f"{API}/auth/internal", json={"pass": password, "user": name}
        )
        assert answer.status_code == 200, answer.text
        return await self.principal_of(answer.json()["token"])

    async def principal_of(self, token: str) -> Principal:
        """Introduce the holder of a token as the gateway would."""
        claims = await self.auth.claims_of(token)
        verdict = await self.check(claims.sid, claims.sub)
        assert verdict["active"], verdict
        return Principal(
            Kind(verdict["kind"]),
            claims.sub,
            "",
            verdict["role"],
            tuple(verdict["scopes"]),
            claims.sid,
            "",
            tuple(verdict["groups"]),
        )

    async def check(self, session: str, subject: str) -> dict[str, Any]:
        """Ask what the gateway asks about a session."""
        question = {"session_id": session, "account_id": subject, "org_id": ""}
        answer = await self.auth.post("/internal/sessions/check", GATEWAY, **question)
        assert answer.status_code == 200, answer.text
        verdict: dict[str, Any] = answer.json()
        return verdict

    async def holds(self, principal: Principal) -> bool:
        """Tell whether a principal's session still holds."""
        return bool((await self.check(principal.session, principal.subject))["active"])

    async def get(self, path: str, principal: Principal | None = None) -> httpx.Response:
        return await self.auth.send("GET", path, principal or self.admin)

    async def delete(self, path: str, principal: Principal | None = None) -> httpx.Response:
        return await self.auth.send("DELETE", path, principal or self.admin)

    async def post(
        self, path: str, body: dict[str, Any], principal: Principal | None = None, **options: Any
    ) -> httpx.Response:
        return await self.auth.send("POST", path, principal or self.admin, json=body, **options)

    async def put(
        self, path: str, body: dict[str, Any], principal: Principal | None = None
    ) -> httpx.Response:
        return await self.auth.send("PUT", path, principal or self.admin, json=body)

    async def account(self, name: str = "", password: str = "test123") -> dict[str, Any]:
        body = {"user": name or new_name(), "pass": password}
        answer = await self.post(ACCOUNTS, body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def role(self, *rules: dict[str, Any], name: str = "") -> dict[str, Any]:
        body = {"name": name or new_name("role"), "rules": list(rules)}
        answer = await self.post(ROLES, body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def bind(
        self, role: str, name: str, namespace: str | None = None, kind: str = "ServiceAccount"
    ) -> dict[str, Any]:
        body = {"role_name": role, "principal_name": name, "principal_type": kind}
        answer = await self.post(BINDINGS, body | {"namespace": namespace})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def robot(self, *roles: str, namespace: str | None = None) -> Principal:
        """Make a service account that holds some roles, and sign it in."""
        made = await self.account()
        for role in roles:
            await self.bind(role, made["user"], namespace)
        return await self.log_in(made["user"], "test123")

    async def holding(self, *rules: dict[str, Any], namespace: str | None = None) -> Principal:
        """Make a service account that holds some rules, and sign it in."""
        return await self.robot((await self.role(*rules))["name"], namespace=namespace)

    async def subject(self, name: str, *groups: str) -> Principal:
        """Give an external subject, as an issuer would vouch for it."""
        return Principal(Kind.SUBJECT, name, session=f"sas_{uuid4().hex}", groups=groups)

    async def count(self, table: str) -> int:
        query = f"SELECT count(*) FROM auth.{table}"  # noqa: S608 - a constant of the test
        total: int = await self.auth.sql.fetchval(query)
        return total


@asynccontextmanager
async def running_agents(
    urls: DatabaseUrls, folder: Path, password: str = ADMIN_PASSWORD, **values: Any
) -> AsyncIterator[Agents]:
    """Run the service with the first service account, signed in."""
    settings = {"GUILDHALL_SERVICE_ADMIN_PASSWORD": password} | values
    async with running(urls, folder, **settings) as auth:
        agents = Agents(auth)
        agents.admin = await agents.log_in("admin", password)
        yield agents
