"""Failed logins are counted by account and by address, over restarts and replicas."""

from __future__ import annotations

import asyncio
import resource
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from services.auth.throttles import rules
from services.auth.throttles.models import Limit
from services.auth.throttles.operations import LOGIN_BY_ACCOUNT, LOGIN_BY_ADDRESS, SECOND_FACTOR
from shared.principal import CLIENT_HEADER
from tests.services.auth.conftest import PASSWORD, Auth, new_address, running
from tests.services.auth.two_factor_support import begin, challenge, enrol, redeem
from tests.support.postgres import DatabaseServer

WRONG = "not the password"
SURFACES = ["/v1/auth/token", "/v1/auth/login", "/api/v1/auth/login"]


def new_client() -> str:
    """Give a network address that nobody used before."""
    return f"2001:db8:{uuid4().hex[:4]}:{uuid4().hex[:4]}::1"


async def attempt(
    auth: Auth,
    email: str,
    password: str = WRONG,
    client: str | None = None,
    path: str = "/v1/auth/token",
    code: str | None = None,
) -> httpx.Response:
    """Try to sign in, from an address of its own unless one is named."""
    body = {"email": email, "password": password} | ({} if code is None else {"code": code})
    headers = {CLIENT_HEADER: client or new_client()}
    return await auth.send("POST", path, json=body, headers=headers)


async def statuses(auth: Auth, email: str, count: int, client: str | None = None) -> list[int]:
    return [(await attempt(auth, email, client=client)).status_code for _ in range(count)]


async def seconds_left(auth: Auth, limit: Limit, key: str) -> float:
    left = await auth.sql.fetchval(
        "SELECT extract(epoch FROM ends_at - now())::float FROM auth.throttle"
        " WHERE bucket = $1 AND key = sha256($2::text::bytea)",
        limit.bucket,
        key,
    )
    assert left is not None
    return float(left)


async def test_the_eleventh_try_at_an_account_is_refused(auth: Auth) -> None:
    person = await auth.person()
    assert await statuses(auth, person.email, 10) == [401] * 10
    refused = await attempt(auth, person.email)
    assert refused.status_code == 429
    waits = int(refused.headers["retry-after"])
    left = await seconds_left(auth, LOGIN_BY_ACCOUNT, person.email)
    assert left <= waits <= left + 2
    assert refused.json() == {"detail": f"Rate limit exceeded. Retry after {waits} seconds."}
    # The right password is not heard either, on no surface.
    for path in SURFACES:
        assert (await attempt(auth, person.email, PASSWORD, path=path)).status_code == 429
    # The address is compared as everywhere.
    assert (await attempt(auth, person.email.upper(), PASSWORD)).status_code == 429
    # Whoever is signed in stays so.
    assert (await auth.check(person))["active"]


async def test_one_count_for_every_surface(auth: Auth) -> None:
    person = await auth.person()
    for number in range(10):
        answer = await attempt(auth, person.email, path=SURFACES[number % 3])
        assert answer.status_code == 401
    for path in SURFACES:
        assert (await attempt(auth, person.email, path=path)).status_code == 429


async def test_the_window_ends(auth: Auth) -> None:
    person = await auth.person()
    await statuses(auth, person.email, 10)
    await auth.sql.execute("UPDATE auth.throttle SET ends_at = now()")
    assert (await attempt(auth, person.email)).status_code == 401
    assert (await attempt(auth, person.email, PASSWORD)).status_code == 200


