"""A token opens the one door that it was made for, and no log line ever holds one."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from shared.principal import Principal
from tests.services.auth.attack_support import NEW, Tourist, cookie_of, tour
from tests.services.auth.conftest import PASSWORD, Auth, Person, new_address, running
from tests.services.auth.device_support import (
    GRANT,
    approve,
    begin,
    begin_machine,
    new_machine,
)
from tests.services.auth.fake_teams import TEAMS_KEY, FakeTeams, fake_teams
from tests.services.auth.two_factor_support import Device, challenge, enrol
from tests.support.postgres import DatabaseServer


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


@dataclass
class Scene:
    """One person for whom every kind of token was made, none of them used yet."""

    tourist: Tourist
    person: Person
    device: Device
    machine: Principal
    tokens: dict[str, str]

    def door(self, kind: str) -> Callable[[str], Awaitable[httpx.Response]]:
        """Give what presents a token at the door of a kind, with all else as it must be."""
        return getattr(self, f"_{kind}")  # type: ignore[no-any-return]

    async def _verification(self, token: str) -> httpx.Response:
        return await self.tourist.post("/v1/auth/verify-email", token=token)

    async def _verification_page(self, token: str) -> httpx.Response:
        return await self.tourist.form("/auth/verify-email", token=token)

    async def _email(self, token: str) -> httpx.Response:
        path = "/v1/auth/email/confirm"
        return await self.tourist.post(path, self.person.principal, token=token)

    async def _reset(self, token: str) -> httpx.Response:
        body: dict[str, Any] = {"token": token, "new_password": NEW}
        return await self.tourist.post("/v1/auth/reset-password", **body)

    async def _reset_page(self, token: str) -> httpx.Response:
        return await self.tourist.form(f"/users/reset-password/{token}", new_password=NEW)

    async def _invitation(self, token: str) -> httpx.Response:
        body: dict[str, Any] = {"token": token, "password": NEW}
        return await self.tourist.post("/api/v1/auth/accept-invite", **body)

    async def _invitation_page(self, token: str) -> httpx.Response:
        return await self.tourist.form("/accept-invite", token=token, password=NEW)

    async def _link(self, token: str) -> httpx.Response:
        return await self.tourist.form(f"/users/log-in/{token}")

    async def _challenge(self, token: str) -> httpx.Response:
        body: dict[str, Any] = {"challenge_token": token, "code": self.device.recovery_codes[0]}
        return await self.tourist.post("/v1/auth/2fa/verify", **body)

    async def _challenge_page(self, token: str) -> httpx.Response:
        cookie = f"__Host-guildhall_challenge={token}"
        code = self.device.recovery_codes[0]
        return await self.tourist.form("/users/complete-login", cookie, totp=code)

    async def _refresh(self, token: str) -> httpx.Response:
        return await self.tourist.post("/v1/auth/refresh", refresh_token=token)

    async def _key(self, token: str) -> httpx.Response:
        return await self.tourist.post("/v1/auth/token", api_key=token)

    async def _device_key(self, token: str) -> httpx.Response:
        body: dict[str, Any] = {"client_id": "trw-cli", "device_code": token, "grant_type": GRANT}
        return await self.tourist.post("/v1/auth/device/token", **body)

    async def _device_machine(self, token: str) -> httpx.Response:
        return await self.tourist.send("GET", f"/api/auth/device/{token}", self.machine)

    async def _cookie(self, token: str) -> httpx.Response:
        headers = {"cookie": f"__Host-guildhall_session={token}"}
        return await self.tourist.send("GET", "/api/account", headers=headers)


PAGES = {"verification_page", "reset_page", "invitation_page", "challenge_page"}
"""Second doors of a kind."""

DOORS = {name[1:] for name in vars(Scene) if name.startswith("_") and not name.startswith("__")}


async def scene(auth: Auth) -> Scene:
    """Make every kind of token for one person, but for what only strangers get."""
    tourist, tokens = Tourist(auth), {}
    person = await auth.person()
    fresh = new_address()
    await tourist.register(fresh)
    tokens["verification"] = await tourist.mailed("verification", fresh)
    first = await auth.post("/v1/auth/token", email=person.email, password=PASSWORD)
    tokens["refresh"] = first.json()["refresh_token"]
    signed_in = await tourist.form("/users/log-in", email=person.email, password=PASSWORD)
    tokens["cookie"] = cookie_of(signed_in).partition("=")[2]
    made = await auth.post("/api/v1/auth/tokens", person.principal, name="mine")
    tokens["key"] = made.json()["token"]
    to, guest = new_address(), new_address()
    await tourist.post("/v1/auth/email", person.principal, new_email=to, password=PASSWORD)
    tokens["email"] = await tourist.mailed("email", to)
    await tourist.post("/api/v1/auth/invites", person.principal, email=guest)
    tokens["invitation"] = await tourist.mailed("invitation", guest)
    await tourist.form("/users/log-in", email=person.email, by="link")
    tokens["link"] = await tourist.mailed("link", person.email)
    await tourist.post("/v1/auth/forgot-password", email=person.email)
    tokens["reset"] = await tourist.mailed("reset", person.email)
    code, machine = await begin(auth), new_machine()
    tokens["device_key"] = code["device_code"]
    asked = await begin_machine(auth, machine)
    tokens["device_machine"] = asked["device_code"]
    for user_code in (code["user_code"], asked["user_code"]):
        await approve(auth, person.principal, user_code)
    device = await enrol(auth, person)
    tokens["challenge"] = await challenge(auth, person)
    return Scene(tourist, person, device, machine, tokens)


async def test_a_token_is_refused_at_every_door_but_its_own(auth: Auth) -> None:
    one = await scene(auth)
    tokens = one.tokens | {"access": one.person.token, "recovery": one.device.recovery_codes[1]}
    assert tokens.keys() - {"access", "recovery"} == DOORS - PAGES
    wrong = []
    for door in sorted(DOORS):
        refusals = set()
        for kind, token in tokens.items():
            if kind == door.removesuffix("_page"):
                continue
            answer = await one.door(door)(token)
            refusals.add(answer.status_code)
            signs_in = [h for h in answer.headers.get_list("set-cookie") if "Max-Age=0" not in h]
            if signs_in or (answer.status_code < 400 and not _led_back(answer)):
                wrong.append((kind, door, answer.status_code))
        # One that is too long to be any token may be told so.
        assert len(refusals - {422}) == 1, f"{door} tells kinds of tokens apart: {refusals}"
    assert wrong == []
    # Nothing was used up: each still opens its own door. A reset ends others, a move ends a reset.
    last = ("reset", "email")
    for kind in (*sorted(DOORS - PAGES - {*last}), *last):
        answer = await one.door(kind)(one.tokens[kind])
        assert answer.status_code in (200, 303), f"{kind}: {answer.status_code} {answer.text}"


def _led_back(answer: httpx.Response) -> bool:
    """Tell whether a page sends whoever is not signed in to where one signs in."""
    return answer.status_code == 303 and answer.headers["location"].startswith("/users/log-in")


async def crash(auth: Auth) -> Scene:
    """Use every token while the audit log is away, so that most doors fail half-way."""
    one = await scene(auth)
    one.tourist.keep("key", *one.tokens.values(), one.device.recovery_codes[0])
    await auth.sql.execute("ALTER TABLE auth.audit_event RENAME TO away")
    try:
        answers = {kind: await one.door(kind)(token) for kind, token in one.tokens.items()}
        body = {"email": one.person.email, "password": "not the right one"}
        one.tourist.keep("password", body["password"])
        answers["password"] = await one.tourist.send("POST", "/v1/auth/token", json=body)
    finally:
        await auth.sql.execute("ALTER TABLE auth.away RENAME TO audit_event")
    crashed = {kind for kind, answer in answers.items() if answer.status_code == 500}
    assert crashed >= {"verification", "email", "reset", "invitation", "link", "password"}
    for kind in crashed:
        assert one.tokens.get(kind, body["password"]) not in answers[kind].text
    return one


async def test_no_secret_is_logged_on_the_way(
    auth: Auth,
    root: Person,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Nothing masks the lines here: a secret must not come near them."""
    caplog.set_level(logging.DEBUG)
    # The client is the test's own, and tells of the paths that it asks for.
    for own in ("httpx", "httpcore"):
        caplog.set_level(logging.WARNING, own)
    tourist = Tourist(auth)
    await tour(tourist, root)
    crashed = await crash(auth)
    written = "\n".join([caplog.text, *capfd.readouterr()])
    assert "Traceback" in written, "nothing was seen"
    assert tourist.secrets.keys() == {
        "password",
        "session",
        "cookie",
        "key",
        "challenge",
        "recovery code",
        "device code",
        "verification",
        "reset",
        "email",
        "invitation",
        "link",
    }
    for kept in (tourist.secrets, crashed.tourist.secrets):
        for kind, secrets in kept.items():
            for secret in secrets:
                assert secret not in written, f"a {kind} stands in the log"


async def test_no_secret_is_kept_readable(auth: Auth, root: Person) -> None:
    """What stands in the tables opens nothing; letters are gone once they are sent."""
    tourist = Tourist(auth)
    await tour(tourist, root)
    tables = await auth.sql.fetch(
        "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE nspname = 'auth' AND relkind = 'r' AND relname <> 'letter'"
    )
    rows = [
        str(row["line"])
        for table in tables
        for row in await auth.sql.fetch(
            f'SELECT t::text AS line FROM auth."{table["relname"]}" t'  # noqa: S608 - a table
        )
    ]
    for kind, secrets in tourist.secrets.items():
        for secret in secrets:
            assert not [line for line in rows if secret in line], f"a {kind} stands in a table"
