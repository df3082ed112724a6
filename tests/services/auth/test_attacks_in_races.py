"""Of fifty that use a one-time token at once, exactly one wins.

Resets, invitations, first administrators, second factors, challenges and recovery codes prove the
same beside their other tests.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from tests.services.auth.attack_support import Tourist
from tests.services.auth.conftest import PASSWORD, Auth, Person, new_address, running
from tests.services.auth.device_support import (
    approve,
    begin,
    begin_machine,
    new_machine,
    poll,
    poll_machine,
)
from tests.services.auth.fake_teams import TEAMS_KEY, FakeTeams, fake_teams
from tests.support.postgres import DatabaseServer

MANY = 50


@pytest.fixture(scope="module")
async def teams() -> AsyncIterator[FakeTeams]:
    async with fake_teams() as service:
        yield service


@pytest.fixture(scope="module")
async def auth(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory, teams: FakeTeams
) -> AsyncIterator[Auth]:
    folder = tmp_path_factory.mktemp("data")
    settings = {"GUILDHALL_TEAMS_URL": teams.url, "GUILDHALL_TEAMS_SIBLING_KEY": TEAMS_KEY}
    async with database_server.clone() as urls, running(urls, folder, **settings) as service:
        yield service


async def statuses(ask: Callable[[], Awaitable[httpx.Response]]) -> Counter[int]:
    """Ask many times at once."""
    answers = await asyncio.gather(*(ask() for _ in range(MANY)))
    return Counter(answer.status_code for answer in answers)


async def made_for(auth: Auth, table: str, account_id: str) -> int:
    count: int = await auth.sql.fetchval(
        f"SELECT count(*) FROM auth.{table} WHERE account_id = $1",  # noqa: S608 - a constant
        account_id,
    )
    return count


async def test_verifying_an_address(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    token = await auth.token_for(address)
    seen = await statuses(lambda: auth.post("/v1/auth/verify-email", token=token))
    assert seen == {200: 1, 400: MANY - 1}
    person = await auth.sign_in(address)
    assert await made_for(auth, "membership", person.claims.sub) == 1
    said = [e for e in await auth.events("account.verified.v1")]
    assert [e["account_id"] for e in said].count(person.claims.sub) == 1


async def test_moving_to_an_address(auth: Auth) -> None:
    tourist, person, to = Tourist(auth), await auth.person(), new_address()
    await auth.post("/v1/auth/email", person.principal, new_email=to, password=PASSWORD)
    token = await tourist.mailed("email", to)
    ask = "/v1/auth/email/confirm"
    seen = await statuses(lambda: auth.post(ask, person.principal, token=token))
    assert seen == {200: 1, 400: MANY - 1}


async def test_two_accounts_that_move_to_one_address(auth: Auth) -> None:
    tourist, to = Tourist(auth), new_address()
    people, tokens = [await auth.person() for _ in range(5)], []
    for count, person in enumerate(people, 1):
        await auth.post("/v1/auth/email", person.principal, new_email=to, password=PASSWORD)
        await auth.letters(to, count)
        tokens.append(await tourist.mailed("email", to))
    assert len(set(tokens)) == 5
    ask = "/v1/auth/email/confirm"
    answers = await asyncio.gather(
        *(
            auth.post(ask, person.principal, token=token)
            for person, token in zip(people, tokens, strict=True)
            for _ in range(10)
        )
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: MANY - 1}


async def test_signing_in_by_a_letter(auth: Auth) -> None:
    tourist, person = Tourist(auth), await auth.person()
    await tourist.form("/users/log-in", email=person.email, by="link")
    token = await tourist.mailed("link", person.email)
    before = await made_for(auth, "session", person.claims.sub)
    seen = await statuses(lambda: tourist.form(f"/users/log-in/{token}"))
    assert seen == {303: 1, 400: MANY - 1}
    assert await made_for(auth, "session", person.claims.sub) == before + 1


async def test_approving_a_device(auth: Auth) -> None:
    people = [await auth.person() for _ in range(5)]
    code = await begin(auth)
    answers = await asyncio.gather(
        *(
            approve(auth, person.principal, code["user_code"], f"192.0.2.{number}", deny=deny)
            for number, person in enumerate(people)
            for deny in (False, True)
        )
    )
    # Whoever decided may say so again; for anybody else there is no such code, or it is decided.
    decided = {
        (number // 2, number % 2) for number, a in enumerate(answers) if a.status_code == 200
    }
    assert len(decided) == 1
    rows = await auth.sql.fetch(
        "SELECT status, account_id FROM auth.device_login WHERE user_code = $1", code["user_code"]
    )
    ((who, denied),) = decided
    expected = ("denied" if denied else "approved", people[who].claims.sub)
    assert [tuple(row) for row in rows] == [expected]


async def test_collecting_a_key(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    await approve(auth, ada.principal, code["user_code"])
    before = await made_for(auth, "api_key", ada.claims.sub)
    assert await statuses(lambda: poll(auth, code)) == {200: 1, 400: MANY - 1}
    assert await made_for(auth, "api_key", ada.claims.sub) == before + 1


async def test_being_told_that_a_machine_is_linked(auth: Auth, ada: Person) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine)
    await approve(auth, ada.principal, code["user_code"])
    seen = await statuses(lambda: poll_machine(auth, machine, code["device_code"]))
    assert seen == {200: 1, 404: MANY - 1}


async def test_letting_somebody_in_from_the_waitlist(auth: Auth, root: Person) -> None:
    address = new_address()
    await auth.post("/v1/waitlist", email=address)
    row = await auth.sql.fetchval("SELECT id FROM auth.waiting_person WHERE email = $1", address)
    path = f"/v1/admin/waitlist/{row}/convert"
    assert await statuses(lambda: auth.post(path, root.principal)) == {200: 1, 409: MANY - 1}
    account = await auth.sql.fetchval("SELECT id FROM auth.account WHERE email = $1", address)
    assert await made_for(auth, "api_key", account) == 1
    assert await made_for(auth, "membership", account) == 1