async def test_an_unknown_account_counts_alike(auth: Auth) -> None:
    known, unknown = (await auth.person()).email, new_address()
    for email in (known, unknown):
        answers = [await attempt(auth, email) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    answers = [await attempt(auth, email) for email in (known, unknown)]
    bodies = [answer.json()["detail"].partition(". Retry")[0] for answer in answers]
    assert bodies[0] == bodies[1]
    assert answers[0].headers.keys() == answers[1].headers.keys()
    # The addresses of strangers are not kept.
    rows = await auth.sql.fetch("SELECT * FROM auth.throttle")
    assert unknown not in str(rows)


async def test_an_address_is_counted_over_accounts(auth: Auth) -> None:
    client = new_client()
    people = [new_address() for _ in range(10)]
    for email in people:
        assert (await attempt(auth, email, client=client)).status_code == 401
    person = await auth.person()
    refused = await attempt(auth, person.email, PASSWORD, client=client)
    assert refused.status_code == 429
    left = await seconds_left(auth, LOGIN_BY_ADDRESS, rules.network(client))
    assert left <= int(refused.headers["retry-after"]) <= left + 2
    assert (await attempt(auth, person.email, PASSWORD)).status_code == 200


async def test_a_household_is_one_address(auth: Auth) -> None:
    network = new_client().removesuffix("::1")
    for number in range(10):
        answer = await attempt(auth, new_address(), client=f"{network}::{number:x}")
        assert answer.status_code == 401
    assert (await attempt(auth, new_address(), client=f"{network}:ffff::1")).status_code == 429


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_what_of_an_address_counts(address: str, network: str) -> None:
    assert rules.network(address) == network


async def test_success_forgives_the_account_and_not_the_address(auth: Auth) -> None:
    person, client = await auth.person(), new_client()
    assert await statuses(auth, person.email, 9, client) == [401] * 9
    assert (await attempt(auth, person.email, PASSWORD, client)).status_code == 200
    # Nine more at the account, from elsewhere.
    assert await statuses(auth, person.email, 9) == [401] * 9
    # From that address one more failure is the tenth, however often somebody signs in there.
    for _ in range(3):
        other = await auth.person()
        assert (await attempt(auth, other.email, PASSWORD, client)).status_code == 200
    assert (await attempt(auth, new_address(), client=client)).status_code == 401
    assert (await attempt(auth, new_address(), client=client)).status_code == 429


async def test_many_people_behind_one_address_may_sign_in(auth: Auth) -> None:
    person, client = await auth.person(), new_client()
    for _ in range(15):
        assert (await attempt(auth, person.email, PASSWORD, client)).status_code == 200


async def test_counts_survive_a_restart_and_hold_at_every_replica(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with database_server.clone() as urls:
        async with running(urls, tmp_path) as one, running(urls, tmp_path) as other:
            person = await one.person()
            device = await enrol(one)
            for service in (one, other) * 5:
                assert (await attempt(service, person.email)).status_code == 401
            for service in (one, other, one, other, one):
                token = await challenge(service, device.person)
                assert (await redeem(service, token, device.wrong_code())).status_code == 401
        async with running(urls, tmp_path) as fresh:
            assert (await attempt(fresh, person.email, PASSWORD)).status_code == 429
            token = await challenge(fresh, device.person)
            assert (await redeem(fresh, token, device.code())).status_code == 429


async def test_fifty_wrong_tries_at_once(auth: Auth) -> None:
    person = await auth.person()
    answers = await asyncio.gather(*(attempt(auth, person.email) for _ in range(50)))
    found = [answer.status_code for answer in answers]
    assert found.count(401) == 10
    assert found.count(429) == 40
    assert (await attempt(auth, person.email, PASSWORD)).status_code == 429


async def test_fifty_wrong_tries_at_once_from_one_address(auth: Auth) -> None:
    client = new_client()
    answers = await asyncio.gather(
        *(attempt(auth, new_address(), client=client) for _ in range(50))
    )
    found = [answer.status_code for answer in answers]
    assert found.count(401) == 10
    assert found.count(429) == 40


async def test_a_right_try_among_many_wrong_ones_gains_no_extra_tries(auth: Auth) -> None:
    person = await auth.person()
    await statuses(auth, person.email, 10)
    answers = await asyncio.gather(
        *(attempt(auth, person.email, PASSWORD if n % 5 == 0 else WRONG) for n in range(50))
    )
    assert {answer.status_code for answer in answers} == {429}


async def test_the_sixth_wrong_code_is_refused(auth: Auth) -> None:
    device = await enrol(auth)
    email = device.person.email
    token = await challenge(auth, device.person)
    for number in range(5):
        if number % 2:
            answer = await attempt(auth, email, PASSWORD, code=device.wrong_code())
        else:
            answer = await redeem(auth, token, device.wrong_code())
        assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid code"})
    for answer in (
        await redeem(auth, token, device.wrong_code()),
        await redeem(auth, token, device.code()),
        await redeem(auth, token, device.recovery_codes[0]),
        await attempt(auth, email, PASSWORD, code=device.code()),
    ):
        assert answer.status_code == 429
        left = await seconds_left(auth, SECOND_FACTOR, device.person.claims.sub)
        assert left <= int(answer.headers["retry-after"]) <= left + 2
    # A right password does not reset the count of codes.
    assert (await attempt(auth, email, PASSWORD)).json()["detail"] == "2FA required"
    assert (await attempt(auth, email, PASSWORD, code=device.code())).status_code == 429
    await auth.sql.execute("UPDATE auth.throttle SET ends_at = now()")
    assert (await attempt(auth, email, PASSWORD, code=device.code())).status_code == 200


async def test_the_block_of_codes_lasts_15_minutes_from_the_fifth(auth: Auth) -> None:
    device = await enrol(auth)
    account = device.person.claims.sub
    token = await challenge(auth, device.person)
    for _ in range(4):
        await redeem(auth, token, device.wrong_code())
    await auth.sql.execute(
        "UPDATE auth.throttle SET ends_at = now() + interval '10 seconds' WHERE bucket = $1",
        SECOND_FACTOR.bucket,
    )
    assert (await redeem(auth, token, device.wrong_code())).status_code == 401
    assert 890 < await seconds_left(auth, SECOND_FACTOR, account) <= 900
    # Further tries do not prolong it.
    await auth.sql.execute(
        "UPDATE auth.throttle SET ends_at = now() + interval '100 seconds' WHERE bucket = $1",
        SECOND_FACTOR.bucket,
    )
    answer = await redeem(auth, token, device.wrong_code())
    assert 90 <= int(answer.headers["retry-after"]) <= 100


async def test_a_right_code_forgives_the_wrong_ones(auth: Auth) -> None:
    device = await enrol(auth)
    for off in (0, 1):
        for _ in range(4):
            answer = await attempt(auth, device.person.email, PASSWORD, code=device.wrong_code())
            assert answer.status_code == 401
        answer = await attempt(auth, device.person.email, PASSWORD, code=device.code(off))
        assert answer.status_code == 200


async def test_wrong_codes_of_a_setup_count_too(auth: Auth) -> None:
    device = await begin(auth, await auth.person())
    path, principal = "/v1/auth/2fa/verify", device.person.principal
    for _ in range(5):
        answer = await auth.post(path, principal, code=device.wrong_code())
        assert answer.status_code == 400
    answer = await auth.post(path, principal, code=device.code())
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 880


async def test_fifty_wrong_codes_at_once(auth: Auth) -> None:
    device = await enrol(auth)
    token = await challenge(auth, device.person)
    wrong = device.wrong_code()
    answers = await asyncio.gather(*(redeem(auth, token, wrong) for _ in range(50)))
    found = [answer.status_code for answer in answers]
    assert found.count(401) == 5
    assert found.count(429) == 45


async def test_passwords_asked_for_again_are_counted_as_logins(auth: Auth) -> None:
    device = await enrol(auth)
    principal = device.person.principal
    for number in range(10):
        path = ("disable", "recovery-codes")[number % 2]
        headers = {CLIENT_HEADER: new_client()}
        answer = await auth.send(
            "POST", f"/v1/auth/2fa/{path}", principal, json={"password": WRONG}, headers=headers
        )
        assert answer.status_code == 401
    assert (await attempt(auth, device.person.email, PASSWORD)).status_code == 429
    answer = await auth.post("/v1/auth/2fa/disable", principal, password=PASSWORD)
    assert answer.status_code == 429


async def test_a_flood_of_logins_is_bounded_and_others_are_served(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    """200 people at once: as many hashes as threads, the others wait, and all get in."""
    async with database_server.clone() as urls, running(urls, tmp_path) as auth:
        person, bystander = await auth.person(), await auth.person()
        await auth.sql.execute(
            """
            INSERT INTO auth.account (id, email, email_key, name, password_hash, verified_at)
            SELECT 'usr_' || n, n || '@flood.example', n || '@flood.example', 'n',
                   (SELECT password_hash FROM auth.account WHERE id = $1), now()
              FROM generate_series(1, 200) AS n
            """,
            person.claims.sub,
        )
        await auth.sql.execute(
            """
            INSERT INTO auth.membership (org_id, account_id, role)
            SELECT $1, 'usr_' || n, 'member' FROM generate_series(1, 200) AS n
            """,
            person.claims.org,
        )
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        flood = [
            asyncio.create_task(attempt(auth, f"{n}@flood.example", PASSWORD))
            for n in range(1, 201)
        ]
        served = 0
        while not all(task.done() for task in flood):
            answer = await auth.send("GET", "/v1/auth/me", bystander.principal)
            assert answer.status_code == 200
            served += 1
        answers = [task.result() for task in flood]
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    found = [answer.status_code for answer in answers]
    assert set(found) == {200}
    assert served > 0
    assert grown < 64 * 1024, "KiB"
