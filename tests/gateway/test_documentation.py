from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

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
        for path in ("/openapi.json", "/api-docs/openapi.json"):
            document = (await home.client.get(path)).json()
            OPENAPI_31_VALIDATOR.validate(document)
            assert list(document["paths"]) == ["/v1/learnings/{id}"]
            assert document["info"]["title"] == "Guildhall"
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


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json"])
async def test_own_pages_are_only_read(home: House, method: str, path: str) -> None:
    answer = await home.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/openapi.json"])
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
