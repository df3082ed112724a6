from __future__ import annotations

import asyncio
import threading
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from services.auth.passwords import operations
from services.auth.passwords.operations import AT_ONCE, MOST_WAITING, Passwords
from shared.errors import Unavailable

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Held(PasswordHasher):
    """Hashes only when let, and counts how many threads are in it at once."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.go = threading.Event()
        self.go.set()
        self.inside = 0
        self.most = 0
        self._lock = threading.Lock()

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        try:
            assert self.go.wait(20)
            return super().hash(password, salt=salt)
        finally:
            with self._lock:
                self.inside -= 1


async def test_the_defaults_are_argon2id_with_64_mib() -> None:
    async with Passwords.opened() as passwords:
        stored = await passwords.hash("correct horse")
        assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert await passwords.matches(stored, "correct horse")
        assert not await passwords.matches(stored, "correct horsf")
        assert not await passwords.matches(None, "correct horse")
        assert not await passwords.matches("no hash at all", "correct horse")


async def test_the_loop_goes_on_and_the_queue_is_bounded() -> None:
    hasher = Held()
    async with Passwords.opened(hasher) as passwords:
        hasher.go.clear()
        running = [asyncio.create_task(passwords.hash("x")) for _ in range(AT_ONCE + MOST_WAITING)]
        async with asyncio.timeout(20):
            while hasher.inside < AT_ONCE:
                await asyncio.sleep(0.01)
        with pytest.raises(Unavailable) as refused:
            await passwords.hash("one too many")
        assert refused.value.headers["retry-after"] == "2"
        hasher.go.set()
        hashes = await asyncio.gather(*running)
    assert len(set(hashes)) == AT_ONCE + MOST_WAITING
    assert hasher.most == AT_ONCE


async def test_whoever_gives_up_waiting_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST_WAITING", 1)
    hasher = Held()
    async with Passwords.opened(hasher) as passwords:
        hasher.go.clear()
        running = [asyncio.create_task(passwords.hash("x")) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        waiting = asyncio.create_task(passwords.hash("y"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await passwords.hash("z")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        hasher.go.set()
        await passwords.hash("z")
        await asyncio.gather(*running)


async def test_a_password_may_hold_any_character() -> None:
    async with Passwords.opened(CHEAP) as passwords:
        for password in ("ﬁ" * 12, "😀" * 12, "pa\u0308ss", " spaces kept "):
            assert await passwords.matches(await passwords.hash(password), password)
        assert not await passwords.matches(await passwords.hash("kept "), "kept")


async def test_a_check_against_nobody_costs_the_same() -> None:
    checked: list[str] = []

    class Watched(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
            checked.append(str(hash))
            return super().verify(hash, password)

    async with Passwords.opened(Watched(time_cost=1, memory_cost=8, parallelism=1)) as passwords:
        stored = await passwords.hash("somebody's")
        assert not await passwords.matches(None, "x")
        assert not await passwords.matches(stored, "x")
    nobodys, somebodys = checked
    assert extract_parameters(nobodys) == extract_parameters(somebodys)
    assert len(nobodys) == len(somebodys)
    # The check is computed to its end: a malformed hash would be refused for free.
    with pytest.raises(VerifyMismatchError):
        CHEAP.verify(nobodys, "x")
