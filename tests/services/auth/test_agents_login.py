"""Logins on the agents surface (agents contract, section 3)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.auth.passwords.operations import Passwords
from shared.principal import ANONYMOUS, Kind, Principal
from tests.services.auth.agents_support import (
    ACCOUNTS,
    API,
    Agents,
    new_name,
    running_agents,
)
from tests.services.auth.conftest import PASSWORD, new_address
from tests.services.auth.two_factor_support import enrol
from tests.support.postgres import DatabaseServer, DatabaseUrls

LOGIN = f"{API}/auth/internal"
ME = f"{API}/auth/me"
LOGOUT = f"{API}/auth/logout"
EXTERNAL = f"{API}/auth/external"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
REFUSED = {
    "error": {"code": "UNAUTHORIZED", "message": "Authentication required"},
    "message": "Authentication required",
}


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


@pytest.fixture(autouse=True)
async def nobody_is_throttled(agents: Agents) -> None:
    await agents.auth.sql.execute("DELETE FROM auth.throttle")


async def log_in(agents: Agents, user: Any, password: Any, **more: Any) -> httpx.Response:
    return await agents.post(LOGIN, {"user": user, "pass": password} | more, ANONYMOUS)


@pytest.mark.parametrize("path", ["internal", "login", "internal/"])
async def test_a_login_answers_what_clients_read(agents: Agents, path: str) -> None:
    made = await agents.account()
    body = {"pass": "test123", "user": made["user"], "namespace": "ignored"}
    answer = await agents.post(f"{API}/auth/{path}", body, ANONYMOUS)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    said = answer.json()
    assert set(said) == {"token", "token_type", "expires_at", "expires", "user"}
    assert said["token_type"] == "Bearer"
    assert said["user"] == {"username": made["user"], "role": "user"}
    assert said["expires"] == said["expires_at"]
    assert TIME.fullmatch(said["expires_at"])
    life = datetime.fromisoformat(said["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < life <= timedelta(hours=24)
    claims = await agents.auth.claims_of(said["token"])
    assert claims.exp - claims.iat == 86_400
    assert (claims.sub, claims.org, claims.role) == (made["id"], "", "")
    assert claims.sid.startswith("sas_")
    account = (await agents.get(f"{ACCOUNTS}/{made['id']}")).json()
    assert TIME.fullmatch(account["last_login_at"])


async def test_the_administrator_is_told_so(agents: Agents) -> None:
    assert (await log_in(agents, "admin", "admin")).json()["user"]["role"] == "admin"


async def test_the_gateway_is_told_who_it_is(agents: Agents) -> None:
    robot = await agents.robot()
    assert (robot.kind, robot.scopes, robot.role, robot.org) == (
        Kind.SERVICE_ACCOUNT,
        (),
        "",
        "",
    )
    assert not (await agents.check(robot.session, "somebody else"))["active"]
    assert not (await agents.check("sas_unknown", robot.subject))["active"]
    await agents.auth.sql.execute(
        "UPDATE auth.principal_session SET expires_at = now() WHERE id = $1", robot.session
    )
    assert not await agents.holds(robot)


async def test_every_refusal_is_the_same(agents: Agents) -> None:
    inactive, known = await agents.account(), await agents.account()
    await agents.put(f"{ACCOUNTS}/{inactive['id']}", {"active": False})
    answers = [
        await log_in(agents, user, password)
        for user, password in (
            (known["user"], "wrong"),
            (inactive["user"], "test123"),
            (inactive["user"], "wrong"),
            (new_name(), "test123"),
            ("../../etc", "x"),
            ("", ""),
            (known["id"], "test123"),
            (known["user"].upper(), "test123"),
            ("nobody@mail.example", "test123"),
        )
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()) == (401, REFUSED)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert set(answer.headers) == set(answers[0].headers)


async def test_a_refusal_costs_the_same_whatever_the_name(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    inactive, known = await agents.account(), await agents.account()
    await agents.put(f"{ACCOUNTS}/{inactive['id']}", {"active": False})
    checks: list[bool] = []
    matches = Passwords.matches

    async def counting(self: Passwords, stored: str | None, password: str) -> bool:
        checks.append(stored is not None)
        return await matches(self, stored, password)

    monkeypatch.setattr(Passwords, "matches", counting)
    costs = []
    for user in (known["user"], inactive["user"], new_name()):
        before = await agents.count("audit_event")
        await log_in(agents, user, "wrong")
        costs.append((await agents.count("audit_event")) - before)
    assert costs == [1, 1, 1]
    assert checks == [True, True, False], "one check of a password each"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"pass": "x"}, "user"),
        ({"user": "x"}, "pass"),
        ({"user": 7, "pass": "x"}, "user"),
        ({"user": "x", "pass": None}, "pass"),
        ({"user": "x", "pass": "x" * 1025}, "pass"),
        ({"user": "x" * 321, "pass": "x"}, "user"),
        ({"user": "x\u0000", "pass": "x"}, "user"),
    ],
)
async def test_what_is_wrong_is_named(agents: Agents, body: dict[str, Any], field: str) -> None:
    answer = await agents.post(LOGIN, body, ANONYMOUS)
    assert answer.status_code == 422
    assert [fault["loc"] for fault in answer.json()["error"]["details"]] == [["body", field]]


async def test_the_eleventh_wrong_try_is_429(agents: Agents) -> None:
    for name in ((await agents.account())["user"], new_name()):
        codes = [(await log_in(agents, name, "wrong")).status_code for _ in range(11)]
        assert codes == [401] * 10 + [429]
        blocked = await log_in(agents, name, "test123")
        assert blocked.status_code == 429
        assert blocked.json()["error"]["code"] == "RATE_LIMITED"
        assert 0 < int(blocked.headers["retry-after"]) <= 900
    assert (await log_in(agents, "admin", "admin")).status_code == 200, "others are not blocked"


async def test_the_31st_wrong_try_from_an_address_is_429(agents: Agents) -> None:
    headers = {"x-guildhall-client": "203.0.113.7"}
    for number in range(31):
        body = {"user": new_name(), "pass": "wrong"}
        answer = await agents.post(LOGIN, body, ANONYMOUS, headers=headers)
        assert answer.status_code == (401 if number < 30 else 429)
    right = {"user": "admin", "pass": "admin"}
    assert (await agents.post(LOGIN, right, ANONYMOUS, headers=headers)).status_code == 429
    assert (await agents.post(LOGIN, right, ANONYMOUS)).status_code == 200


async def test_of_many_wrong_tries_at_once_ten_are_answered(agents: Agents) -> None:
    name = (await agents.account())["user"]
    answers = await asyncio.gather(*(log_in(agents, name, "wrong") for _ in range(40)))
    codes = [answer.status_code for answer in answers]
    assert codes.count(401) <= 10
    assert set(codes) <= {401, 429}


async def test_a_right_try_forgives_the_account(agents: Agents) -> None:
    name = (await agents.account())["user"]
    for _ in range(2):
        for _ in range(9):
            assert (await log_in(agents, name, "wrong")).status_code == 401
        assert (await log_in(agents, name, "test123")).status_code == 200


async def test_counters_survive_a_restart(database_urls: DatabaseUrls, tmp_path: Path) -> None:
    async with running_agents(database_urls, tmp_path) as agents:
        for _ in range(10):
            assert (await log_in(agents, "somebody", "wrong")).status_code == 401
    async with running_agents(database_urls, tmp_path) as agents:
        assert (await log_in(agents, "somebody", "wrong")).status_code == 429


async def test_logins_do_not_hold_up_others(agents: Agents) -> None:
    """Hashing runs beside the loop: what needs none is answered while all its threads are busy."""
    name = (await agents.account())["user"]
    busy = [asyncio.ensure_future(log_in(agents, name, "test123")) for _ in range(20)]
    try:
        assert (await agents.get(ME)).status_code == 200
    finally:
        assert {answer.status_code for answer in await asyncio.gather(*busy)} == {200}


async def test_logging_out_ends_this_session_alone(agents: Agents) -> None:
    name = (await agents.account())["user"]
    one, other = await agents.log_in(name, "test123"), await agents.log_in(name, "test123")
    answer = await agents.auth.send("POST", LOGOUT, one)
    assert (answer.status_code, answer.content) == (204, b"")
    assert not await agents.holds(one)
    assert await agents.holds(other)
    said = [
        event
        for event in await agents.auth.events("session.revoked.v1")
        if event["session_id"] == one.session
    ]
    assert [event["account_id"] for event in said] == [one.subject]
    assert (await agents.auth.send("POST", LOGOUT, one)).status_code == 204
    assert (await agents.auth.send("POST", LOGOUT)).status_code == 401
    key = Principal(Kind.API_KEY, "key_x", "org_x", "admin", ("*",), "key_x", "usr_x")
    assert (await agents.auth.send("POST", LOGOUT, key)).status_code == 403


async def test_people_sign_in_with_their_address(agents: Agents) -> None:
    ada = await agents.auth.person("Ada Lovelace")
    answer = await log_in(agents, ada.email.upper(), PASSWORD)
    assert answer.status_code == 200
    assert answer.json()["user"] == {"username": ada.email, "role": "user"}
    claims = await agents.auth.claims_of(answer.json()["token"])
    assert claims.exp - claims.iat == 86_400
    assert (claims.sub, claims.org, claims.role) == (ada.claims.sub, ada.claims.org, "owner")
    assert (await log_in(agents, ada.email, "wrong")).json() == REFUSED
    me = (await agents.get(ME, ada.principal)).json()
    assert me == {
        "user": ada.email,
        "namespace": None,
        "workspace": None,
        "type": "Subject",
        "id": ada.claims.sub,
        "name": "Ada Lovelace",
        "username": ada.email,
        "email": ada.email,
        "roles": ["org-admin"],
    }
    assert (await agents.auth.send("POST", LOGOUT, ada.principal)).status_code == 204
    assert not (await agents.auth.check(ada))["active"], "it ends on every surface"
    events = await agents.auth.events("session.revoked.v1")
    assert ada.claims.sid in {event["session_id"] for event in events}


async def test_a_platform_administrator_is_told_so(agents: Agents) -> None:
    root = await agents.auth.make_platform_admin(await agents.auth.person())
    answer = await log_in(agents, root.email, PASSWORD)
    assert answer.json()["user"]["role"] == "admin"
    assert (await agents.get(ME, root.principal)).json()["roles"] == ["admin"]


async def test_people_need_their_second_factor_here_too(agents: Agents) -> None:
    device = await enrol(agents.auth)
    without = await log_in(agents, device.person.email, PASSWORD)
    assert without.status_code == 401
    assert "token" not in without.json()
    assert without.json()["challenge_token"]
    wrong = await log_in(agents, device.person.email, PASSWORD, code=device.wrong_code())
    assert (wrong.status_code, wrong.json()) == (401, REFUSED)
    right = await log_in(agents, device.person.email, PASSWORD, code=device.code())
    assert right.status_code == 200


async def test_one_failure_counter_for_a_person_on_all_surfaces(agents: Agents) -> None:
    ada = await agents.auth.person()
    for number in range(10):
        if number % 2:
            answer = await log_in(agents, ada.email, "wrong")
        else:
            answer = await agents.auth.post("/v1/auth/token", email=ada.email, password="wrong")
        assert answer.status_code == 401
    assert (await log_in(agents, ada.email, PASSWORD)).status_code == 429


async def test_an_unverified_address_does_not_sign_in(agents: Agents) -> None:
    address = new_address()
    await agents.auth.register(address)
    assert (await log_in(agents, address, PASSWORD)).status_code == 403


async def test_me_of_each_kind_of_caller(agents: Agents) -> None:
    me = (await agents.get(ME)).json()
    assert me["must_change_password"] is True
    assert (me["user"], me["type"], me["roles"]) == ("admin", "ServiceAccount", ["admin"])
    robot = await agents.robot("viewer", "operator", namespace="acme")
    me = (await agents.get(ME, robot)).json()
    assert set(me) == {
        "user",
        "namespace",
        "workspace",
        "type",
        "id",
        "name",
        "username",
        "email",
        "roles",
    }
    assert me["user"] == me["name"] == me["username"]
    assert me["id"] == robot.subject
    assert me["roles"] == ["operator", "viewer"]
    me = (await agents.get(ME, await agents.subject("oidc:ada"))).json()
    assert (me["user"], me["type"], me["email"], me["roles"]) == ("oidc:ada", "Subject", None, [])
    ada = await agents.auth.person()
    keys = f"/v1/admin/organizations/{ada.claims.org}/api-keys"
    made = (await agents.auth.post(keys, ada.principal, name="ci")).json()
    key = Principal(
        Kind.API_KEY, made["id"], ada.claims.org, "owner", ("*",), made["id"], ada.claims.sub
    )
    me = (await agents.get(ME, key)).json()
    assert (me["user"], me["type"], me["id"]) == (ada.email, "Subject", ada.claims.sub)
    assert (await agents.get(ME, ANONYMOUS)).status_code == 401
    for stranger in (
        Principal(Kind.MACHINE, "trc_ak_x"),
        Principal(Kind.SERVICE, "learnings"),
    ):
        assert (await agents.get(ME, stranger)).status_code == 403
    for gone in (
        Principal(Kind.USER, "usr_gone", "org_x", "owner", ("*",), "ses_x", "usr_gone"),
        Principal(Kind.SERVICE_ACCOUNT, "00000000-0000-4000-8000-000000000009"),
        Principal(Kind.SERVICE_ACCOUNT, "no id"),
    ):
        assert (await agents.get(ME, gone)).status_code == 401


async def test_a_subject_signs_in_on_an_administrators_word(agents: Agents) -> None:
    answer = await agents.post(EXTERNAL, {"subject": "ada"})
    assert answer.status_code == 200
    assert answer.json()["user"] == {"username": "ada", "role": "user"}
    assert answer.headers["cache-control"] == "no-store"
    subject = await agents.principal_of(answer.json()["token"])
    assert (subject.kind, subject.subject, subject.scopes) == (Kind.SUBJECT, "ada", ())
    assert (await agents.auth.send("POST", LOGOUT, subject)).status_code == 204
    assert not await agents.holds(subject)
    root = await agents.auth.make_platform_admin(await agents.auth.person())
    allowed = await agents.post(EXTERNAL, {"subject": "ada"}, root.principal)
    assert allowed.status_code == 200


async def test_nobody_else_signs_subjects_in(agents: Agents) -> None:
    before = await agents.count("principal_session")
    assert (await agents.post(EXTERNAL, {"subject": "admin"}, ANONYMOUS)).status_code == 401
    local = await agents.robot("admin", namespace="acme")
    limited = await agents.robot("viewer", "operator")
    owner = await agents.auth.person()
    key = Principal(Kind.API_KEY, "key_x", "org_x", "admin", ("*",), "key_x", owner.claims.sub)
    for caller in (local, limited, owner.principal, key, await agents.subject("oidc:x")):
        answer = await agents.post(EXTERNAL, {"subject": "admin"}, caller)
        assert answer.status_code == 403
    assert await agents.count("principal_session") == before + 2
    cluster = await agents.robot("cluster-admin")
    assert (await agents.post(EXTERNAL, {"subject": "x"}, cluster)).status_code == 200


async def test_what_happened_is_written_down(agents: Agents) -> None:
    made = await agents.account()
    headers = {"x-guildhall-client": "203.0.113.9", "user-agent": "cli/1"}
    body = {"user": made["user"], "pass": "wrong"}
    await agents.post(LOGIN, body, ANONYMOUS, headers=headers)
    await agents.post(LOGIN, body | {"pass": "test123"}, ANONYMOUS, headers=headers)
    rows = await agents.auth.sql.fetch(
        "SELECT * FROM auth.audit_event WHERE client = '203.0.113.9' ORDER BY id"
    )
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("session.opened", "refused"),
        ("session.opened", "done"),
    ]
    assert [row["actor_id"] for row in rows] == ["", made["id"]]
    assert rows[0]["target"] == made["id"]
    assert rows[1]["user_agent"] == "cli/1"
    assert "test123" not in str([tuple(row.values()) for row in rows])
