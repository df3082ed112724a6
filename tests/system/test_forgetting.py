"""A person who loses a password and then goes, through the gateway of the running system."""

from __future__ import annotations

import asyncio
import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TypeAlias

import asyncpg
import httpx
import pytest

from tests.support.stack import Stack
from tests.system.people import joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

NEW = "a wholly different sentence"
WAIT = 30.0


async def reset_token(mailbox: Path, email: str) -> str:
    """Wait for the letter with which a new password is set."""
    async with asyncio.timeout(WAIT):
        while True:
            for path in mailbox.glob("*.eml"):
                letter = message_from_bytes(path.read_bytes(), policy=policy.default)
                assert isinstance(letter, EmailMessage)
                part = letter.get_body(("plain",))
                text = part.get_content() if part is not None else ""
                match = re.search(r"^(reset_[\w-]{43})\r?$", text, re.MULTILINE)
                if letter["to"] == email and match:
                    return match[1]
            await asyncio.sleep(0.05)


async def talked_in(client: httpx.AsyncClient, headers: dict[str, str]) -> str:
    """Make a session in the namespace of a person's organization, once agents has heard of it."""
    async with asyncio.timeout(WAIT):
        while True:
            spaces = (await client.get("/api/v0/workspaces", headers=headers)).json()
            if found := [space["name"] for space in spaces if space["name"] != "default"]:
                break
            await asyncio.sleep(0.05)
    body = {"namespace": found[0], "starting_prompt": "mine"}
    made = await client.post("/api/v0/sessions", headers=headers, json=body)
    assert made.status_code == 201, made.text
    name: str = found[0]
    return name


async def erasure_of(auth: Connection, account: str) -> list[str]:
    """Wait until an erasure is closed; give the services that have answered."""
    async with asyncio.timeout(WAIT):
        while not await auth.fetchval(
            "SELECT closed_at FROM auth.erasure WHERE account_id = $1", account
        ):
            await asyncio.sleep(0.05)
    answered = await auth.fetch(
        "SELECT service FROM auth.erasure_answer WHERE account_id = $1 ORDER BY 1", account
    )
    return [row["service"] for row in answered]


async def test_a_password_is_set_anew_and_an_account_is_forgotten_by_all(stack: Stack) -> None:
    email = "ada-forgets@forgetting.example"
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=20) as client:
        ada = await joined(client, stack.mail_directory, email)
        written = await client.post("/v1/learnings", headers=ada.headers, json={"summary": "mine"})
        assert written.status_code == 201, written.text
        home = await talked_in(client, ada.headers)

        asked = await client.post("/v1/auth/forgot-password", json={"email": email})
        assert asked.json() == {"sent": True}
        token = await reset_token(stack.mail_directory, email)
        body = {"token": token, "new_password": NEW}
        assert (await client.post("/v1/auth/reset-password", json=body)).json() == {"reset": True}
        async with asyncio.timeout(WAIT):
            while (await client.get("/v1/auth/me", headers=ada.headers)).status_code != 401:
                await asyncio.sleep(0.05)

        login = {"email": email, "password": NEW}
        answer = await client.post("/v1/auth/token", json=login)
        headers = {"authorization": f"Bearer {answer.json()['access_token']}"}
        account = (await client.get("/v1/auth/me", headers=headers)).json()["id"]
        shown = await client.get("/api/account", headers=headers)
        assert shown.json()["account"] == {"id": account, "email": email}
        assert shown.headers["x-pii-access"] == "true"
        export = await client.get("/v1/auth/me/export", headers=headers)
        assert export.json()["account"]["email"] == email

        refused = await client.request(
            "DELETE", "/v1/auth/me", headers=headers, json={"password": "not the right one"}
        )
        assert refused.status_code == 401
        gone = await client.request(
            "DELETE", "/v1/auth/me", headers=headers, json={"password": NEW}
        )
        assert (gone.status_code, gone.json()) == (200, {"status": "deleted"})
        assert (await client.post("/v1/auth/token", json=login)).status_code == 401
        async with asyncio.timeout(WAIT):
            while (await client.get("/v1/learnings", headers=headers)).status_code != 401:
                await asyncio.sleep(0.05)

    auth = await asyncpg.connect(stack.database_url("auth"), timeout=10)
    learnings = await asyncpg.connect(stack.database_url("learnings"), timeout=10)
    agents = await asyncpg.connect(stack.database_url("agents"), timeout=10)
    try:
        answered = await erasure_of(auth, account)
        assert answered == ["agents", "learnings", "runs", "teams"]
        assert not await learnings.fetchval(
            "SELECT count(*) FROM learnings.learning WHERE account_id = $1 OR org_id = $2",
            account,
            ada.org_id,
        )
        assert not await agents.fetchval(
            "SELECT count(*) FROM agents.session WHERE owner_id = $1 OR namespace = $2",
            account,
            home,
        )
    finally:
        await auth.close(timeout=5)
        await learnings.close(timeout=5)
        await agents.close(timeout=5)
