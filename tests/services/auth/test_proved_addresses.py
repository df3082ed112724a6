"""What only an admin says of an address proves nothing; a letter to it proves who owns it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.auth.role_bindings.operations import resolve_person
from tests.services.auth.conftest import (
    GATEWAY,
    PASSWORD,
    Auth,
    Person,
    new_address,
    running,
    text_of,
)
from tests.services.auth.device_support import approve, begin, begin_machine, new_machine, poll
from tests.services.auth.external_support import World, new_subject, trusting_world, verified
from tests.services.auth.people_support import (
    BASE,
    GOOD,
    accept,
    colleague,
    invitation_token,
    invite,
    log_in,
)
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseServer

NEW = "a wholly different sentence"
_RESET = re.compile(r"/users/reset-password/([\w-]+)")
_MOVE = re.compile(r"email_[\w-]{43}")


@pytest.fixture(scope="module")
async def hearing(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Auth]:
    """The service with its relay and consumers, so that it hears what it says."""
    folder = tmp_path_factory.mktemp("data")
    async with (
        database_server.clone() as urls,
        running(urls, folder, GUILDHALL_SERVE_BACKGROUND=True) as auth,
    ):
        yield auth


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with trusting_world(database_server, tmp_path_factory.mktemp("data")) as made:
        yield made


async def bind(auth: Auth, address: str) -> None:
    """Let a role wait for whoever proves an address."""
    await auth.sql.execute(
        """
        INSERT INTO auth.role_binding (id, role_id, principal_type, principal_name, email_key,
                                       namespace)
        SELECT gen_random_uuid(), id, 'User', $1, $1, 'acme' FROM auth.role WHERE name = 'admin'
        """,
        address,
    )


async def bound_to(auth: Auth, address: str) -> str | None:
    found: str | None = await auth.sql.fetchval(
        "SELECT principal_id FROM auth.role_binding WHERE principal_name = $1", address
    )
    return found


async def is_bound_to(auth: Auth, address: str, account_id: str) -> None:
    """Wait until a role that waited for an address is an account's."""
    async with asyncio.timeout(20):
        while await bound_to(auth, address) != account_id:
            await asyncio.sleep(0.02)


async def heard_all(auth: Auth) -> None:
    """Wait until everything that was said so far was heard."""
    other = await auth.person("Somebody later")
    address = new_address()
    await bind(auth, address)
    await move(auth, other, address)
    await is_bound_to(auth, address, other.claims.sub)


async def link_to(auth: Auth, address: str, pattern: re.Pattern[str]) -> str:
    """Wait for a letter with such a token, and give the newest one."""
    count = 1
    while True:
        letters = await auth.letters(address, count)
        found = [m for letter in letters if (m := pattern.search(text_of(letter)))]
        if found:
            return found[-1][found[-1].re.groups]
        count = len(letters) + 1


async def reset(auth: Auth, address: str) -> None:
    """Set a new password by a letter, as only the owner of the address can."""
    await auth.post("/v1/auth/forgot-password", email=address)
    token = await link_to(auth, address, _RESET)
    answer = await auth.post("/v1/auth/reset-password", token=token, new_password=NEW)
    assert answer.json() == {"reset": True}, answer.text


async def move(auth: Auth, person: Person, address: str, password: str = PASSWORD) -> None:
    """Move an account to another address."""
    wish = {"new_email": address, "password": password}
    assert (await auth.post("/v1/auth/email", person.principal, **wish)).status_code == 200
    token = await link_to(auth, address, _MOVE)
    answer = await auth.post("/v1/auth/email/confirm", person.principal, token=token)
    assert answer.json() == {"confirmed": True}, answer.text


async def test_a_binding_that_is_made_finds_no_address_an_admin_vouched_for(
    hearing: Auth,
) -> None:
    root = await hearing.make_platform_admin(await hearing.person("Root"))
    member = await colleague(hearing, root)
    body = {"role_name": "viewer", "principal_name": member.email, "principal_type": "User"}
    answer = await hearing.post("/api/v0/role-bindings", root.principal, **body)
    assert answer.status_code == 201, answer.text
    assert await bound_to(hearing, member.email) is None
    await heard_all(hearing)
    assert await bound_to(hearing, member.email) is None
    await reset(hearing, member.email)
    await is_bound_to(hearing, member.email, member.claims.sub)


