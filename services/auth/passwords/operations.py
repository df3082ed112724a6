"""What a new password must be, and hashing and checking with argon2id (RFC 9106).

One hash takes a tenth of a second and 64 MiB, so hashing runs in threads of its own, few at once,
and with a bounded queue: a flood of logins meets 503 instead of taking the process's memory.
"""

from __future__ import annotations

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from services.auth.passwords import rules
from services.auth.passwords.models import LONGEST, SHORTEST_ON_RUNS
from shared.errors import BadRequest, Invalid, Unavailable

AT_ONCE: Final = 2
"""Hashes computed at the same time."""

MOST_WAITING: Final = 256
"""Callers that may wait for their turn, each holding next to nothing; one more is refused."""

LONGEST_WAIT: Final = 15.0
"""Seconds that one waits for a turn: less than clients and the gateway wait for an answer."""

T = TypeVar("T")


def check_new(password: str, *, shortest: int, field: str, email: str = "") -> None:
    """Check that a password may be set: its length, and that nobody would guess it first.

    Args:
        password: as typed.
        shortest: characters, by the surface.
        field: of the body that it stands in.
        email: of the account.

    Raises:
        Invalid: naming the field.
    """
    found = rules.weakness(password, shortest, LONGEST, email)
    if found is not None:
        raise Invalid.field("body", field, msg=found.sentence, type=found.type)


def check_new_on_runs(password: str, *, field: str, email: str = "") -> None:
    """Check the same for the runs surface, which answers 400 (contract, section 3.2).

    Raises:
        BadRequest: naming the field.
    """
    found = rules.weakness(password, SHORTEST_ON_RUNS, LONGEST, email)
    if found is not None:
        raise BadRequest(f"{field}: {found.sentence}")


class Passwords:
    """Hashes and checks passwords. Open it with ``opened``."""

    def __init__(self, hasher: PasswordHasher, threads: ThreadPoolExecutor) -> None:
        self._hasher = hasher
        self._threads = threads
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys = _unmatchable(hasher)

    @classmethod
    @asynccontextmanager
    async def opened(cls, hasher: PasswordHasher | None = None) -> AsyncIterator[Passwords]:
        """Start the threads; they end with the context.

        Args:
            hasher: with other costs than argon2-cffi's defaults, which follow RFC 9106.
        """
        threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="argon2")
        try:
            yield cls(hasher or PasswordHasher(), threads)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """Hash a password.

        Raises:
            Unavailable: too many wait already.
        """
        text = rules.normal(password)
        return await self._run(lambda: self._hasher.hash(text))

    async def matches(self, stored: str | None, password: str) -> bool:
        """Check a password against a stored hash; without one, take as long and say no.

        Raises:
            Unavailable: too many wait already.
        """
        text = rules.normal(password)
        held = await self._run(lambda: self._verify(stored or self._nobodys, text))
        return held and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made at other costs than today's."""
        return self._hasher.check_needs_rehash(stored)

    def _verify(self, stored: str, text: str) -> bool:
        try:
            return self._hasher.verify(stored, text)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= MOST_WAITING:
            raise _too_many()
        self._waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._turns.acquire()
        except TimeoutError:
            raise _too_many() from None
        finally:
            self._waiting -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._turns.release()


def _too_many() -> Unavailable:
    return Unavailable("Too many people are signing in at once; try again", retry_after=2)


def _unmatchable(hasher: PasswordHasher) -> str:
    """Write a hash of no password: checking against it costs the same, and never matches."""
    salt, digest = (
        b64encode(os.urandom(length)).rstrip(b"=").decode()
        for length in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2{hasher.type.name.lower()}$v={ARGON2_VERSION}${costs}${salt}${digest}"
