"""What is there at start: the first roles, and a service account that holds everything."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.auth.service_accounts.operations.bootstrap import UnsafePassword
from services.auth.settings import AuthSettings
from tests.services.auth.agents_support import ACCOUNTS, API, BINDINGS, ROLES, running_agents
from tests.services.auth.conftest import running
from tests.services.auth.test_settings import GOOD
from tests.support.postgres import DatabaseUrls

PRODUCTION = {
    "GUILDHALL_PROFILE": "production",
    "GUILDHALL_PASSWORD_MEMORY": 19_456,
    "GUILDHALL_PASSWORD_PASSES": 2,
}
STRONG = "a long enough one"


async def test_the_first_account_holds_everything(
    database_urls: DatabaseUrls, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_agents(database_urls, tmp_path) as agents:
        (account,) = (await agents.get(ACCOUNTS)).json()
        assert account["description"] == "Default admin service account"
        (binding,) = (await agents.get(BINDINGS)).json()
        assert (binding["role_name"], binding["principal_name"], binding["namespace"]) == (
            "admin",
            "admin",
            None,
        )
        roles = {role["name"]: role["rules"] for role in (await agents.get(ROLES)).json()}
        assert set(roles) == {
            "admin",
            "cluster-admin",
            "developer",
            "operator",
            "viewer",
            "org-admin",
        }
        assert len(await agents.auth.events("role.changed.v1")) == 6
        assert (await agents.get(f"{API}/auth/me")).json()["must_change_password"] is True
        assert "a password that everybody knows" in capsys.readouterr().out
        changed = {"new_password": STRONG, "current_password": "admin"}
        path = f"{ACCOUNTS}/current-user/password"
        assert (await agents.put(path, changed)).status_code == 204
        again = await agents.log_in("admin", STRONG)
        assert "must_change_password" not in (await agents.get(f"{API}/auth/me", again)).json()


async def test_starting_again_changes_nothing(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running_agents(database_urls, tmp_path) as agents:
        await agents.delete(f"{ROLES}/viewer")
        operator = await agents.role(name="mine")
        version = await agents.auth.sql.fetchval("SELECT version FROM auth.access_clock")
    other = {"GUILDHALL_SERVICE_ADMIN_PASSWORD": STRONG}
    async with running(database_urls, tmp_path, **other) as auth:
        names = await auth.sql.fetch("SELECT name FROM auth.role ORDER BY name")
        assert {"viewer", operator["name"]} <= {row["name"] for row in names}
        now = await auth.sql.fetchval("SELECT version FROM auth.access_clock")
        assert now == version + 1, "only the role that was missing was made again"
        body = {"user": "admin", "pass": "admin"}
        assert (await auth.send("POST", f"{API}/auth/login", json=body)).status_code == 200
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.service_account") == 1


async def test_without_a_password_there_is_no_account(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running(database_urls, tmp_path) as auth:
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.service_account") == 0
        assert await auth.sql.fetchval("SELECT count(*) FROM auth.role") == 6


async def test_replicas_that_start_together_make_one(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async def start() -> str:
        async with running_agents(database_urls, tmp_path) as agents:
            return agents.admin.subject

    assert len(set(await asyncio.gather(*(start() for _ in range(3))))) == 1


@pytest.mark.parametrize("password", ["admin", "Password", "changeme", "seven c", "ADMINISTRATOR"])
def test_production_refuses_a_default(password: str) -> None:
    values: dict[str, Any] = GOOD | {"GUILDHALL_SERVICE_ADMIN_PASSWORD": password}
    AuthSettings.model_validate(values | {"GUILDHALL_PROFILE": "development"})
    with pytest.raises(ValidationError, match="service_admin_password"):
        AuthSettings.model_validate(values)
    shown = repr(AuthSettings.model_validate(GOOD | {"GUILDHALL_SERVICE_ADMIN_PASSWORD": STRONG}))
    assert STRONG not in shown


async def test_production_does_not_start_on_a_default_of_development(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running_agents(database_urls, tmp_path):
        pass
    with pytest.raises((UnsafePassword, AssertionError), match="everybody knows the password"):
        async with running(database_urls, tmp_path, **PRODUCTION):
            pass
    # A good password in the settings takes the bad one's place.
    async with running_agents(database_urls, tmp_path, STRONG, **PRODUCTION) as agents:
        refused = await agents.post(f"{API}/auth/login", {"user": "admin", "pass": "admin"})
        assert refused.status_code == 401
    async with running(database_urls, tmp_path, **PRODUCTION):
        pass