async def test_an_admin_collects_nothing_that_waits_for_somebody(hearing: Auth) -> None:
    admin, address = await hearing.person("Admin"), new_address()
    await bind(hearing, address)
    body = {"email": address, "password": GOOD, "role": "member"}
    made = await hearing.post(f"{BASE}/users", admin.principal, **body)
    assert made.status_code == 200, made.text
    await heard_all(hearing)
    assert await bound_to(hearing, address) is None
    # Only a letter makes it theirs who reads it.
    await reset(hearing, address)
    await is_bound_to(hearing, address, made.json()["id"])


async def test_an_invitation_does_not_prove_who_knows_the_password(hearing: Auth) -> None:
    maker, other = await hearing.person("Maker"), await hearing.person("Other")
    member = await colleague(hearing, maker)
    await bind(hearing, member.email)
    await invite(hearing, other, member.email)
    answer = await accept(hearing, await invitation_token(hearing, member.email), GOOD)
    assert answer.status_code == 200, answer.text
    await heard_all(hearing)
    assert await bound_to(hearing, member.email) is None
    # The organization that made the account cannot bring it back any more either.
    for admin in (maker, other):
        path = f"{BASE}/users/{member.claims.sub}"
        assert (await hearing.send("DELETE", path, admin.principal)).status_code == 200
    again = {"email": member.email, "password": "another pass phrase"}
    assert (await hearing.post(f"{BASE}/users", maker.principal, **again)).status_code == 409


async def test_what_waits_for_a_new_address_is_given_after_the_move(hearing: Auth) -> None:
    ada, address = await hearing.person(), new_address()
    await bind(hearing, address)
    await move(hearing, ada, address)
    await is_bound_to(hearing, address, ada.claims.sub)


async def test_a_proof_is_said_once(auth: Auth) -> None:
    """A reset says that the address is proved only where it was not before."""
    ada, member = await auth.person(), await colleague(auth, await auth.person())
    await reset(auth, ada.email)
    await reset(auth, member.email)
    said = [event["account_id"] for event in await auth.events("account.verified.v1")]
    assert said.count(ada.claims.sub) == 1, "nothing changed for who had proved the address"
    assert said.count(member.claims.sub) == 2


async def test_a_reset_takes_from_the_admin_what_they_put_there(auth: Auth) -> None:
    admin = await auth.person("Admin")
    victim = await colleague(auth, admin)  # the admin knows the password, and signs in
    token = (await auth.post(f"{BASE}/tokens", victim.principal, name="x")).json()["token"]
    cookie = await auth.send(
        "POST",
        "/users/log-in",
        data={"email": victim.email, "password": GOOD},
        headers={"origin": "https://guildhall.example"},
    )
    assert cookie.status_code == 303, cookie.text
    machine, code, waiting = new_machine(), await begin(auth), await begin(auth)
    asked = await begin_machine(auth, machine)
    for user_code in (code["user_code"], asked["user_code"], waiting["user_code"]):
        approved = await approve(auth, victim.principal, user_code)
        assert approved.json() == {"approved": True}, approved.text
    device_key = (await poll(auth, code)).json()["api_key"]
    device = await enrol(auth, victim)
    for key in (token, device_key):
        assert (await check_key(auth, key)) is True

    await reset(auth, victim.email)

    for key in (token, device_key):
        assert (await check_key(auth, key)) is False
        assert (await auth.post("/v1/auth/token", api_key=key)).status_code == 401
    assert (await poll(auth, waiting)).json()["error"] == "invalid_grant"
    assert not (await auth.check(victim))["active"]
    web = cookie.headers["set-cookie"].partition(";")[0]
    seen = await auth.post("/internal/web-sessions/check", GATEWAY, cookie=web)
    assert not seen.json()["account_id"]
    linked = await auth.post("/internal/machines/check", GATEWAY, token=machine.subject)
    assert linked.json()["linked"] is False
    assert (await log_in(auth, victim.email, GOOD)).status_code == 401
    owner = await auth.sign_in(victim.email, NEW)
    assert owner.claims.sub == victim.claims.sub, "no code is asked"
    left = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.recovery_code WHERE account_id = $1", victim.claims.sub
    )
    assert left == 0
    assert device.recovery_codes
    subjects = [letter["Subject"] for letter in await auth.letters(victim.email, 4)]
    assert any("wo-factor" in subject for subject in subjects), subjects
    revoked = {event["key_id"] for event in await auth.events("api_key.revoked.v1")}
    keys = await auth.sql.fetch(
        "SELECT id FROM auth.api_key WHERE account_id = $1", victim.claims.sub
    )
    assert {key["id"] for key in keys} <= revoked


