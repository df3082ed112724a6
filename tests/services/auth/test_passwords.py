from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError
from hypothesis import given, settings
from hypothesis import strategies as st

from services.auth.passwords import operations
from services.auth.passwords.operations import (
    AT_ONCE,
    MOST_WAITING,
    Passwords,
    check_new,
    check_new_on_runs,
)
from services.auth.passwords.rules import weakness
from shared.errors import BadRequest, Invalid, Unavailable
from tests.services.auth.conftest import Auth, new_address, running
from tests.support.postgres import DatabaseUrls

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


async def test_nobody_waits_for_a_turn_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LONGEST_WAIT", 0.01)
    hasher = Held()
    async with Passwords.opened(hasher) as passwords:
        hasher.go.clear()
        running = [asyncio.create_task(passwords.hash("x")) for _ in range(AT_ONCE)]
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await passwords.hash("y")
        hasher.go.set()
        await asyncio.gather(*running)
        await passwords.hash("y")


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


COMMON = [
    "password1234",
    "Passw0rd!123",
    "P@ssw0rd2024!",
    "Summer2024!!",
    "winter2025!?",
    "qwertyuiop12",
    "1qaz2wsx3edc",
    "zaq12wsxcde3",
    "123456789012",
    "098765432109",
    "aaaaaaaaaaaa",
    "abababababab",
    "abcabcabcabc",
    "iloveyouforever",
    "letmeinletmein",
    "Football1990!",
    "guildhall2026",
    "adminadminadmin",
    "Trustno1trustno1",
    "qazwsxedcrfv",
    "MichaelJordan23",
    "welcome12345",
    "changeme2024",
    "abcdefghijkl",
    "!@#$%^&*()_+",
    "mynoobmynoob",
]
UNCOMMON = (
    "correct horse battery",
    "twelve chars",
    "pässword pässword",
    "xK9#mQ2$vL7p",
    "пароль для меня",
    "🐎🔋📎🐎🔋📎🧷🪁🎏🎐🎑🧨",
    "a-long-enough-password",
    "long enough " * 85,
)


@pytest.mark.parametrize("password", COMMON)
def test_what_everybody_would_try_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_new(password, shortest=12, field="new_password")
    (fault,) = refused.value.faults
    assert (fault.loc, fault.type) == (("body", "new_password"), "password_too_common")
    assert password not in fault.msg


@pytest.mark.parametrize("password", UNCOMMON)
def test_what_nobody_would_guess_is_taken(password: str) -> None:
    check_new(password, shortest=12, field="password", email="ada@mail.example")


@pytest.mark.parametrize(
    "password", ["ada.lovelace@mail.example", "Ada.Lovelace-1815", "lovelace 18151852"]
)
def test_a_password_is_not_ones_address(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_new(password, shortest=12, field="password", email="Ada.Lovelace@Mail.example")
    assert refused.value.faults[0].type == "password_is_address"
    check_new(f"{password} and so much more", shortest=12, field="password", email="lovelace@x.y")


def test_the_runs_surface_takes_eight_and_answers_400() -> None:
    check_new_on_runs("xK9#mQ2$", field="new")
    for password in ("xK9#mQ2", "password", "qwerty12", "12345678", "x" * 1025, "ｑｗｅｒｔｙ１２"):  # noqa: RUF001
        with pytest.raises(BadRequest) as refused:
            check_new_on_runs(password, field="new")
        assert refused.value.message.startswith("new: ")
        assert refused.value.code == "bad_request"
        assert refused.value.status == 400


def test_length_counts_in_normal_form() -> None:
    with pytest.raises(Invalid):
        check_new("e\u0301k9#mQ2vL7p"[:12], shortest=12, field="password")
    check_new("e\u0301k9#mQ2vL7pq", shortest=12, field="password")


@given(st.text(max_size=1100), st.emails())
@settings(max_examples=200, deadline=None)
def test_no_password_is_too_odd(password: str, email: str) -> None:
    found = weakness(password, 8, 1024, email)
    assert found is None or found.sentence


async def test_a_password_is_hashed_again_at_todays_costs(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running(database_urls, tmp_path) as auth:
        ada = await auth.person()
        old = await auth.sql.fetchval("SELECT password_hash FROM auth.account")
    async with running(database_urls, tmp_path, GUILDHALL_PASSWORD_PASSES=2) as auth:
        await auth.post("/v1/auth/token", email=ada.email, password="not the right one")
        assert await auth.sql.fetchval("SELECT password_hash FROM auth.account") == old
        await auth.sign_in(ada.email)
        fresh = await auth.sql.fetchval("SELECT password_hash FROM auth.account")
        assert extract_parameters(fresh).time_cost == 2
        await auth.sign_in(ada.email)
        assert await auth.sql.fetchval("SELECT password_hash FROM auth.account") == fresh


async def test_a_common_password_is_named_at_registration(auth: Auth) -> None:
    address = new_address()
    for password in ("password1234", f"{address[:32]}!"):
        answer = await auth.register(address, password=password)
        assert answer.status_code == 422
        (fault,) = answer.json()["detail"]
        assert fault["loc"] == ["body", "password"]
    assert not await auth.sql.fetchval(
        "SELECT count(*) FROM auth.account WHERE email = $1", address
    )
