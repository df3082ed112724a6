"""``POST /checks/api`` on the wire; what it asks and follows is tested with the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.runs.checks.operations.calling import NOT_ALLOWED
from tests.gateway.fake_service import FakeService, answering, plain
from tests.gateway.fake_service import running as serving
from tests.services.runs.conftest import Runs, running
from tests.support.postgres import DatabaseUrls


@pytest.fixture
async def server() -> AsyncIterator[FakeService]:
    async with serving(FakeService()) as service:
        service.behave = answering(plain(200, b'{"ok": [1]}', "content-type: application/json"))
        yield service


async def test_a_check_passes_or_fails(runs: Runs, server: FakeService) -> None:
    member = runs.member()
    body = {"url": server.url, "json_path": "$.ok[0]", "equals": 1}
    answer = await runs.post("checks/api", member, body)
    assert answer.status_code == 200
    observed = "status 200, $.ok[0] is 1"
    assert answer.json() == {"kind": "api", "status": "passed", "observed": observed}
    answer = await runs.post("checks/api", member, body | {"equals": 2})
    assert answer.json() == {"kind": "api", "status": "failed", "observed": observed}
    answer = await runs.post("checks/api", member, body | {"method": "post", "status": 404})
    assert answer.json()["status"] == "failed"
    assert server.asked[-1].method == "POST"
    answer = await runs.post("checks/api", member, {"url": server.url, "equals": None})
    assert answer.json()["status"] == "failed"


async def test_who_cannot_be_reached_has_failed(runs: Runs) -> None:
    answer = await runs.post("checks/api", runs.member(), {"url": "http://127.0.0.1:9/"})
    assert answer.status_code == 200
    assert answer.json()["status"] == "failed"
    assert "reached" in answer.json()["observed"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": 3}, "url"),
        ({"url": "http://a/", "method": "TRACE"}, "method"),
        ({"url": "http://a/", "method": 3}, "method"),
        ({"url": "http://a/", "status": "200"}, "status"),
        ({"url": "http://a/", "status": True}, "status"),
        ({"url": "http://a/", "status": 10**400}, "status"),
        ({"url": "http://a/", "json_path": "$..x"}, "json_path"),
        ({"url": "http://a/", "json_path": ["a"]}, "json_path"),
        ({"url": "http://a/", "headers": {"a": 3}}, "headers"),
        ({"url": "http://a/", "headers": {"a b": "x"}}, "headers"),
        ({"url": "http://a/", "headers": {"a": "x\r\ny: z"}}, "headers"),
        ({"url": "http://a/", "headers": {"a": "ü"}}, "headers"),
        ({"url": "http://a\x00/"}, "url"),
    ],
)
async def test_a_wrong_field_is_named(runs: Runs, body: dict[str, Any], field: str) -> None:
    answer = await runs.post("checks/api", runs.member(), body)
    assert answer.status_code == 422
    assert answer.json()["type"] == "validation_error"
    assert any(field in each["path"] for each in answer.json()["error"]["details"])


@pytest.mark.parametrize(
    "content",
    [b'{"url": "http://a/", "equals": NaN}', b'{"url": "\\ud800"}', b"[" * 5000, b"3", b"[]"],
)
async def test_strange_json_is_refused(runs: Runs, content: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await runs.send("POST", "checks/api", runs.member(), content=content, headers=headers)
    assert answer.status_code in (400, 422)


async def test_a_huge_number_is_compared_and_not_a_fault(runs: Runs, server: FakeService) -> None:
    server.behave = answering(plain(200, b"1" + b"0" * 400))
    content = b'{"url": "%s", "json_path": "$", "equals": 1%s}' % (server.url.encode(), b"0" * 400)
    headers = {"content-type": "application/json"}
    answer = await runs.send("POST", "checks/api", runs.member(), content=content, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "passed")


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/",
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "file:///etc/passwd",
        "nonsense",
    ],
)
async def test_a_refused_address_is_400_and_says_how_to_open_it(
    urls: DatabaseUrls, url: str
) -> None:
    async with running(urls, GUILDHALL_ALLOW_PRIVATE_TARGETS=False) as runs:
        answer = await runs.post("checks/api", runs.member(), {"url": url})
    assert answer.status_code == 400
    assert answer.json()["type"] == "url_not_allowed"
    assert answer.json()["detail"] == NOT_ALLOWED


async def test_metadata_is_never_reached_and_redirects_neither(
    runs: Runs, server: FakeService
) -> None:
    server.behave = answering(plain(302, b"", "location: http://169.254.169.254/x"))
    answer = await runs.post("checks/api", runs.member(), {"url": server.url})
    assert answer.status_code == 400
    assert answer.json()["type"] == "url_not_allowed"


async def test_it_takes_the_right_to_write(runs: Runs) -> None:
    reader = runs.key_of(runs.member(), "runs:read")
    assert (await runs.post("checks/api", reader, {"url": "http://a/"})).status_code == 403