async def check_key(auth: Auth, key: str) -> bool:
    """Ask what the gateway asks about a key."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    answer = await auth.post("/internal/api-keys/check", GATEWAY, digest=digest)
    assert answer.status_code == 200, answer.text
    return bool(answer.json()["active"])


async def test_a_pending_second_factor_goes_too(auth: Auth) -> None:
    victim = await colleague(auth, await auth.person("Admin"))
    await auth.post("/v1/auth/2fa/enable", victim.principal)
    await reset(auth, victim.email)
    left = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.two_factor WHERE account_id = $1", victim.claims.sub
    )
    assert left == 0


async def test_an_identity_that_the_admin_linked_goes(world: World) -> None:
    auth, subject = world.auth, new_subject()
    person = await auth.person()
    await world.browser().sign_in(world.fake, "known", **verified(person.email, sub=subject))
    await auth.sql.execute(
        "UPDATE auth.account SET vouched_by = 'org_x' WHERE id = $1", person.claims.sub
    )
    await reset(auth, person.email)
    browser = world.browser()
    answer = await browser.sign_in(world.fake, "known", sub=subject)
    assert answer.status_code == 403
    assert await browser.account() is None


async def test_who_proved_the_address_keeps_what_is_theirs(auth: Auth) -> None:
    ada = await auth.person()
    token = (await auth.post(f"{BASE}/tokens", ada.principal, name="x")).json()["token"]
    await enrol(auth, ada)
    await reset(auth, ada.email)
    assert await check_key(auth, token) is True
    answer = await auth.post("/v1/auth/token", email=ada.email, password=NEW)
    assert answer.json()["detail"] == "2FA required"


async def test_the_first_key_from_the_waitlist_outlives_the_first_password(
    auth: Auth, root: Person
) -> None:
    address = new_address()
    await auth.post("/v1/waitlist", email=address)
    waiting = await auth.sql.fetchval(
        "SELECT id FROM auth.waiting_person WHERE email = $1", address
    )
    converted = await auth.post(f"/v1/admin/waitlist/{waiting}/convert", root.principal)
    token = await link_to(auth, address, _RESET)
    body: dict[str, Any] = {"token": token, "new_password": NEW}
    assert (await auth.post("/v1/auth/reset-password", **body)).status_code == 200
    assert await check_key(auth, converted.json()["key"]) is True


async def test_signing_up_for_somebody_keeps_nothing_after_their_reset(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with cloud(database_server, tmp_path) as auth:
        address = new_address()
        body: dict[str, Any] = {"email": address, "password": GOOD, "org_name": "Mine"}
        assert (await auth.post(f"{BASE}/signup", **body)).status_code == 200
        stranger = await auth.sign_in(address, GOOD)
        made = await auth.post(f"{BASE}/tokens", stranger.principal, name="x")
        await reset(auth, address)
        assert await check_key(auth, made.json()["token"]) is False


@asynccontextmanager
async def cloud(server: DatabaseServer, folder: Path) -> AsyncIterator[Auth]:
    async with (
        server.clone() as urls,
        running(urls, folder, UPLIFTR_DEPLOYMENT_MODE="cloud") as auth,
    ):
        yield auth


async def test_the_consumer_gives_nothing_to_whom_an_admin_made(auth: Auth) -> None:
    """The event is said of those accounts too; it is the address that decides."""
    member = await colleague(auth, await auth.person("Admin"))
    await bind(auth, member.email)
    async with auth.sql.transaction():
        await resolve_person(auth.sql, member.claims.sub)
    assert await bound_to(auth, member.email) is None
