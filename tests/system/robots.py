"""Service accounts that use the agents surface of the running system."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import httpx

API = "/api/v0"
WAIT = 30.0

Found = TypeVar("Found")


async def until(ask: Callable[[], Awaitable[Found]], what: str = "") -> Found:
    """Ask until the answer is a true one, and give it."""
    try:
        async with asyncio.timeout(WAIT):
            while True:
                if found := await ask():
                    return found
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {WAIT:.0f} s: {what or ask}") from None


def new_name(kind: str) -> str:
    """Make up a name that nothing has."""
    return f"{kind}-{secrets.token_hex(6)}"


async def check_answer(answer: httpx.Response) -> None:
    """Check what holds of every answer of the surface (contract, sections 2.2 and 2.3)."""
    if not answer.request.url.path.startswith(API):
        return
    for name in ("limit", "remaining", "reset"):
        assert answer.headers[f"x-ratelimit-{name}"].isdigit(), answer.request.url
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status_code < 500, await answer.aread()
    if answer.status_code < 400:
        return
    await answer.aread()
    assert answer.headers["content-type"] == "application/json"
    if answer.request.method != "HEAD":
        body = answer.json()
        assert set(body) == {"error", "message"}
        assert body["error"]["message"] == body["message"]
        assert body["error"]["code"].isupper()


def client_of(base_url: str) -> httpx.AsyncClient:
    """Make a client that looks at each answer."""
    return httpx.AsyncClient(
        base_url=base_url, timeout=20, event_hooks={"response": [check_answer]}
    )


@dataclass
class Robot:
    """A service account, or whoever else holds a token.

    Attributes:
        name: how it logs in.
        token: what it shows.
        id: of its account, where it has one.
    """

    client: httpx.AsyncClient
    name: str
    token: str
    id: str = ""

    @property
    def headers(self) -> dict[str, str]:
        """How it introduces itself."""
        return {"authorization": f"Bearer {self.token}"}

    async def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Ask for a path below the surface's prefix."""
        headers = self.headers | more.pop("headers", {})
        return await self.client.request(
            method, f"{API}/{path}", headers=headers, json=body, **more
        )

    async def status(self, method: str, path: str, body: Any = None) -> int:
        """Ask, and give the status alone."""
        return (await self.send(method, path, body)).status_code

    async def get(self, path: str) -> Any:
        """Read something that is there."""
        answer = await self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def make(self, path: str, **fields: Any) -> dict[str, Any]:
        """Make something."""
        answer = await self.send("POST", path, fields)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def hire(self, role: str = "", namespace: str | None = None) -> Robot:
        """Make another account, give it a role, and wait until the role holds in agents."""
        name = new_name("robot")
        made = await self.make("service-accounts", user=name, **{"pass": "test123"})
        robot = await signed_in(self.client, name, "test123")
        robot.id = made["id"]
        if role:
            await self.bind(role, name, namespace)
            query = "" if namespace is None else f"?namespace={namespace}"

            async def holds() -> bool:
                return await robot.status("GET", f"agents{query}") == 200

            await until(holds, f"{role} holds in {namespace}")
        return robot

    async def bind(self, role: str, name: str, namespace: str | None) -> dict[str, Any]:
        """Bind a service account to a role."""
        return await self.make(
            "role-bindings", role_name=role, principal_name=name, namespace=namespace
        )

    async def state(self, session: str) -> str:
        """Give a session's state."""
        return str((await self.get(f"sessions/{session}"))["state"])

    async def becomes(self, session: str, state: str) -> None:
        """Wait until a session has a state."""

        async def has() -> bool:
            return await self.state(session) == state

        await until(has, f"{session} becomes {state}")

    async def say(self, session: str, content: str) -> dict[str, Any]:
        """Post a message as USER."""
        return await self.make(f"sessions/{session}/messages", role="USER", content=content)

    async def replies(self, session: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until a session has at least so many replies, and give all."""
        path, found = f"sessions/{session}/messages?role=AGENT&limit=1000", list[dict[str, Any]]()

        async def are_there() -> bool:
            found[:] = await self.get(path)
            return len(found) >= count

        await until(are_there, f"{count} replies in {session}")
        return found


async def signed_in(client: httpx.AsyncClient, name: str, password: str) -> Robot:
    """Log in at the surface's own door."""
    answer = await client.post(f"{API}/auth/internal", json={"pass": password, "user": name})
    assert answer.status_code == 200, answer.text
    return Robot(client, name, answer.json()["token"])


async def operations(robot: Robot) -> set[tuple[str, str]]:
    """Give method and path of every operation of the surface that takes a credential."""
    document = (await robot.client.get("/api-docs/openapi.json")).json()
    return {
        (method, path.removeprefix(f"{API}/"))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith(f"{API}/") and operation["security"]
    }


async def deactivate(admin: Robot, name: str) -> None:
    """Deactivate an account."""
    await admin.send("PUT", f"service-accounts/{name}", {"active": False})


async def change_password(admin: Robot, name: str) -> None:
    """Reset an account's password."""
    await admin.send("PUT", f"service-accounts/{name}/password", {"new_password": "other"})


async def delete(admin: Robot, name: str) -> None:
    """Delete an account."""
    await admin.send("DELETE", f"service-accounts/{name}")


async def delete_and_make_again(admin: Robot, name: str) -> None:
    """Delete an account and make one of the same name, which owns nothing."""
    await delete(admin, name)
    await admin.make("service-accounts", user=name, **{"pass": "test123"})
    again = await signed_in(admin.client, name, "test123")
    assert await again.get("sessions") == []


ENDS: Final = (deactivate, change_password, delete, delete_and_make_again)
"""What ends the tokens of an account."""


def bodies_in(namespace: str) -> dict[str, dict[str, Any]]:
    """Give a good body for each operation that reads one, by path, about a namespace."""
    return {
        "service-accounts": {"user": new_name("x"), "pass": "x", "description": "x"},
        "service-accounts/{id}/password": {"new_password": "stolen"},
        "roles": {"name": new_name("x"), "rules": []},
        "role-bindings": {"role_name": "viewer", "principal_name": "x", "namespace": namespace},
        "agents": {"name": new_name("x"), "namespace": namespace, "model": "m"},
        "agents/{id}": {"description": "x"},
        "sessions": {"namespace": namespace},
        "sessions/{id}": {"name": "x"},
        "sessions/{id}/state": {"state": "IDLE"},
        "sessions/{id}/messages": {"role": "USER", "content": "x"},
        "workspaces": {"name": namespace},
        "workspaces/{id}/sessions": {"name": "x"},
    }
