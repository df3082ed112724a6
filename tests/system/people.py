"""People who use the running system through its public address, as anybody would."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import httpx

PASSWORD = "correct horse battery staple"
MAIL_LIMIT = 20.0

_TOKEN = re.compile(r"^(verify_[\w-]+)\r?$", re.MULTILINE)


@dataclass
class Person:
    """Somebody with an account, an organization and an access token."""

    client: httpx.AsyncClient
    email: str
    token: str = ""
    org_id: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """How the person introduces themselves."""
        return {"authorization": f"Bearer {self.token}"}

    async def log_in(self) -> None:
        """Buy a fresh token."""
        answer = await self.client.post(
            "/v1/auth/token", json={"email": self.email, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]


async def joined(client: httpx.AsyncClient, mailbox: Path, email: str) -> Person:
    """Register a person, confirm the address with the mail, log in."""
    answer = await client.post(
        "/v1/auth/register", json={"email": email, "password": PASSWORD, "name": "Ada Lovelace"}
    )
    assert answer.status_code == 201, answer.text
    token = await mailed_token(mailbox, email)
    answer = await client.post("/v1/auth/verify-email", json={"token": token})
    assert answer.json() == {"verified": True}
    person = Person(client, email)
    await person.log_in()
    me = await client.get("/v1/auth/me", headers=person.headers)
    person.org_id = me.json()["org_id"]
    return person


async def mailed_token(mailbox: Path, email: str) -> str:
    """Wait for the verification mail to an address and give its token."""
    async with asyncio.timeout(MAIL_LIMIT):
        while True:
            for path in sorted(mailbox.glob("*.eml"), reverse=True):
                letter = message_from_bytes(path.read_bytes(), policy=policy.default)
                assert isinstance(letter, EmailMessage)
                part = letter.get_body(("plain",))
                match = _TOKEN.search(part.get_content()) if part is not None else None
                if letter["to"] == email and match:
                    return match[1]
            await asyncio.sleep(0.05)
