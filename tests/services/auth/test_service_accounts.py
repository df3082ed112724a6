"""Service accounts (agents contract, section 4.1)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.services.auth.agents_support import (
    ACCOUNTS,
    API,
    BINDINGS,
    Agents,
    new_name,
    rule,
    running_agents,
)
from tests.support.postgres import DatabaseServer

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@pytest.fixture(scope="module")
async def agents(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Agents]:
    folder = tmp_path_factory.mktemp("data")
    async with database_server.clone() as urls, running_agents(urls, folder) as running:
        yield running


async def test_one_is_made_and_shown_without_its_password(agents: Agents) -> None:
    name = new_name()
    body = {"user": name, "pass": "test123", "description": "Builds", "namespace": "ignored"}
    answer = await agents.post(ACCOUNTS, body)
    assert answer.status_code == 201
    made = answer.json()
    assert set(made) == {
        "id",
        "user",
        "namespace",
        "workspace",
        "description",
        "active",
        "created_at",
        "updated_at",
        "last_login_at",
    }
    assert UUID(made["id"]).version == 4
    assert (made["user"], made["description"], made["active"]) == (name, "Builds", True)
    assert made["namespace"] is made["workspace"] is made["last_login_at"] is None
    assert TIME.fullmatch(made["created_at"])
    assert TIME.fullmatch(made["updated_at"])
    assert "test123" not in answer.text
    assert "argon2" not in answer.text
    for reference in (made["id"], made["id"].upper(), name):
        assert (await agents.get(f"{ACCOUNTS}/{reference}")).json() == made


async def test_the_list_is_newest_first(agents: Agents) -> None:
    names = [(await agents.account())["user"] for _ in range(3)]
    answer = await agents.get(ACCOUNTS)
    assert [item["user"] for item in answer.json()][:3] == names[::-1]
    assert int(answer.headers["x-total-count"]) == len(answer.json())


async def test_pages_are_arrays_with_links(agents: Agents) -> None:
    for _ in range(4):
        await agents.account()
    total = await agents.count("service_account")
    whole = (await agents.get(ACCOUNTS)).json()
    seen: list[dict[str, Any]] = []
    page = 1
    while True:
        answer = await agents.get(f"{ACCOUNTS}?page={page}&limit=2")
        assert answer.headers["x-total-count"] == str(total)
        seen += answer.json()
        links = dict(
            (match[2], match[1])
            for match in re.finditer(r'<([^>]+)>; rel="(\w+)"', answer.headers["link"])
        )
        last = -(-total // 2)
        assert links["first"] == f"{ACCOUNTS}?page=1&limit=2"
        assert links["last"] == f"{ACCOUNTS}?page={last}&limit=2"
        assert links.get("prev") == (f"{ACCOUNTS}?page={page - 1}&limit=2" if page > 1 else None)
        if "next" not in links:
            break
        assert links["next"] == f"{ACCOUNTS}?page={page + 1}&limit=2"
        page += 1
    assert seen == whole
    beyond = await agents.get(f"{ACCOUNTS}?page=9999&limit=2")
    assert beyond.json() == []
    assert 'rel="prev"' in beyond.headers["link"]
    assert len((await agents.get(f"{ACCOUNTS}?limit=1")).json()) == 1


@pytest.mark.parametrize("query", ["page=0", "limit=0", "limit=201", "page=x", "limit=-1", "page="])
async def test_bad_paging_is_422(agents: Agents, query: str) -> None:
    answer = await agents.get(f"{ACCOUNTS}?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "UNPROCESSABLE_ENTITY"


async def test_a_taken_name_is_409(agents: Agents) -> None:
    made = await agents.account()
    before = await agents.count("service_account")
    answer = await agents.post(ACCOUNTS, {"user": made["user"], "pass": "other"})
    assert answer.status_code == 409
    message = "Service account already exists"
    assert answer.json() == {"error": {"code": "CONFLICT", "message": message}, "message": message}
    assert await agents.count("service_account") == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"pass": "x"}, "user"),
        ({"user": "x"}, "pass"),
        ({"user": "", "pass": "x"}, "user"),
        ({"user": "a b", "pass": "x"}, "user"),
        ({"user": "../etc", "pass": "x"}, "user"),
        ({"user": "a\n", "pass": "x"}, "user"),
        ({"user": "ü", "pass": "x"}, "user"),
        ({"user": "a@b.c", "pass": "x"}, "user"),
        ({"user": "x" * 256, "pass": "x"}, "user"),
        ({"user": 7, "pass": "x"}, "user"),
        ({"user": "current-user", "pass": "x"}, "user"),
        ({"user": "fine", "pass": ""}, "pass"),
        ({"user": "fine", "pass": "x" * 1025}, "pass"),
        ({"user": "fine", "pass": None}, "pass"),
        ({"user": "fine", "pass": "x", "description": "x" * 1001}, "description"),
        ({"user": "fine", "pass": "x", "description": 7}, "description"),
        ({"user": "fine", "pass": "x\u0000"}, "pass"),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_stored(
    agents: Agents, body: dict[str, Any], field: str
) -> None:
    before = await agents.count("service_account")
    answer = await agents.post(ACCOUNTS, body)
    assert answer.status_code == 422, answer.text
    assert [fault["loc"] for fault in answer.json()["error"]["details"]] == [["body", field]]
    assert await agents.count("service_account") == before


async def test_bodies_that_are_no_json(agents: Agents) -> None:
    send = agents.auth.send
    broken = await send("POST", ACCOUNTS, agents.admin, content=b"{")
    assert broken.status_code == 400
    typed = await send(
        "POST", ACCOUNTS, agents.admin, content=b"a=b", headers={"content-type": "text/plain"}
    )
    assert typed.status_code == 415
    empty = await send("POST", ACCOUNTS, agents.admin)
    assert empty.status_code == 422
    large = await send("POST", ACCOUNTS, agents.admin, content=b"x" * 2_000_001)
    assert large.status_code == 413
    wrong = await send("PUT", ACCOUNTS, agents.admin)
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, HEAD, POST")
    for answer in (broken, typed, empty, large, wrong):
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["message"] == answer.json()["error"]["message"]


async def test_nothing_is_assigned_that_is_not_offered(agents: Agents) -> None:
    more = {
        "id": str(uuid4()),
        "active": False,
        "role": "admin",
        "token_version": 9,
        "must_change_password": True,
        "created_at": "2020-01-01T00:00:00Z",
    }
    answer = await agents.post(ACCOUNTS, {"user": new_name(), "pass": "x"} | more)
    made = answer.json()
    assert made["active"] is True
    assert made["id"] != more["id"]
    robot = await agents.log_in(made["user"], "x")
    me = (await agents.get(f"{API}/auth/me", robot)).json()
    assert me["roles"] == []
    assert "must_change_password" not in me


async def test_paths_answer_with_and_without_slashes(agents: Agents) -> None:
    made = await agents.account()
    for start in (ACCOUNTS, f"http://auth/{ACCOUNTS}"):
        for tail in (made["id"], f"{made['user']}/"):
            answer = await agents.get(f"{start}/{tail}")
            assert (answer.status_code, answer.json()) == (200, made)


async def test_current_user_is_the_caller(agents: Agents) -> None:
    robot = await agents.robot()
    answer = await agents.get(f"{ACCOUNTS}/current-user", robot)
    assert (answer.status_code, answer.json()["id"]) == (200, robot.subject)
    # Seeing oneself takes no permission, seeing others does.
    for reference in (robot.subject, answer.json()["user"]):
        assert (await agents.get(f"{ACCOUNTS}/{reference}", robot)).status_code == 200
    other = await agents.account()
    for reference in (other["id"], other["user"], "nobody", str(uuid4())):
        assert (await agents.get(f"{ACCOUNTS}/{reference}", robot)).status_code == 403
    nobody = await agents.get(f"{ACCOUNTS}/current-user", await agents.subject("oidc:ada"))
    assert (nobody.status_code, nobody.json()["message"]) == (404, "Service account not found")


async def test_put_and_patch_change_what_is_sent(agents: Agents) -> None:
    made = await agents.account()
    path = f"{ACCOUNTS}/{made['user']}"
    answer = await agents.put(path, {"description": "One"})
    assert (answer.status_code, answer.json()["description"]) == (200, "One")
    patched = await agents.auth.send("PATCH", path, agents.admin, json={"active": False})
    assert patched.json()["active"] is False
    assert patched.json()["description"] == "One"
    assert patched.json()["updated_at"] > made["updated_at"]
    cleared = (await agents.put(path, {"description": None, "active": None})).json()
    assert (cleared["description"], cleared["active"]) == (None, False)
    for body in ({}, {"namespace": "acme"}, {"active": None}, {"id": "x", "user": "y"}):
        nothing = await agents.put(path, body)
        assert (nothing.status_code, nothing.json()["message"]) == (400, "No fields to update")
    wrongs: tuple[Any, ...] = ("true", 1, [])
    for wrong in wrongs:
        assert (await agents.put(path, {"active": wrong})).status_code == 422
    assert (await agents.put(f"{ACCOUNTS}/nobody", {"active": True})).status_code == 404


async def test_deactivation_ends_tokens_and_logins(agents: Agents) -> None:
    made = await agents.account()
    robot = await agents.log_in(made["user"], "test123")
    assert await agents.holds(robot)
    await agents.put(f"{ACCOUNTS}/{made['id']}", {"active": False})
    assert not await agents.holds(robot)
    assert (await agents.get(f"{API}/auth/me", robot)).status_code == 401
    refused = await agents.post(f"{API}/auth/login", {"user": made["user"], "pass": "test123"})
    assert refused.status_code == 401
    await agents.put(f"{ACCOUNTS}/{made['id']}", {"active": True})
    assert not await agents.holds(robot), "an old token came back to life"
    assert await agents.holds(await agents.log_in(made["user"], "test123"))


async def test_deletion_takes_bindings_and_tokens_along(agents: Agents) -> None:
    made = await agents.account()
    role = await agents.role(rule("agents", "get"))
    await agents.bind(role["name"], made["user"], "acme")
    robot = await agents.log_in(made["user"], "test123")
    answer = await agents.delete(f"{ACCOUNTS}/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert not await agents.holds(robot)
    bound = await agents.get(f"{BINDINGS}?principal_name={made['user']}")
    assert bound.json() == []
    for again in (made["id"], made["user"]):
        gone = await agents.delete(f"{ACCOUNTS}/{again}")
        assert (gone.status_code, gone.json()["message"]) == (404, "Service account not found")
        assert (await agents.get(f"{ACCOUNTS}/{again}")).status_code == 404


async def test_the_same_name_again_is_somebody_else(agents: Agents) -> None:
    made = await agents.account()
    await agents.bind("admin", made["user"])
    old = await agents.log_in(made["user"], "test123")
    await agents.delete(f"{ACCOUNTS}/{made['id']}")
    again = await agents.account(made["user"])
    assert again["id"] != made["id"]
    assert not await agents.holds(old)
    assert (await agents.get(ACCOUNTS, old)).status_code == 401
    new = await agents.log_in(made["user"], "test123")
    assert (await agents.get(f"{API}/auth/me", new)).json()["roles"] == []


async def test_an_account_named_like_anothers_id_is_not_that_one(agents: Agents) -> None:
    one = await agents.account()
    other = await agents.account(one["id"])
    assert (await agents.get(f"{ACCOUNTS}/{one['id']}")).json()["user"] == one["user"]
    assert (await agents.get(f"{ACCOUNTS}/{other['id']}")).json()["user"] == one["id"]
    await agents.bind("viewer", one["id"])
    robot = await agents.log_in(one["user"], "test123")
    assert (await agents.get(f"{API}/auth/me", robot)).json()["roles"] == []
    robot = await agents.log_in(one["id"], "test123")
    assert (await agents.get(f"{API}/auth/me", robot)).json()["roles"] == ["viewer"]


async def test_a_key_makes_one_account_of_two_requests(agents: Agents) -> None:
    body = {"user": new_name(), "pass": "test123"}
    headers = {"idempotency-key": uuid4().hex}
    first = await agents.post(ACCOUNTS, body, headers=headers)
    again = await agents.post(ACCOUNTS, body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replay"] == "true"
    other = await agents.post(ACCOUNTS, body | {"description": "x"}, headers=headers)
    assert other.status_code == 422
    listed = [item["user"] for item in (await agents.get(ACCOUNTS)).json()]
    assert listed.count(body["user"]) == 1


async def test_creating_one_name_at_once_makes_one(agents: Agents) -> None:
    body = {"user": new_name(), "pass": "x"}
    answers = await asyncio.gather(*(agents.post(ACCOUNTS, body) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7


async def test_permission_for_one_named_account(agents: Agents) -> None:
    one, other = await agents.account(), await agents.account()
    holder = await agents.holding(rule("service-accounts", "*", resource_names=[one["user"]]))
    for reference in (one["id"], one["user"]):
        assert (await agents.get(f"{ACCOUNTS}/{reference}", holder)).status_code == 200
        changed = await agents.put(f"{ACCOUNTS}/{reference}", {"description": "x"}, holder)
        assert changed.status_code == 200
    for reference in (other["id"], other["user"], "nobody"):
        assert (await agents.get(f"{ACCOUNTS}/{reference}", holder)).status_code == 403
    assert (await agents.get(ACCOUNTS, holder)).status_code == 403
    created = await agents.post(ACCOUNTS, {"user": one["user"], "pass": "x"}, holder)
    assert created.status_code == 403
