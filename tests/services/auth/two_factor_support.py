"""People with a second factor, and the codes that their devices show."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.auth.two_factor import rules
from tests.services.auth.conftest import PASSWORD, Auth, Person

INVALID = {"detail": "Invalid code"}


@dataclass
class Device:
    """An authenticator that holds somebody's secret."""

    person: Person
    secret: bytes
    recovery_codes: list[str] = field(default_factory=list)

    def code(self, off: int = 0) -> str:
        """Show the code of the present time step, or of one beside it."""
        return rules.hotp(self.secret, rules.step_at(time.time()) + off)

    def wrong_code(self) -> str:
        """Give six digits that are no code now, nor soon."""
        step = rules.step_at(time.time())
        near = {rules.hotp(self.secret, step + off) for off in range(-3, 5)}
        return next(code for code in map("{:06d}".format, range(20)) if code not in near)


async def begin(auth: Auth, person: Person) -> Device:
    """Give somebody a secret that is not confirmed yet."""
    answer = await auth.post("/v1/auth/2fa/enable", person.principal)
    assert answer.status_code == 200, answer.text
    return Device(person, base64.b32decode(answer.json()["secret"]))


async def enrol(auth: Auth, person: Person | None = None) -> Device:
    """Switch somebody's second factor on; codes of the present can be used afterwards."""
    device = await begin(auth, person or await auth.person())
    answer = await auth.post("/v1/auth/2fa/verify", device.person.principal, code=device.code())
    assert answer.status_code == 200, answer.text
    device.recovery_codes = answer.json()["recovery_codes"]
    await let_steps_pass(auth, device)
    return device


async def let_steps_pass(auth: Auth, device: Device) -> None:
    """As if the codes that were used were long past."""
    await auth.sql.execute(
        "UPDATE auth.two_factor SET last_step = 0 WHERE account_id = $1",
        device.person.claims.sub,
    )


async def sign_in(
    auth: Auth, person: Person, code: str | None = None, **fields: Any
) -> httpx.Response:
    """Sign in with the right password, and a code where there is one."""
    body = {"email": person.email, "password": PASSWORD} | fields
    if code is not None:
        body["code"] = code
    return await auth.post("/v1/auth/token", **body)


async def challenge(auth: Auth, person: Person) -> str:
    """Give the challenge that follows a right password."""
    answer = await sign_in(auth, person)
    assert answer.status_code == 401, answer.text
    token: str = answer.json()["challenge_token"]
    return token


async def redeem(auth: Auth, token: str, code: str) -> httpx.Response:
    """Answer a challenge."""
    return await auth.post("/v1/auth/2fa/verify", challenge_token=token, code=code)


async def audited(auth: Auth, action: str, account: str) -> list[str]:
    """Give the outcomes of what was audited about somebody."""
    rows = await auth.sql.fetch(
        "SELECT outcome FROM auth.audit_event"
        " WHERE action = $1 AND $2 IN (actor_id, target) ORDER BY id",
        action,
        account,
    )
    return [row["outcome"] for row in rows]


async def state(auth: Auth, person: Person) -> dict[str, Any]:
    """Ask whether somebody's second factor is on."""
    answer = await auth.send("GET", "/v1/auth/2fa", person.principal)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found
