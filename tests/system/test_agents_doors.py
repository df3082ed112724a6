"""The agents surface at the gateway: how its doors behave (agents contract, sections 1 and 2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.support.stack import Stack
from tests.system.people import PASSWORD, joined
from tests.system.robots import API, Robot, client_of, new_name, operations, until

pytestmark = [pytest.mark.stack]

PAGE: Final = "http://localhost:3000"
TAGS: Final = {
    *("Health", "Auth", "Service Accounts", "Roles", "Role Bindings", "Workspaces"),
    *("Agents", "Sessions", "Messages"),
}
LISTS: Final = ("agents", "sessions", "messages", "workspaces", "roles", "accounts", "bindings")


@pytest.fixture(scope="module")
async def ada(stack: Stack) -> AsyncIterator[Robot]:
    """Somebody who administers the namespace that ``id`` names."""
    async with client_of(stack.base_url) as client:
        person = await joined(client, stack.mail_directory, f"{new_name('ada')}@doors.example")
        robot = Robot(client, person.email, person.token)

        async def home() -> str:
            spaces = await robot.get("workspaces")
            return str(spaces[0]["id"]) if spaces else ""

        robot.id = await until(home)
        yield robot


async def test_the_document_has_every_route_and_its_schemas(ada: Robot) -> None:
    page = await ada.client.get("/swagger-ui/")
    assert page.headers["content-type"].startswith("text/html")
    answer = await ada.client.get("/api-docs/openapi.json")
    assert '": ' not in answer.text, "clients' tests search it for {id} with grep"
    document = answer.json()
    assert document["info"]["title"] == "Raworc REST API"
    bearer = document["components"]["securitySchemes"]["bearer_auth"]
    assert (bearer["type"], bearer["scheme"]) == ("http", "bearer")
    schemas = document["components"]["schemas"]

    def resolved(content: dict[str, Any]) -> dict[str, Any]:
        schema = next(iter(content.values()))["schema"]
        found: dict[str, Any] = schemas.get(schema.get("$ref", "").rpartition("/")[2], schema)
        return found

    paths = {path: item for path, item in document["paths"].items() if path.startswith(f"{API}/")}
    assert f"{API}/sessions/{{id}}/messages" in paths
    assert f"{API}/service-accounts/{{id}}/password" in paths
    tags, public = set(), set()
    for path, item in paths.items():
        for method, operation in item.items():
            tags |= set(operation["tags"])
            if not operation["security"]:
                public.add(path.removeprefix(f"{API}/"))
            (good,) = (status for status in operation["responses"] if status < "400")
            content = operation["responses"][good].get("content", {})
            assert bool(content) == (good != "204"), (method, path)
            if content:
                is_array = resolved(content).get("type") == "array"
                assert is_array == (method == "get" and path.endswith(LISTS)), (method, path)
            if method == "put":
                assert resolved(operation["requestBody"]["content"])["properties"], path
                assert item["patch"] == operation | {"operationId": item["patch"]["operationId"]}
    assert tags == TAGS
    assert public == {"health", "version", "auth/internal", "auth/login", "auth/external"}


async def test_pages_of_the_web_client_may_call_and_others_may_not(ada: Robot) -> None:
    wanted = {"access-control-request-method": "PUT"}
    wanted |= {"access-control-request-headers": "authorization,content-type"}
    for origin, is_known in ((PAGE, True), ("https://evil.example", False), ("null", False)):
        headers = {"origin": origin}
        path = f"{API}/agents/x"
        asked = await ada.client.options(path, headers=headers | wanted)
        assert asked.status_code == 204
        read = await ada.send("GET", "agents?page=1", headers=headers)
        for answer in (asked, read):
            allowed = answer.headers.get("access-control-allow-origin")
            assert allowed == (origin if is_known else None)
        if is_known:
            methods = asked.headers["access-control-allow-methods"].split(", ")
            assert {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} <= set(methods)
            named = asked.headers["access-control-allow-headers"].split(", ")
            assert {"authorization", "content-type"} <= set(named)
            shown = set(read.headers["access-control-expose-headers"].lower().split(", "))
            rates = {f"x-ratelimit-{name}" for name in ("limit", "remaining", "reset")}
            assert {"x-total-count", "link"} | rates <= shown
        else:
            assert not [name for name in asked.headers if name.startswith("access-control-")]


async def test_public_routes_do_not_look_at_what_is_shown(ada: Robot) -> None:
    stale = {"authorization": "Bearer of.another.server"}
    for path in ("health", "version"):
        assert (await ada.client.get(f"{API}/{path}", headers=stale)).status_code == 200
    body = {"pass": PASSWORD, "user": ada.name}
    answer = await ada.client.post(f"{API}/auth/login", json=body, headers=stale)
    assert answer.status_code == 200
    assert answer.json()["user"]["username"] == ada.name
    version = (await ada.client.get(f"{API}/version")).json()
    assert (set(version), version["api"]) == ({"version", "api"}, "v0")


async def test_every_other_route_wants_a_credential(ada: Robot) -> None:
    for method, path in sorted(await operations(ada)):
        for headers in ({}, {"authorization": "Bearer x"}):
            answer = await ada.client.request(method.upper(), f"{API}/{path}", headers=headers)
            assert (answer.status_code, answer.json()["message"]) == (
                401,
                "Authentication required",
            )


async def test_both_forms_of_slashes_answer_directly(ada: Robot) -> None:
    made = await ada.make("sessions", namespace=ada.id)
    base = str(ada.client.base_url).rstrip("/")
    for path in ("version", "agents", f"sessions/{made['id']}/messages", "auth/me", "roles"):
        answers = [
            await ada.client.get(f"{base}{form}", headers=ada.headers)
            for form in (f"{API}/{path}", f"{API}/{path}/", f"/{API}/{path}", f"/{API}/{path}/")
        ]
        assert len({(answer.status_code, answer.text) for answer in answers}) == 1, path
        assert answers[0].status_code in (200, 403)
    posted = await ada.client.post(f"{base}/{API}/sessions/", headers=ada.headers, json={})
    assert posted.status_code == 403
    assert posted.json()["message"] == "Insufficient permissions"


async def test_bodies_may_be_absent_and_patch_is_put(ada: Robot) -> None:
    says_json = {"content-type": "application/json"}
    agent = await ada.make("agents", namespace=ada.id, name="patched", model="m", max_tokens=4096)
    path = f"agents/{agent['id']}"
    for method in ("PUT", "PATCH"):
        answer = await ada.send(method, path, {"description": method})
        assert (answer.status_code, answer.json()["description"]) == (200, method)
    assert (await ada.send("GET", path, headers=says_json)).status_code == 200
    assert (await ada.send("GET", path, {"typed": "by mistake"})).status_code == 200
    made = await ada.make("sessions", namespace=ada.id)
    for step in ("close", "restore"):
        for headers in (says_json, {}):
            answer = await ada.send("POST", f"sessions/{made['id']}/{step}", headers=headers)
            # What is being started cannot be closed yet.
            assert answer.status_code in (200, 400), answer.text
    answer = await ada.send("DELETE", f"sessions/{made['id']}", headers=says_json)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_lists_are_arrays_with_their_length_and_links(ada: Robot) -> None:
    for number in range(3):
        await ada.make("agents", namespace=ada.id, name=f"agent-{number}", model="paged")
    answer = await ada.send("GET", f"agents?namespace={ada.id}&model=paged&page=2&limit=1")
    assert [one["name"] for one in answer.json()] == ["agent-1"]
    assert answer.headers["x-total-count"] == "3"
    for name in ("first", "prev", "next", "last"):
        assert f'rel="{name}"' in answer.headers["link"]
    for path in ("sessions", "workspaces", "role-bindings"):
        answer = await ada.send("GET", path)
        assert answer.headers["x-total-count"] == str(len(answer.json()))
        assert answer.headers["link"]


WRONG: Final[list[tuple[str, str, Any, int, str]]] = [
    ("GET", "nothing", None, 404, "NOT_FOUND"),
    ("GET", "", None, 404, "NOT_FOUND"),
    ("GET", "spaces", None, 404, "NOT_FOUND"),
    ("GET", "agents/nothing", None, 404, "NOT_FOUND"),
    ("PUT", "agents/nothing", {"model": "m"}, 400, "BAD_REQUEST"),
    ("GET", "sessions/nothing", None, 400, "BAD_REQUEST"),
    ("GET", "sessions?state=STARTED", None, 400, "BAD_REQUEST"),
    ("GET", "agents?limit=201", None, 422, "UNPROCESSABLE_ENTITY"),
    ("PATCH", "agents", {}, 405, "METHOD_NOT_ALLOWED"),
    ("PUT", "roles/viewer", {}, 405, "METHOD_NOT_ALLOWED"),
    ("DELETE", "version", None, 405, "METHOD_NOT_ALLOWED"),
    ("POST", "agents", {}, 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "agents", {"name": "../up", "model": "m"}, 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "sessions", {"waiting_timeout_seconds": -1}, 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "sessions", {"metadata": []}, 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "sessions", {"name": "x" * 256}, 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "sessions", {"name": "\x00"}, 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "sessions", [], 422, "UNPROCESSABLE_ENTITY"),
    ("POST", "role-bindings", {"role_name": "viewer"}, 422, "UNPROCESSABLE_ENTITY"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), WRONG)
async def test_what_is_wrong_is_said_in_the_envelope(
    ada: Robot, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = await ada.send(method, path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    if status == 405:
        assert method not in answer.headers["allow"].split(", ")
        assert "GET" in answer.headers["allow"]
    if status == 422:
        first = answer.json()["error"]["details"][0]
        assert {"loc", "msg", "type"} <= set(first)


async def test_other_media_types_and_no_json(ada: Robot) -> None:
    for media_type, content, status, code in (
        ("text/plain", b"{}", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/x-www-form-urlencoded", b"a=b", 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/json", b"{", 400, "BAD_REQUEST"),
        ("application/json", b"\xff", 400, "BAD_REQUEST"),
    ):
        for path in ("sessions", "role-bindings"):
            answer = await ada.client.post(
                f"{API}/{path}",
                content=content,
                headers=ada.headers | {"content-type": media_type},
            )
            assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


async def test_a_body_that_is_announced_too_large_is_not_waited_for(
    ada: Robot, stack: Stack
) -> None:
    for path in ("agents", "roles"):
        reader, writer = await asyncio.open_connection("127.0.0.1", stack.port)
        try:
            head = (
                f"POST {API}/{path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ada.token}\r\n"
                "content-type: application/json\r\ncontent-length: 2000001\r\n\r\n"
            )
            writer.write(head.encode())
            async with asyncio.timeout(20):
                answer = await reader.readuntil(b"\r\n\r\n")
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"x-ratelimit-limit: " in answer.lower()
