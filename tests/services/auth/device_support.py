"""Devices, machines and browsers, as tests drive them."""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx

from shared.principal import ANONYMOUS, CLIENT_HEADER, Kind, Principal
from shared.secret import encode_base64url
from tests.services.auth.conftest import PASSWORD, PUBLIC_URL, Auth, Person

TEAMS = Principal(Kind.SERVICE, "teams")
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
USER_CODE = re.compile(r"[ABCDEFGHJKLMNPQRSTUVWXYZ2-9]{4}-[ABCDEFGHJKLMNPQRSTUVWXYZ2-9]{4}")


def new_machine() -> Principal:
    """A machine that nobody has linked."""
    return Principal(Kind.MACHINE, "trc_ak_" + encode_base64url(secrets.token_bytes(32)))


def _addresses() -> Iterator[str]:
    for number in range(1, 1 << 16):
        yield f"198.51.{number >> 8}.{number & 255}"


_ADDRESSES = _addresses()


def new_client() -> str:
    """A network address that nobody has failed from."""
    return next(_ADDRESSES)


async def begin(auth: Auth, client_id: str = "trw-cli", **headers: str) -> dict[str, Any]:
    """Begin a login for a key."""
    answer = await auth.send(
        "POST", "/v1/auth/device/code", json={"client_id": client_id}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def poll(auth: Auth, code: dict[str, Any], **changes: str) -> httpx.Response:
    """Poll as the command line client does."""
    body = {"client_id": "trw-cli", "device_code": code["device_code"], "grant_type": GRANT}
    return await auth.post("/v1/auth/device/token", **(body | changes))


async def poll_in_time(auth: Auth, code: dict[str, Any]) -> httpx.Response:
    """Poll, with the last poll long ago."""
    await auth.sql.execute(
        "UPDATE auth.device_login SET polled_at = now() - interval '1 hour' WHERE user_code = $1",
        code["user_code"],
    )
    return await poll(auth, code)


async def approve(
    auth: Auth, principal: Principal, code: str, client: str = "", **fields: Any
) -> httpx.Response:
    """Approve or deny over the API."""
    return await auth.send(
        "POST",
        "/v1/auth/device/approve",
        principal,
        json={"user_code": code, **fields},
        headers={CLIENT_HEADER: client} if client else {},
    )


async def expire(auth: Auth, code: str, ago: str = "1 second") -> None:
    """Let a login's time be over."""
    await auth.sql.execute(
        "UPDATE auth.device_login SET expires_at = now() - $2::text::interval WHERE user_code = $1",
        code,
        ago,
    )


async def begin_machine(auth: Auth, machine: Principal, user_agent: str = "") -> dict[str, Any]:
    """Begin linking a machine."""
    headers = {"user-agent": user_agent} if user_agent else {}
    answer = await auth.send(
        "POST", "/api/auth/device", machine, json={"token": machine.subject}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def poll_machine(auth: Auth, machine: Principal, device_code: str) -> httpx.Response:
    return await auth.send("GET", f"/api/auth/device/{device_code}", machine)


async def linked_machine(auth: Auth, person: Person, user_agent: str = "") -> Principal:
    """A machine that is linked to somebody."""
    machine = new_machine()
    code = await begin_machine(auth, machine, user_agent)
    answer = await approve(auth, person.principal, code["user_code"])
    assert answer.json() == {"approved": True}, answer.text
    return machine


@dataclass
class Browser:
    """A browser: keeps cookies, sends its Origin with forms, follows nothing by itself."""

    auth: Auth
    client: str = field(default_factory=new_client)
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._send("GET", path, headers=headers)

    async def post(self, path: str, origin: str | None = PUBLIC_URL, **form: str) -> httpx.Response:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if origin is not None:
            headers["origin"] = origin
        return await self._send("POST", path, content=urlencode(form), headers=headers)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {}) | {CLIENT_HEADER: self.client}
        if self.cookies:
            headers["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        answer = await self.auth.send(method, path, ANONYMOUS, headers=headers, **options)
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            if "Max-Age=0" in line:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    async def submit(self, page: httpx.Response, **typed: str) -> httpx.Response:
        """Fill the page's only form of the kind POST and send it, hidden fields included."""
        form = re.search(r'<form method="post" action="([^"]*)">(.*?)</form>', page.text, re.DOTALL)
        assert form is not None, page.text
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[2])
        fields = {name: html.unescape(value) for name, value in hidden} | typed
        return await self.post(html.unescape(form[1]), **fields)

    async def log_in(self, person: Person, **form: str) -> httpx.Response:
        answer = await self.post("/users/log-in", email=person.email, password=PASSWORD, **form)
        assert answer.status_code == 303, answer.text
        return answer


async def browser_of(auth: Auth, person: Person) -> Browser:
    """A browser that somebody is signed in at."""
    browser = Browser(auth)
    await browser.log_in(person)
    return browser
