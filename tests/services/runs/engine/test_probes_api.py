"""The ``api`` check: what it asks, where it follows, what it takes for an answer."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.runs.engine.probes.api import LARGEST, ApiJudged, ApiRequest, call_api
from services.runs.engine.probes.json_path import is_same, look_up, read_path
from shared.fetch import Fetcher
from shared.targets import TargetPolicy, read_targets
from tests.gateway.fake_service import Asked, FakeService, answering, plain, running

TRUST = ssl.create_default_context()


@pytest.fixture
async def server() -> AsyncIterator[FakeService]:
    async with running(FakeService()) as service:
        yield service


@pytest.fixture
async def other() -> AsyncIterator[FakeService]:
    async with running(FakeService()) as service:
        yield service


async def asked(
    request: ApiRequest,
    policy: TargetPolicy = TargetPolicy(allow_private=True),  # noqa: B008
) -> ApiJudged:
    async with Fetcher.opened(policy, TRUST) as fetcher:
        return await call_api(fetcher, request)


def as_json(document: Any, status: int = 200) -> bytes:
    return plain(status, json.dumps(document).encode(), "content-type: application/json")


def redirecting(status: int, location: str) -> bytes:
    return plain(status, b"", f"location: {location}")


async def test_any_2xx_will_do_unless_one_is_named(server: FakeService) -> None:
    server.behave = answering(as_json({}, 204 if False else 201))
    assert await asked(ApiRequest(server.url)) == ApiJudged(True, "status 201")
    assert await asked(ApiRequest(server.url, status=200)) == ApiJudged(False, "status 201")
    server.behave = answering(as_json({}, 404))
    assert not (await asked(ApiRequest(server.url))).passed
    assert (await asked(ApiRequest(server.url, status=404))).passed


@pytest.mark.parametrize(
    ("path", "equals", "passed", "observed"),
    [
        ("$.items[0].name", "tea", True, 'status 200, $.items[0].name is "tea"'),
        ("items[-1].name", "cup", True, 'status 200, items[-1].name is "cup"'),
        ("$['a \"b\".c']", None, True, "status 200, $['a \"b\".c'] is null"),
        ('$["a \\"b\\".c"]', None, True, 'status 200, $["a \\"b\\".c"] is null'),
        ("$.count", 2.0, True, "status 200, $.count is 2"),
        ("$.count", "2", False, "status 200, $.count is 2"),
        ("$.count", True, False, "status 200, $.count is 2"),
        ("$.none", 1, False, "status 200, nothing at $.none"),
        ("$.items[7]", 1, False, "status 200, nothing at $.items[7]"),
        ("$.items.name", 1, False, "status 200, nothing at $.items.name"),
        ("$.items[1]", {"name": "cup"}, True, 'status 200, $.items[1] is {"name":"cup"}'),
    ],
)
async def test_a_place_in_the_answer(
    server: FakeService, path: str, equals: Any, passed: bool, observed: str
) -> None:
    document = {"items": [{"name": "tea"}, {"name": "cup"}], "count": 2, 'a "b".c': None}
    server.behave = answering(as_json(document))
    request = ApiRequest(server.url, json_path=path, equals=equals)
    assert await asked(request) == ApiJudged(passed, observed)


async def test_without_equals_it_must_only_be_there(server: FakeService) -> None:
    server.behave = answering(as_json({"a": None}))
    assert (await asked(ApiRequest(server.url, json_path="$.a"))).passed
    assert not (await asked(ApiRequest(server.url, json_path="$.b"))).passed
    assert (await asked(ApiRequest(server.url, equals={"a": None}))).passed


async def test_what_is_sent(server: FakeService) -> None:
    headers = {"Authorization": "Bearer x", "Host": "evil.test", "Content-Length": "9"}
    await asked(ApiRequest(f"{server.url}/a?b", "PUT", headers=headers, body={"ü": [1]}))
    got = server.asked[0]
    assert (got.method, got.target, got.json) == ("PUT", "/a?b", {"ü": [1]})
    assert got.header("authorization") == "Bearer x"
    assert got.header("host") == f"127.0.0.1:{server.port}"
    assert got.header("content-type") == "application/json"
    await asked(ApiRequest(server.url, "POST", headers={"Content-Type": "text/csv"}, body="a;b"))
    assert (server.asked[1].body, server.asked[1].header("content-type")) == (b"a;b", "text/csv")


async def test_a_redirect_takes_no_credentials_elsewhere(
    server: FakeService, other: FakeService
) -> None:
    server.behave = answering(redirecting(302, f"{other.url}/there"))
    headers = {"authorization": "Bearer x", "cookie": "a=b", "x-api-key": "k", "accept": "a/b"}
    assert (await asked(ApiRequest(server.url, headers=headers))).passed
    got = other.asked[0]
    assert (got.target, got.header("accept")) == ("/there", "a/b")
    for name in ("authorization", "cookie", "x-api-key"):
        assert not got.header(name)


async def test_a_redirect_at_home_keeps_them(server: FakeService) -> None:
    left = [redirecting(303, "/next"), as_json({})]

    async def behave(got: Asked, reader: Any, writer: Any) -> None:
        writer.write(left.pop(0))
        await writer.drain()

    server.behave = behave
    request = ApiRequest(server.url, "POST", headers={"authorization": "x"}, body={"a": 1})
    assert (await asked(request)).passed
    assert [(got.method, got.target) for got in server.asked] == [("POST", "/"), ("GET", "/next")]
    assert server.asked[1].header("authorization") == "x"
    assert server.asked[1].body == b""


async def test_a_body_goes_to_no_other_host(server: FakeService, other: FakeService) -> None:
    server.behave = answering(redirecting(307, other.url))
    judged = await asked(ApiRequest(server.url, "POST", body="password"))
    assert not judged.passed
    assert not other.asked


async def test_a_circle_of_redirects_ends(server: FakeService) -> None:
    server.behave = answering(redirecting(302, "/"))
    judged = await asked(ApiRequest(server.url))
    assert judged == ApiJudged(False, "more than 5 redirects")
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://127.0.0.1:9/",
        "http://localhost:9/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user:pass@example.com/",
        "http://",
        "nonsense",
    ],
)
async def test_what_may_not_be_reached_is_refused(url: str) -> None:
    assert (await asked(ApiRequest(url), TargetPolicy(allow_private=False))).is_refused


async def test_a_redirect_to_what_may_not_be_reached_is_refused(
    server: FakeService, other: FakeService
) -> None:
    policy = TargetPolicy(False, read_targets(f"127.0.0.1:{server.port}"))
    for location in (other.url, "http://169.254.169.254/", "file:///etc/passwd", "http://[bad"):
        server.behave = answering(redirecting(302, location))
        judged = await asked(ApiRequest(server.url), policy)
        assert judged.is_refused, location
    assert not other.asked


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"HTTP/1.1 nonsense\r\n\r\n", "could not be reached"),
        (plain(200, b"x", "content-encoding: gzip"), "compressed"),
        (plain(200, b"no json"), "no JSON"),
        (plain(200, b"[" * 100_000), "no JSON"),
        (plain(200, b'{"a": NaN}'), "no JSON"),
        (plain(200, b'"' + b"x" * LARGEST + b'"'), "more than"),
    ],
)
async def test_what_is_no_answer_is_a_failure_with_its_reason(
    server: FakeService, data: bytes, part: str
) -> None:
    server.behave = answering(data)
    judged = await asked(ApiRequest(server.url, json_path="$"))
    assert not judged.passed
    assert part in judged.observed
    assert not judged.is_refused


async def test_nobody_there_is_a_failure() -> None:
    judged = await asked(ApiRequest("http://127.0.0.1:9/"))
    assert judged == ApiJudged(False, "the target could not be reached")
    judged = await asked(ApiRequest("http://no-such-host.invalid/"))
    assert judged == ApiJudged(False, "the host's name is not known")


@pytest.mark.parametrize(
    "path", ["$.", "$..a", "$.a[", "$[*]", "$.*", "$[?(@.a)]", "$.a b", "x" * 2000]
)
def test_what_is_no_path_says_so(path: str) -> None:
    with pytest.raises(ValueError, match="must be a path"):
        read_path(path)


def test_paths() -> None:
    assert read_path("$") == read_path("") == ()
    assert read_path("$.a[0]['b.c'].d-e") == ("a", 0, "b.c", "d-e")
    assert look_up({"a": [1, 2]}, ("a", -1)) == (True, 2)
    assert look_up([1], (-2,)) == (False, None)
    assert is_same({"a": [1, None]}, {"a": [1.0, None]})
    assert not is_same([0], [False])
