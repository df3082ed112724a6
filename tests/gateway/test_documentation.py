from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from typing import Any

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from gateway.documentation.pages import rate_class
from gateway.route_table import ROUTES
from shared import VERSION, openapi
from shared.api import Answer, Body, Operation
from shared.settings import SERVICES
from tests.gateway.conftest import House, house
from tests.gateway.fake_service import Asked, Behaviour, echo, plain

PAGES = ("/docs", "/docs/", "/api-docs", "/api-docs/", "/swagger-ui", "/swagger-ui/")


class Thing(Body):
    """A body."""

    name: str


class Made(Answer):
    """An answer."""

    id: str


async def nothing(call: Any) -> Made:
    raise AssertionError


OPERATIONS = {
    "auth": Operation(
        method="POST",
        path="/v1/auth/token",
        endpoint=nothing,
        summary="Log in",
        answer=Made,
        body=Thing,
        public=True,
    ),
    "learnings": Operation(
        method="GET",
        path="/v1/learnings/{id}",
        endpoint=nothing,
        summary="Get a learning",
        answer=Made,
        scope="learnings:read",
    ),
}


def documenting(service: str) -> Behaviour:
    document = openapi.document(service, VERSION, [OPERATIONS[service]])

    async def behave(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if asked.target != "/internal/openapi.json":
            await echo(asked, reader, writer)
            return
        writer.write(plain(200, json.dumps(document).encode()))

    return behave


@pytest.mark.parametrize("path", PAGES)
async def test_page_is_there_at_every_address(home: House, path: str) -> None:
    answer = await home.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy


async def test_page_loads_only_what_is_here(home: House) -> None:
    page = (await home.client.get("/docs")).text
    assert not re.search(r"<script(?! src=\"/)[^>]*>", page), "the policy forbids inline scripts"
    assert "//" not in page
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) == 5
    for address in addresses:
        answer = await home.client.get(address)
        assert answer.status_code == 200, address
        assert answer.content
        if address.endswith("js"):
            assert answer.headers["content-type"].startswith("text/javascript")
    start = (await home.client.get(addresses[-1])).text
    assert 'url: "/openapi.json"' in start
    assert "validatorUrl: null" in start


@pytest.mark.parametrize(
    "path", ["/swagger-ui/assets/../../../core.py", "/swagger-ui/assets/swagger-editor.js"]
)
async def test_nothing_else_of_the_package_is_served(home: House, path: str) -> None:
    answer = await home.raw(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_document_is_laid_together() -> None:
    async with house() as home:
        home.learnings.behave = documenting("learnings")
        home.auth.otherwise = echo
        before = home.auth.behave
        titles = {"/openapi.json": "Guildhall", "/api-docs/openapi.json": "Raworc REST API"}
        for path, title in titles.items():
            document = (await home.client.get(path)).json()
            OPENAPI_31_VALIDATOR.validate(document)
            assert list(document["paths"]) == ["/v1/learnings/{id}"]
            assert document["info"]["title"] == title
        assert sum(a.target == "/internal/openapi.json" for a in home.learnings.asked) == 1

        # auth was not able to give its part; it is asked again after a while.
        home.auth.behave = documenting("auth")
        documents = home.gateway.data_path.pages._documents
        documents._ask_again["auth"] = 0.0
        document = (await home.client.get("/openapi.json")).json()
        OPENAPI_31_VALIDATOR.validate(document)
        assert list(document["paths"]) == ["/v1/auth/token", "/v1/learnings/{id}"]
        assert "auth.Thing" in document["components"]["schemas"]
        home.auth.behave = before

        # A service that goes away keeps its part.
        await home.learnings.stop()
        documents._ask_again.clear()
        document = (await home.client.get("/openapi.json")).json()
        assert list(document["paths"]) == ["/v1/auth/token", "/v1/learnings/{id}"]
        await home.learnings.start()


async def test_document_without_any_service_is_valid() -> None:
    async with house() as home:
        for service in home.services.values():
            await service.stop()
        answer = await home.client.get("/openapi.json")
        assert answer.status_code == 200
        OPENAPI_31_VALIDATOR.validate(answer.json())
        for service in home.services.values():
            await service.start()


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"paths":[],"components":{}}'])
async def test_strange_document_of_a_service_is_left_out(content: bytes) -> None:
    async with house() as home:

        async def behave(
            asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            writer.write(plain(200, content))

        home.learnings.behave = behave
        answer = await home.client.get("/openapi.json")
        assert answer.status_code == 200
        assert answer.json()["paths"] == {}


async def test_front_page(home: House) -> None:
    answer = await home.client.get("/")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["name"], body["version"]) == ("Guildhall", VERSION)
    assert body["surfaces"]["agents"] == "/api/v0"
    for address in body["documentation"].values():
        assert (await home.client.get(address)).status_code == 200
    assert answer.headers["vary"] == "origin, accept"


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [
        (BROWSER, True),
        ("TEXT/HTML", True),
        ("application/json, text/html", True),
        ("text/html;level=1;q=0.5, application/json;q=0.4", True),
        ("text/html;q=0.5, application/json", False),
        ("text/html;q=0", False),
        ("text/html;q=much", False),
        ("*/*", False),
        ("application/json", False),
        ("", False),
    ],
)
async def test_front_page_for_people(home: House, accept: str, is_page: bool) -> None:
    answer = await home.client.get("/", headers={"accept": accept})
    assert answer.status_code == 200
    kind = "text/html; charset=utf-8" if is_page else "application/json"
    assert answer.headers["content-type"] == kind
    assert answer.headers["vary"] == "origin, accept"


