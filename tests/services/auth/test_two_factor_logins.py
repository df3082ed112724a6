"""Signing in with a second factor, at once or by a challenge (learnings contract, section 3)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest

from services.auth.audit_events.models import Origin
from services.auth.sessions.operations import end_all
from services.auth.two_factor import operations
from shared.db import Database
from tests.services.auth.conftest import PASSWORD, Auth, running
from tests.services.auth.two_factor_support import (
    INVALID,
    audited,
    begin,
    challenge,
    enrol,
    let_steps_pass,
    redeem,
    sign_in,
    state,
)
from tests.support.postgres import DatabaseServer, DatabaseUrls


@pytest.mark.parametrize("path", ["/v1/auth/token", "/v1/auth/login"])
@pytest.mark.parametrize("field", ["code", "totp"])
async def test_a_code_may_come_with_the_password(auth: Auth, path: str, field: str) -> None:
    device = await enrol(auth)
    body = {"email": device.person.email, "password": PASSWORD, field: device.code()}
    answer = await auth.send("POST", path, json=body)
    assert answer.status_code == 200
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    # The same code again is not the same again.
    again = await auth.send("POST", path, json=body)
    assert (again.status_code, again.json()) == (401, INVALID)


@pytest.mark.parametrize(("off", "status"), [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401)])
async def test_a_clock_may_be_off_by_a_step(auth: Auth, off: int, status: int) -> None:
    device = await enrol(auth)
    # Should a step begin meanwhile, the code is off by one more or less; then try again.
    for _ in range(3):
        code, at = device.code(off), device.code()
        answer = await sign_in(auth, device.person, code)
        if device.code() == at:
            break
        await let_steps_pass(auth, device)
    assert answer.status_code == status


async def test_an_older_step_does_not_come_after_a_newer(auth: Auth) -> None:
    device = await enrol(auth)
    assert (await sign_in(auth, device.person, device.code(1))).status_code == 200
    assert (await sign_in(auth, device.person, device.code(0))).status_code == 401


async def test_replay_at_two_replicas(database_server: DatabaseServer, tmp_path: Path) -> None:
    async with (
        database_server.clone() as urls,
        running(urls, tmp_path) as one,
        running(urls, tmp_path) as other,
    ):
        device = await enrol(one)
        for _ in range(3):
            await let_steps_pass(one, device)
            code = device.code()
            answers = await asyncio.gather(
                *(sign_in(service, device.person, code) for service in (one, other) * 2)
            )
            assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
            await one.sql.execute("DELETE FROM auth.throttle")
        # The second factor of one replica is asked for by the other, and answered there.
        await let_steps_pass(one, device)
        token = await challenge(one, device.person)
        assert (await redeem(other, token, device.code())).status_code == 200


async def test_a_challenge_is_good_once(auth: Auth) -> None:
    device = await enrol(auth)
    token = await challenge(auth, device.person)
    wrong = await redeem(auth, token, device.wrong_code())
    assert (wrong.status_code, wrong.json()) == (401, INVALID)
    # A wrong code does not use it up, a right one does.
    assert (await redeem(auth, token, device.code())).status_code == 200
    again = await redeem(auth, token, device.recovery_codes[0])
    assert (again.status_code, again.json()) == (401, {"detail": "Invalid or expired token"})
    assert (await state(auth, device.person))["recovery_codes_left"] == 10


async def test_a_challenge_ends_after_five_minutes(auth: Auth) -> None:
    device = await enrol(auth)
    token = await challenge(auth, device.person)
    left = await auth.sql.fetchval(
        "SELECT expires_at - now() FROM auth.login_challenge WHERE account_id = $1",
        device.person.claims.sub,
    )
    assert timedelta(minutes=4, seconds=30) < left <= timedelta(minutes=5)
    await auth.sql.execute("UPDATE auth.login_challenge SET expires_at = now()")
    answer = await redeem(auth, token, device.code())
    assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid or expired token"})


async def test_a_challenge_is_bound_to_its_account(auth: Auth) -> None:
    one, other = await enrol(auth), await enrol(auth)
    token = await challenge(auth, one.person)
    for code in (other.code(), other.recovery_codes[0]):
        answer = await redeem(auth, token, code)
        assert (answer.status_code, answer.json()) == (401, INVALID)
    # Also for somebody who is signed in as another.
    answer = await auth.post(
        "/v1/auth/2fa/verify", other.person.principal, challenge_token=token, code=one.code()
    )
    assert (await auth.claims_of(answer.json()["access_token"])).sub == one.person.claims.sub


async def test_fifty_answers_to_one_challenge_open_one_session(auth: Auth) -> None:
    device = await enrol(auth)
    token = await challenge(auth, device.person)
    codes = [device.code(), device.code(1), *device.recovery_codes]
    answers = await asyncio.gather(
        *(redeem(auth, token, codes[number % len(codes)]) for number in range(50))
    )
    assert [answer.status_code for answer in answers].count(200) == 1
    # Whoever came too late for the challenge has not lost the recovery code with it.
    assert (await state(auth, device.person))["recovery_codes_left"] >= 9


async def test_an_ended_account_takes_its_challenges_along(auth: Auth) -> None:
    device = await enrol(auth)
    person = device.person
    token = await challenge(auth, person)
    async with auth.sql.transaction():
        await end_all(
            auth.sql,
            person.claims.sub,
            origin=Origin(),
            actor=person.principal,
            reason="password_reset",
        )
    assert (await redeem(auth, token, device.code())).status_code == 401
    token = await challenge(auth, person)
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", person.claims.sub
    )
    assert (await redeem(auth, token, device.code())).status_code in (401, 403)


async def test_few_challenges_of_an_account_are_kept(auth: Auth) -> None:
    device = await enrol(auth)
    tokens = [await challenge(auth, device.person) for _ in range(8)]
    kept = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.login_challenge WHERE account_id = $1",
        device.person.claims.sub,
    )
    assert kept == operations.MOST_CHALLENGES
    assert (await redeem(auth, tokens[0], device.code())).status_code == 401
    assert (await redeem(auth, tokens[-1], device.code())).status_code == 200


async def test_the_wrong_password_says_nothing_of_a_second_factor(auth: Auth) -> None:
    device = await enrol(auth)
    for body in ({}, {"code": device.code()}):
        answer = await sign_in(auth, device.person, password="not the password", **body)
        assert (answer.status_code, answer.json()) == (
            401,
            {"detail": "Invalid email or password"},
        )
    # And the code that came with it is not used up.
    assert (await sign_in(auth, device.person, device.code())).status_code == 200


async def test_a_recovery_code_is_good_once_wherever_a_code_is(auth: Auth) -> None:
    device = await enrol(auth)
    person, codes = device.person, device.recovery_codes
    assert (await sign_in(auth, person, codes[0])).status_code == 200
    assert (await sign_in(auth, person, codes[0])).status_code == 401
    typed = f" {codes[1].upper().replace('-', '')} "
    assert (await redeem(auth, await challenge(auth, person), typed)).status_code == 200
    answer = await auth.post(
        "/v1/auth/2fa/disable", person.principal, password=PASSWORD, code=codes[2]
    )
    assert answer.status_code == 200
    assert await audited(auth, "two_factor.recovery_code_used", person.claims.sub) == ["done"] * 3
    letters = await auth.letters(person.email, 6)
    assert [letter["Subject"] for letter in letters].count("A recovery code was used") == 3


async def test_the_letter_says_how_many_are_left(auth: Auth) -> None:
    device = await enrol(auth)
    for number, code in enumerate(device.recovery_codes[:7], start=3):
        assert (await sign_in(auth, device.person, code)).status_code == 200
        letter = (await auth.letters(device.person.email, number))[-1]
        plain = letter.get_body(("plain",))
        assert plain is not None
        text = plain.get_content()
        left = 12 - number
        assert f"left: {left}." in text
        assert ("Make new ones" in text) is (left <= 3)
        assert code not in letter.as_string()


async def test_fifty_uses_of_one_recovery_code_at_once(auth: Auth) -> None:
    device = await enrol(auth)
    code = device.recovery_codes[0]
    answers = await asyncio.gather(*(sign_in(auth, device.person, code) for _ in range(50)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert (await state(auth, device.person))["recovery_codes_left"] == 9


async def test_another_persons_recovery_code_is_none(auth: Auth) -> None:
    one, other = await enrol(auth), await enrol(auth)
    assert (await sign_in(auth, one.person, other.recovery_codes[0])).status_code == 401


@pytest.mark.parametrize("code", ["٠١٢٣٤٥", "------", "ü" * 40, "123 45", "'; --"])
async def test_any_text_may_be_tried_as_a_code(auth: Auth, code: str) -> None:
    device = await enrol(auth)
    assert (await sign_in(auth, device.person, code)).status_code == 401
    pending = await begin(auth, await auth.person())
    answer = await auth.post("/v1/auth/2fa/verify", pending.person.principal, code=code)
    assert (answer.status_code, answer.json()) == (400, INVALID)


async def test_refusals_are_audited(auth: Auth) -> None:
    device = await enrol(auth)
    await sign_in(auth, device.person, device.wrong_code())
    detail = await auth.sql.fetchval(
        "SELECT detail FROM auth.audit_event WHERE target = $1 AND outcome = 'refused'",
        device.person.claims.sub,
    )
    assert json.loads(detail) == {"reason": "code"}


async def test_old_challenges_are_swept(database_urls: DatabaseUrls) -> None:
    database = await Database.connect(database_urls.url("auth"), size=2)
    try:
        async with database.connection() as connection:
            await connection.execute(
                """
                INSERT INTO auth.account (id, email, email_key, name) VALUES ('u', 'e', 'e', 'n');
                INSERT INTO auth.login_challenge (digest, account_id, expires_at)
                VALUES (sha256('over'), 'u', now() - interval '1 second'),
                       (sha256('live'), 'u', now() + interval '1 minute');
                """
            )
            await operations.sweep(database)
            assert await connection.fetchval("SELECT count(*) FROM auth.login_challenge") == 1
    finally:
        await database.close()
