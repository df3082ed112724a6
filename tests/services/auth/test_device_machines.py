"""Linking machines to accounts (teams contract, section 7)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import PUBLIC_URL, Auth, Person, running
from tests.services.auth.device_support import (
    USER_CODE,
    approve,
    begin_machine,
    expire,
    linked_machine,
    new_machine,
    poll_machine,
)
from tests.services.auth.fake_teams import TEAMS_KEY, FakeTeams, fake_teams
from tests.support.postgres import DatabaseServer

NOT_FOUND = {"error": "not_found"}


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


async def test_a_request_begins_with_codes_and_the_page(auth: Auth) -> None:
    code = await begin_machine(auth, new_machine())
    assert re.fullmatch(r"[0-9a-f]{64}", code.pop("device_code"))
    assert USER_CODE.fullmatch(code["user_code"])
    assert code == {
        "user_code": code["user_code"],
        "verification_url": f"{PUBLIC_URL}/auth/verify",
        "expires_in": 900,
        "interval": 5,
    }


async def test_only_machines_link_themselves(auth: Auth, ada: Person) -> None:
    machine = new_machine()
    strangers = (
        Principal(Kind.ANONYMOUS),
        ada.principal,
        Principal(Kind.API_KEY, "key_1", "org_1", "owner", ("*",), "key_1", "usr_1"),
    )
    for stranger in strangers:
        answer = await auth.post("/api/auth/device", stranger, token=machine.subject)
        assert answer.status_code == 401
        assert answer.json() == {"error": "unauthorized", "reason": "missing or invalid token"}
        answer = await poll_machine(auth, stranger, "0" * 64)
        assert answer.status_code == 401
    answer = await auth.post("/api/auth/device", machine, token=new_machine().subject)
    assert answer.status_code == 401
    assert answer.json()["reason"] == "token does not match signing key"


async def test_a_token_in_the_header_alone_is_enough(auth: Auth) -> None:
    assert (await auth.post("/api/auth/device", new_machine())).status_code == 200


async def test_a_machine_waits_and_hears_once_that_it_is_linked(
    auth: Auth, teams: FakeTeams
) -> None:
    person, machine = await auth.person(), new_machine()
    code = await begin_machine(auth, machine)
    for _ in range(3):
        answer = await poll_machine(auth, machine, code["device_code"])
        assert (answer.status_code, answer.json()) == (200, {"status": "pending"})
    await linked_machine(auth, person)
    revoked = await linked_machine(auth, person)
    await auth.sql.execute(
        "UPDATE auth.machine SET revoked_at = now() WHERE token = $1", revoked.subject
    )
    assert (await approve(auth, person.principal, code["user_code"])).json() == {"approved": True}
    teams.team_count = 3
    answer = await poll_machine(auth, machine, code["device_code"])
    assert answer.json() == {
        "status": "confirmed",
        "email": person.email,
        "machine_count": 2,
        "team_count": 3,
    }
    assert machine.subject in teams.tokens[-1]
    assert len(teams.tokens[-1]) == 2
    answer = await poll_machine(auth, machine, code["device_code"])
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


async def test_of_twenty_polls_at_once_one_is_confirmed(auth: Auth, ada: Person) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine)
    await approve(auth, ada.principal, code["user_code"])
    polls = (poll_machine(auth, machine, code["device_code"]) for _ in range(20))
    statuses = [answer.status_code for answer in await asyncio.gather(*polls)]
    assert sorted(statuses) == [200] + [404] * 19


@pytest.mark.parametrize("status", [500, 401, 404, 503])
async def test_without_an_answer_of_teams_the_machine_waits_on(
    auth: Auth, teams: FakeTeams, ada: Person, status: int
) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine)
    await approve(auth, ada.principal, code["user_code"])
    teams.status = status
    try:
        for _ in range(2):
            answer = await poll_machine(auth, machine, code["device_code"])
            assert answer.json() == {"status": "pending"}
    finally:
        teams.status = 200
    answer = await poll_machine(auth, machine, code["device_code"])
    assert answer.json()["status"] == "confirmed"


async def test_teams_that_is_not_there_at_all_keeps_the_request(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("data")
    for settings in (
        {"GUILDHALL_TEAMS_URL": None},
        {"GUILDHALL_TEAMS_URL": "http://127.0.0.1:9", "GUILDHALL_TEAMS_SIBLING_KEY": TEAMS_KEY},
    ):
        async with database_server.clone() as urls, running(urls, folder, **settings) as auth:
            person, machine = await auth.person(), new_machine()
            code = await begin_machine(auth, machine)
            await approve(auth, person.principal, code["user_code"])
            answer = await poll_machine(auth, machine, code["device_code"])
            assert answer.json() == {"status": "pending"}


async def test_what_is_not_the_machines_own_is_not_found(auth: Auth, ada: Person) -> None:
    machine, other = new_machine(), new_machine()
    code = await begin_machine(auth, machine)
    for principal, device_code in (
        (other, code["device_code"]),
        (machine, "0" * 64),
        (machine, "x"),
    ):
        answer = await poll_machine(auth, principal, device_code)
        assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    await approve(auth, ada.principal, code["user_code"], deny=True)
    answer = await poll_machine(auth, machine, code["device_code"])
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


async def test_an_expired_request_is_not_found(auth: Auth) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine)
    await expire(auth, code["user_code"])
    answer = await poll_machine(auth, machine, code["device_code"])
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)


async def test_a_key_is_not_given_to_whoever_polls_for_a_machine(auth: Auth, ada: Person) -> None:
    code = await begin_machine(auth, new_machine())
    await approve(auth, ada.principal, code["user_code"])
    answer = await auth.post(
        "/v1/auth/device/token",
        client_id="teamrc",
        device_code=code["device_code"],
        grant_type="urn:ietf:params:oauth:grant-type:device_code",
    )
    assert answer.json()["error"] == "invalid_grant"


async def test_three_requests_of_a_machine_live_at_a_time(auth: Auth) -> None:
    machine = new_machine()
    answers = await asyncio.gather(
        *(auth.post("/api/auth/device", machine, token=machine.subject) for _ in range(12))
    )
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [200] * 3 + [429] * 9
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json() == {"error": "too many pending requests for this token"}
    assert 0 < int(refused.headers["retry-after"]) <= 900
    await begin_machine(auth, new_machine())
    code = next(answer for answer in answers if answer.status_code == 200).json()
    await expire(auth, code["user_code"])
    await begin_machine(auth, machine)


async def test_a_full_installation_says_so(auth: Auth) -> None:
    await auth.sql.execute(
        """
        INSERT INTO auth.device_login (digest, kind, user_code, client_name, machine_token, client,
                                       user_agent, expires_at)
        SELECT sha256(n::text::bytea), 'machine', '0000-' || lpad(n::text, 4, '0'), 'flood',
               'trc_ak_' || n, '', '', now() + interval '1 hour'
          FROM generate_series(0, 9999) AS n
        """
    )
    try:
        answer = await auth.post("/api/auth/device", new_machine())
        assert answer.status_code == 503
        assert answer.json() == {"error": "service temporarily at capacity"}
    finally:
        await auth.sql.execute("DELETE FROM auth.device_login WHERE client_name = 'flood'")


async def test_a_machine_of_somebody_else_is_not_linked_and_five_tries_end_the_request(
    auth: Auth, ada: Person, grace: Person
) -> None:
    machine = await linked_machine(auth, ada)
    code = await begin_machine(auth, machine)
    for _ in range(5):
        answer = await approve(auth, grace.principal, code["user_code"])
        assert answer.status_code == 409
        assert answer.json() == {"detail": "This machine is linked to another account"}
    answer = await approve(auth, grace.principal, code["user_code"])
    assert answer.status_code == 400
    answer = await poll_machine(auth, machine, code["device_code"])
    assert answer.status_code == 404
    owner = await auth.sql.fetchval(
        "SELECT account_id FROM auth.machine WHERE token = $1", machine.subject
    )
    assert owner == ada.claims.sub


async def test_a_failed_link_is_never_confirmed_and_its_owner_may_still_approve(
    auth: Auth, ada: Person, grace: Person
) -> None:
    machine = await linked_machine(auth, ada)
    code = await begin_machine(auth, machine)
    await approve(auth, grace.principal, code["user_code"])
    answer = await poll_machine(auth, machine, code["device_code"])
    assert answer.json() == {"status": "pending"}
    await approve(auth, ada.principal, code["user_code"])
    answer = await poll_machine(auth, machine, code["device_code"])
    assert answer.json()["email"] == ada.email


async def test_a_link_revoked_before_the_poll_is_not_confirmed(auth: Auth, ada: Person) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine)
    await approve(auth, ada.principal, code["user_code"])
    answer = await auth.send("DELETE", f"/api/account/machines/{machine.subject}", ada.principal)
    assert answer.status_code == 200
    answer = await poll_machine(auth, machine, code["device_code"])
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("user_agent", "fields", "name"),
    [
        ("teamrc/1.2 (darwin)", {}, "teamrc"),
        ("teamrc/1.2", {"machine_name": "  Ada's laptop "}, "Ada's laptop"),
        ("/", {}, "machine"),
        ("x" * 200, {}, "x" * 64),
    ],
)
async def test_a_machine_is_named(
    auth: Auth, ada: Person, user_agent: str, fields: dict[str, str], name: str
) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine, user_agent)
    answer = await approve(auth, ada.principal, code["user_code"], **fields)
    assert answer.status_code == 200, answer.text
    stored = await auth.sql.fetchval(
        "SELECT machine_name FROM auth.machine WHERE token = $1", machine.subject
    )
    assert stored == name


@pytest.mark.parametrize("name", ["", " ", "a" * 65, "two\nlines", 5])
async def test_a_name_that_is_none_is_refused(auth: Auth, ada: Person, name: object) -> None:
    code = await begin_machine(auth, new_machine())
    answer = await approve(auth, ada.principal, code["user_code"], machine_name=name)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "machine_name"]


async def test_pending_shows_twelve_characters_of_the_key(auth: Auth, ada: Person) -> None:
    machine = new_machine()
    code = await begin_machine(auth, machine)
    answer = await auth.send(
        "GET", f"/v1/auth/device/pending?user_code={code['user_code']}", ada.principal
    )
    assert answer.json()["machine_token"] == machine.subject[:12] + "..."
    assert answer.json()["kind"] == "machine"
    assert machine.subject not in answer.text
