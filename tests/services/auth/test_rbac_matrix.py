"""Every caller at every route of auth on the agents surface (agents contract, sections 4 and 7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from shared.principal import ANONYMOUS, Principal
from tests.services.auth.agents_support import API, BINDINGS, Agents, new_name, rule, running_agents
from tests.support.postgres import DatabaseServer

# Rows: a route. Columns: callers. A number is the status; a dash is success.
MATRIX = """
                                     admin local viewer acme developer accounts roles bindings none
GET    service-accounts              -     403   -      403  403       -        403   403      403
POST   service-accounts              -     403   403    403  403       -        403   403      403
GET    service-accounts/other        -     403   -      403  403       -        403   403      403
GET    service-accounts/missing      404   403   404    403  403       404      403   403      403
GET    service-accounts/current-user -     -     -      -    -         -        -     -        -
PUT    service-accounts/other        -     403   403    403  403       -        403   403      403
PATCH  service-accounts/other        -     403   403    403  403       -        403   403      403
PUT    service-accounts/other/password -   403   403    403  403       -        403   403      403
PATCH  service-accounts/other/password -   403   403    403  403       -        403   403      403
DELETE service-accounts/other        -     403   403    403  403       -        403   403      403
DELETE service-accounts/missing      404   403   403    403  403       404      403   403      403
GET    roles                         -     403   -      403  403       403      -     403      403
POST   roles                         -     403   403    403  403       403      -     403      403
GET    roles/other                   -     403   -      403  403       403      -     403      403
GET    roles/missing                 404   403   404    403  403       403      404   403      403
DELETE roles/other                   -     403   403    403  403       403      -     403      403
GET    role-bindings                 -     -     -      -    403       403      403   -        403
GET    role-bindings?namespace=acme  -     -     -      -    403       403      403   -        403
GET    role-bindings?namespace=other -     403   -      403  403       403      403   -        403
POST   role-bindings:acme            -     -     403    403  403       403      403   -        403
POST   role-bindings:other           -     403   403    403  403       403      403   -        403
POST   role-bindings:                -     403   403    403  403       403      403   -        403
GET    role-bindings/acme            -     -     -      -    403       403      403   -        404
GET    role-bindings/other           -     404   -      404  404       403      403   -        404
GET    role-bindings/global          -     403   -      403  403       403      403   -        403
GET    role-bindings/missing         404   404   404    404  404       404      404   404      404
DELETE role-bindings/acme            -     -     403    403  403       403      403   -        404
DELETE role-bindings/other           -     404   403    404  404       403      403   -        404
DELETE role-bindings/global          -     403   403    403  403       403      403   -        403
GET    auth/me                       -     -     -      -    -         -        -     -        -
"""


def rows() -> list[tuple[str, str, dict[str, str]]]:
    header, *lines = MATRIX.strip().splitlines()
    columns = header.split()
    found = []
    for line in lines:
        method, path, *cells = line.split()
        assert len(cells) == len(columns), line
        found.append((method, path, dict(zip(columns, cells, strict=True))))
    return found


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


@pytest.fixture(scope="module")
async def callers(agents: Agents) -> dict[str, Principal]:
    """Service accounts by what they hold; ``local`` and others in namespace acme alone."""
    return {
        "admin": agents.admin,
        "local": await agents.robot("admin", namespace="acme"),
        "viewer": await agents.robot("viewer"),
        "acme": await agents.robot("viewer", namespace="acme"),
        "developer": await agents.robot("developer", namespace="acme"),
        "accounts": await agents.holding(rule("service-accounts", "*")),
        "roles": await agents.holding(rule("roles", "*")),
        "bindings": await agents.holding(rule("role-bindings", "*")),
        "none": await agents.robot(),
    }


async def request_of(agents: Agents, path: str, empty: str) -> tuple[str, dict[str, Any]]:
    """Make what a row's path names, and give the real path with a body."""
    resource, _, reference = path.partition("/")
    resource, _, place = resource.partition(":")
    if resource == "service-accounts":
        name = (await agents.account())["user"]
        body = {"user": new_name(), "pass": "x", "description": "x", "new_password": "x"}
        return f"{API}/{path.replace('other', name)}", body
    if resource == "roles":
        name = (await agents.role())["name"]
        return f"{API}/{path.replace('other', name)}", {"name": new_name(), "rules": []}
    if reference in ("acme", "other", "global"):
        namespace = None if reference == "global" else reference
        made = await agents.bind(empty, new_name(), namespace)
        return f"{BINDINGS}/{made['id']}", {}
    if reference == "missing":
        return f"{BINDINGS}/{uuid4()}", {}
    binding = {"role_name": empty, "principal_name": new_name(), "namespace": place or None}
    return f"{API}/{path.partition(':')[0]}", binding


@pytest.fixture(scope="module")
async def empty(agents: Agents) -> str:
    """The name of a role that gives nothing, so that everybody may hand it on."""
    name: str = (await agents.role())["name"]
    return name


@pytest.mark.parametrize(("method", "path", "cells"), rows(), ids=lambda value: str(value)[:60])
async def test_the_matrix(
    agents: Agents,
    callers: dict[str, Principal],
    empty: str,
    method: str,
    path: str,
    cells: dict[str, str],
) -> None:
    for caller, cell in cells.items():
        real, body = await request_of(agents, path, empty)
        options = {"json": body} if method in ("POST", "PUT", "PATCH") else {}
        answer = await agents.auth.send(method, real, callers[caller], **options)
        seen = "-" if answer.is_success else str(answer.status_code)
        assert seen == cell, f"{caller}: {answer.text}"
        if not answer.is_success:
            assert set(answer.json()) == {"error", "message"}
            assert answer.headers["content-type"] == "application/json"
        anonymous = await agents.auth.send(method, real, ANONYMOUS, **options)
        assert anonymous.status_code == 401
        assert anonymous.json()["error"]["code"] == "UNAUTHORIZED"
