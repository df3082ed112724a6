"""People at browsers, for tests of teams' pages."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx

from tests.services.teams.conftest import FakeAuth, Machine
from tests.support.service import asserting

HOME = "http://127.0.0.1:8000"
"""The public address in the tests' settings."""


@dataclass
class Visitor:
    """A browser; ``cookie`` says whose."""

    client: httpx.AsyncClient
    cookie: str = ""

    async def get(self, path: str, **more: str) -> httpx.Response:
        return await self.client.get(path, headers=self._headers() | more)

    async def post(self, path: str, origin: str | None = HOME, **form: str) -> httpx.Response:
        headers = self._headers() | ({} if origin is None else {"origin": origin})
        return await self.client.post(path, data=form, headers=headers)

    async def show(self, path: str) -> str:
        """Get a page that must be there."""
        answer = await self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text

    async def send(self, path: str, **form: str) -> str:
        """Send a form that must be taken; give where it leads."""
        answer = await self.post(path, **form)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    def _headers(self) -> dict[str, str]:
        cookie = {"cookie": self.cookie} if self.cookie else {}
        return asserting("teams") | cookie


def sign_in(client: httpx.AsyncClient, auth: FakeAuth, account: str) -> Visitor:
    """Let somebody sign in."""
    cookie = f"guildhall_session={account}-cookie"
    auth.people[cookie] = {
        "active": True,
        "account_id": account,
        "session_id": "ses_one",
        "org_id": "org_one",
        "role": "owner",
        "email": f"{account}@example.com",
        "name": account,
    }
    return Visitor(client, cookie)


def text_of(page: str) -> str:
    """Give what a page says, without its markup."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "", body))


def field_of(page: str, name: str) -> str:
    """Give the value of a field of a form."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return html.unescape(found[1])


def person(client: httpx.AsyncClient, auth: FakeAuth) -> tuple[str, Visitor]:
    """Give somebody who has just signed in for the first time: their account and browser."""
    account = f"usr_{uuid4().hex[:12]}"
    return account, sign_in(client, auth, account)


async def owned(machine: Machine, auth: FakeAuth, account: str, **team: Any) -> dict[str, Any]:
    """Make a team that an account owns."""
    auth.link(machine.token, account)
    return await machine.make(**team)