async def test_front_page_varies_in_one_header() -> None:
    async with house(cors_origins="https://a.test") as home:
        headers = {"accept": BROWSER, "origin": "https://a.test"}
        answer = await home.client.get("/", headers=headers)
        assert answer.headers.get_list("vary") == ["origin, accept"]
        assert answer.headers["access-control-allow-origin"] == "https://a.test"


READING = ("/terms", "/privacy", "/guide", "/guide/start", "/guide/machines", "/guide/")


@pytest.mark.parametrize("path", READING)
async def test_pages_to_read(home: House, path: str) -> None:
    answer = await home.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert answer.headers["referrer-policy"] == "no-referrer"
    style = re.search("<style>(.*?)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy, "the browser would leave the style out"
    assert not re.search(r"<script| style=| src=|https?://", answer.text)
    assert not any(service.asked for service in home.services.values())


async def test_pages_to_read_lead_on(home: House) -> None:
    """Every link of theirs leads to another of them, or to a row or page that is known."""
    seen: set[str] = set()
    wanted = {"/", "/terms", "/privacy"}
    while wanted - seen:
        path = (wanted - seen).pop()
        seen.add(path)
        assert ROUTES.find(path) is not None or rate_class(path) is not None, path
        if rate_class(path) is not None:
            answer = await home.client.get(path, headers={"accept": BROWSER})
            assert answer.status_code == 200
            wanted |= set(re.findall(r'<a href="(/[^"]*)"', answer.text))
    assert seen > {"/guide", "/guide/share", "/docs", "/new", "/dashboard"}
    assert (await home.client.get("/guide/nowhere")).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json", "/terms"])
async def test_own_pages_are_only_read(home: House, method: str, path: str) -> None:
    answer = await home.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json", "/terms"])
async def test_head_of_own_pages(home: House, path: str) -> None:
    answer = await home.client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


async def test_liveness_touches_nothing() -> None:
    async with house() as home:
        for service in home.services.values():
            await service.stop()
        answer = await home.client.get("/health")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        for service in home.services.values():
            await service.start()


async def ready(home: House) -> tuple[int, dict[str, Any]]:
    home.gateway.data_path.pages._checked = -1.0
    answer = await home.client.get("/health/ready")
    return answer.status_code, answer.json()


async def test_readiness_names_what_is_missing() -> None:
    async with house() as home:
        status, body = await ready(home)
        assert (status, body["status"], body["missing"]) == (200, "ready", [])
        assert body["checks"].keys() == {*SERVICES, "signing_keys"}
        for name in ("runs", "auth"):
            await home.services[name].stop()
            status, body = await ready(home)
            assert (status, body["status"], body["missing"]) == (503, "unavailable", [name])
            assert body["checks"][name] is False
            await home.services[name].start()
            assert (await ready(home))[0] == 200
        home.gateway.signing_keys.current = {}
        assert (await ready(home))[1]["missing"] == ["signing_keys"]


async def test_service_that_was_never_there_does_not_count() -> None:
    async with house() as home:
        await home.services["teams"].stop()
        status, body = await ready(home)
        assert (status, body["missing"]) == (200, ["teams"])
        await home.services["teams"].start()
        assert (await ready(home)) == (200, body | {"missing": [], "checks": _all(body)})
        await home.services["teams"].stop()
        assert (await ready(home))[0] == 503
        await home.services["teams"].start()


def _all(body: dict[str, Any]) -> dict[str, bool]:
    return dict.fromkeys(body["checks"], True)
