from __future__ import annotations

from pathlib import Path

import jwt

from services.auth.signing_keys.operations import PUBLISHED_FIRST, KeyRing, open_key_ring
from shared.db import Database
from shared.secret import encode_base64url
from shared.tokens import SigningKey, read_jwks
from tests.services.auth.conftest import Auth, Sql, running
from tests.support.postgres import DatabaseUrls

OLD, NEW, NEWEST = (SigningKey(bytes([number]) * 32) for number in (1, 2, 3))


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_only_key_signs_at_once() -> None:
    clock = Clock()
    assert KeyRing([NEW], {NEW.kid: clock.now}, clock).current() is NEW


def test_a_new_key_signs_after_it_was_published_for_a_while() -> None:
    clock = Clock()
    ring = KeyRing([NEW, OLD], {NEW.kid: clock.now, OLD.kid: 0.0}, clock)
    assert ring.current() is OLD
    clock.now += PUBLISHED_FIRST - 0.1
    assert ring.current() is OLD
    clock.now += 0.1
    assert ring.current() is NEW


def test_the_newest_that_is_old_enough_signs() -> None:
    clock = Clock()
    seen = {NEWEST.kid: clock.now, NEW.kid: clock.now - 40, OLD.kid: 0.0}
    assert KeyRing([NEWEST, NEW, OLD], seen, clock).current() is NEW


def test_on_the_first_start_the_newest_signs() -> None:
    clock = Clock()
    seen = {NEW.kid: clock.now, OLD.kid: clock.now}
    assert KeyRing([NEW, OLD], seen, clock).current() is NEW


def test_a_key_that_came_right_after_the_first_start_waits_too() -> None:
    clock = Clock()
    seen = {NEW.kid: clock.now, OLD.kid: clock.now - 5}
    assert KeyRing([NEW, OLD], seen, clock).current() is OLD


def test_all_keys_are_published_and_none_is_private() -> None:
    ring = KeyRing([NEW, OLD], {NEW.kid: 0.0, OLD.kid: 0.0})
    document = ring.published()
    assert list(read_jwks(document)) == [NEW.kid, OLD.kid]
    assert all("d" not in key for key in document["keys"])


async def test_a_key_is_first_seen_once(database_urls: DatabaseUrls) -> None:
    database = await Database.connect(database_urls.url("auth"), size=1)
    try:
        clock = Clock()
        await open_key_ring(database, [bytes([1]) * 32], clock)
        async with database.connection() as connection:
            await connection.execute(
                "UPDATE auth.signing_key SET first_seen_at = now() - interval '20 seconds'"
            )
        seeds = [bytes([2]) * 32, bytes([1]) * 32]
        ring = await open_key_ring(database, seeds, clock)
        assert ring.current().kid == OLD.kid  # neither is old enough: the one known longest
        clock.now += 35
        assert ring.current().kid == NEW.kid
    finally:
        await database.close()


async def test_tokens_of_the_old_key_hold_through_a_rotation(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    old, new = (encode_base64url(bytes([number]) * 32) for number in (1, 2))
    async with running(database_urls, tmp_path, GUILDHALL_SIGNING_KEYS=old) as auth:
        before = await auth.person()
        await age(auth.sql, OLD.kid)
    both = f"{new},\n {old}"
    async with running(database_urls, tmp_path, GUILDHALL_SIGNING_KEYS=both) as auth:
        assert await published(auth) == [NEW.kid, OLD.kid]
        assert await auth.claims_of(before.token) == before.claims
        during = await auth.sign_in(before.email)
        assert kid_of(during.token) == OLD.kid
        await age(auth.sql, NEW.kid)
    async with running(database_urls, tmp_path, GUILDHALL_SIGNING_KEYS=both) as auth:
        after = await auth.sign_in(before.email)
        assert kid_of(after.token) == NEW.kid
        assert await auth.claims_of(during.token) == during.claims


async def test_the_key_set_may_be_kept_for_a_moment(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    async with running(database_urls, tmp_path) as auth:
        answer = await auth.send("GET", "/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=10"


async def age(sql: Sql, kid: str) -> None:
    changed = await sql.execute(
        "UPDATE auth.signing_key SET first_seen_at = now() - interval '1 minute' WHERE kid = $1",
        kid,
    )
    assert changed == "UPDATE 1"


async def published(auth: Auth) -> list[str]:
    document = (await auth.send("GET", "/.well-known/jwks.json")).json()
    return list(read_jwks(document))


def kid_of(token: str) -> str:
    return str(jwt.get_unverified_header(token)["kid"])
