"""The signing key is changed under load, as `docs/deploy.md` says, and nobody notices."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import httpx
import pytest

from shared.secret import decode_base64url, encode_base64url
from shared.tokens import SigningKey
from tests.support.stack import MakeStack, Stack
from tests.system.people import Person, joined
from tests.system.replicas import Balancer, Replica

pytestmark = [pytest.mark.stack, pytest.mark.slow]

WORKERS = 4
PAUSE = 0.1
SIGNS_AFTER = 60.0
"""Seconds within which a new key signs: it is published for 30 before."""

DROPPED_AFTER = 30.0
"""Seconds within which the gateway forgets a key that is no longer published."""


class Load:
    """People who read, write and log in, and what they were told."""

    def __init__(self, people: list[Person]) -> None:
        self._people = people
        self._stopping = asyncio.Event()
        self.failures: list[str] = []
        self.successes: Counter[str] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work while entered."""
        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(self._work(random.Random(number)))
            group.create_task(self._log_in())
            try:
                yield
            finally:
                self._stopping.set()

    async def _work(self, chance: random.Random) -> None:
        while not self._stopping.is_set():
            person = chance.choice(self._people)
            if chance.random() < 0.3:
                body = {"summary": f"learned {chance.randbytes(8).hex()}"}
                await self._ask(person, "POST", "/v1/learnings", 201, json=body)
            else:
                await self._ask(person, "GET", "/v1/learnings?page_size=5", 200)
            await asyncio.sleep(PAUSE)

    async def _log_in(self) -> None:
        while not self._stopping.is_set():
            for person in self._people[1:]:
                try:
                    await person.log_in()
                except (AssertionError, httpx.TransportError) as error:
                    self.failures.append(f"log in: {error!r}")
                else:
                    self.successes[f"log in {kid(person.token)}"] += 1
            await asyncio.sleep(5 * PAUSE)

    async def _ask(
        self, person: Person, method: str, path: str, status: int, json: object = None
    ) -> None:
        shown = kid(person.token)
        try:
            answer = await person.client.request(method, path, json=json, headers=person.headers)
        except httpx.TransportError as error:
            self.failures.append(f"{method}: {error!r}")
            return
        if answer.status_code == status:
            self.successes[f"work {shown}"] += 1
        else:
            self.failures.append(f"{method}: {answer.status_code} {answer.text}")


def kid(token: str) -> str:
    """Name the key that signed a token."""
    header: dict[str, str] = json.loads(decode_base64url(token.partition(".")[0]))
    return header["kid"]


async def reached(load: Load, name: str, limit: float) -> None:
    """Wait until something has gone well several times."""
    wanted = load.successes[name] + 5
    deadline = time.monotonic() + limit
    while load.successes[name] < wanted:
        assert load.failures == []
        assert time.monotonic() < deadline, f"{name}: {load.successes}"
        await asyncio.sleep(0.1)


class Rollout:
    """Replaces the replica that serves, one set of keys by the next."""

    def __init__(self, stack: Stack, balancer: Balancer, exits: AsyncExitStack) -> None:
        self._stack = stack
        self._balancer = balancer
        self._exits = exits
        self._serving: Replica | None = None

    async def to(self, *seeds: bytes) -> None:
        """Serve with these keys from now on, the newest first."""
        text = ",".join(encode_base64url(seed) for seed in seeds)
        replica = Replica(self._stack, GUILDHALL_AUTH_SIGNING_KEYS=text)
        self._exits.push_async_callback(replica.stop)
        await replica.start()
        await self._balancer.switch(replica.port)
        if self._serving is not None:
            await self._serving.stop()
        self._serving = replica


async def test_no_request_fails_while_the_key_rotates(make_stack: MakeStack) -> None:
    old, new = secrets.token_bytes(32), secrets.token_bytes(32)
    old_kid, new_kid = SigningKey(old).kid, SigningKey(new).kid
    async with AsyncExitStack() as exits:
        balancer = await exits.enter_async_context(Balancer().listening())
        stack = make_stack(
            start=False,
            GUILDHALL_SIGNING_KEYS=encode_base64url(old),
            GUILDHALL_GATEWAY_AUTH_URL=f"http://127.0.0.1:{balancer.port}",
            GUILDHALL_RATE_LIMITS="learnings=1000000/60 auth=1000000/60",
        )
        balancer.target = stack.port + 1
        await asyncio.to_thread(stack.start)
        await has_served_for_long(stack)
        client = await exits.enter_async_context(
            httpx.AsyncClient(base_url=stack.base_url, timeout=20)
        )
        people = [
            await joined(client, stack.mail_directory, f"ada{number}@example.com")
            for number in range(3)
        ]
        first, load = people[0], Load(people)
        rollout = Rollout(stack, balancer, exits)
        async with load.running():
            await reached(load, f"log in {old_kid}", 20)
            await rollout.to(old, new)
            await rollout.to(new, old)
            await reached(load, f"log in {new_kid}", SIGNS_AFTER)
            await reached(load, f"work {new_kid}", 20)
            assert kid(first.token) == old_kid
            await reached(load, f"work {old_kid}", 20)
            # Whoever still holds an old token renews it before the old key goes.
            leftover = Person(client, first.email, first.token)
            await first.log_in()
            await rollout.to(new)
            await refused(leftover)
            await reached(load, f"work {new_kid}", 20)
        assert load.failures == []
        assert set(load.successes) == {
            f"{what} {key}" for what in ("log in", "work") for key in (old_kid, new_kid)
        }


async def has_served_for_long(stack: Stack) -> None:
    """Let the first key be an hour old, since a rotation right after the first start is none."""
    admin = await asyncpg.connect(stack.admin_url())
    try:
        await admin.execute("UPDATE auth.signing_key SET first_seen_at = now() - interval '1 hour'")
    finally:
        await admin.close()


async def refused(person: Person) -> None:
    """Wait until a token that a dropped key signed no longer opens anything."""
    deadline = time.monotonic() + DROPPED_AFTER
    while True:
        answer = await person.client.get("/v1/learnings", headers=person.headers)
        if answer.status_code == 401:
            return
        assert answer.status_code == 200
        assert time.monotonic() < deadline, "the dropped key still opens"
        await asyncio.sleep(0.2)
