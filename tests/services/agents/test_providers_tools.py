"""HTTP tools: which definitions are taken, what a call sends, whom it never reaches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agents.providers.operations import Providers
from services.agents.providers.operations.calling import MOST_CALLS, Desk, Toolbox
from services.agents.providers.operations.shares import Shares
from services.agents.providers.rules import tools
from services.agents.providers.rules.calls import LARGEST_SHOWN, BadCall, request_of
from services.agents.providers.rules.tools import Tool
from shared.fetch import Fetcher
from shared.targets import TargetPolicy
from tests.gateway.fake_service import Asked, FakeService, answering, plain, running
from tests.services.agents.providers_support import (
    TRUST,
    as_json,
    many,
    provider_settings,
    question,
    weather,
)
from tests.shared.test_fetch import _resolving

SECRET = "tool-key-0123456789"


@pytest.fixture
async def server() -> AsyncIterator[FakeService]:
    async with running(FakeService()) as service:
        service.behave = answering(as_json({"sky": "blue"}))
        yield service


@pytest.fixture(scope="module")
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.opened(TargetPolicy(allow_private=True)) as fetcher:
        yield fetcher


def one(definition: Any) -> Tool:
    (tool,), notes = tools.read([definition])
    assert not notes
    return tool


def note_on(definition: Any) -> str:
    found, (note,) = tools.read([definition])
    assert not found
    return note


async def called(fetcher: Fetcher, definition: Any, arguments: Any = "") -> str:
    tool = one(definition)
    desk = Desk(fetcher, Shares(), "ns")
    return (await Toolbox(desk, [tool], "turn-1").call(tool.name, arguments)).text


async def test_a_call_sends_what_was_declared(server: FakeService, fetcher: Fetcher) -> None:
    definition = weather(server.url, headers={"Authorization": f"Bearer {SECRET}"})
    text = await called(fetcher, definition, {"city": "a/b ?&#é", "days": 3, "admin": True})
    assert text == 'status 200\n{"sky": "blue"}'
    asked = server.asked[0]
    assert asked.method == "GET"
    assert asked.target == "/weather/a%2Fb%20%3F%26%23%C3%A9?days=3"
    assert asked.header("authorization") == f"Bearer {SECRET}"
    assert asked.header("idempotency-key") == "turn-1-1"


@pytest.mark.parametrize("method", ["POST", "put", "PATCH"])
async def test_arguments_without_a_place_are_the_body(
    server: FakeService, fetcher: Fetcher, method: str
) -> None:
    definition = weather(server.url, method=method)
    await called(fetcher, definition, '{"city": "Rome", "days": [1, {"a": null}]}')
    asked = server.asked[0]
    assert (asked.method, asked.target) == (method.upper(), "/weather/Rome")
    assert asked.json == {"days": [1, {"a": None}]}
    assert asked.header("content-type") == "application/json"


async def test_a_tool_without_a_schema_takes_what_it_is_given(
    server: FakeService, fetcher: Fetcher
) -> None:
    bare = {"kind": "http", "name": "echo", "method": "POST", "url": f"{server.url}/e?x=1#part"}
    await called(fetcher, bare, {"a": 1})
    assert (server.asked[0].target, server.asked[0].json) == ("/e?x=1", {"a": 1})
    placed = {"type": "http", "name": "find", "url": f"{server.url}/find?q={{q}}&b=2"}
    assert one(placed).parameters["required"] == ["q"]
    await called(fetcher, placed, {"q": "a&b=3", "z": 1})
    assert server.asked[1].target == "/find?q=a%26b%3D3&b=2"


async def test_a_function_with_an_address_is_a_tool(server: FakeService, fetcher: Fetcher) -> None:
    inner = {"name": "now", "description": "The time.", "parameters": {"type": "object"}}
    await called(fetcher, {"type": "function", "function": inner, "url": f"{server.url}/now"})
    await called(fetcher, {"type": "function", "function": inner | {"url": f"{server.url}/now"}})
    assert [asked.target for asked in server.asked] == ["/now", "/now"]
    assert "no url" in note_on({"type": "function", "function": inner})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("", "city is missing"),
        ("[]", "not a JSON object"),
        ("{", "not JSON"),
        ('{"city": NaN}', "not JSON"),
        ('{"city": ""}', "city is empty"),
        ('{"city": ".."}', "another path"),
        ('{"city": "."}', "another path"),
        ('{"city": 1e999}', "not JSON"),
        (json.dumps({"city": "x" * 9_000}), "too long"),
        (json.dumps({"city": "x" * 40_000}), "too long"),
        ("[" * 100_000, "too long"),
    ],
)
async def test_bad_arguments_are_not_sent(
    server: FakeService, fetcher: Fetcher, arguments: str, why: str
) -> None:
    text = await called(fetcher, weather(server.url), arguments)
    assert text.startswith("not called: ")
    assert why in text
    assert not server.asked


def test_two_halves_make_no_way_up() -> None:
    tool = one({"type": "http", "name": "t", "url": "http://t.example/a/{x}{y}/b"})
    with pytest.raises(BadCall):
        request_of(tool, {"x": ".", "y": "."}, "k")
    assert request_of(tool, {"x": "..", "y": "/"}, "k").url == "http://t.example/a/..%2F/b"


GOOD = {"type": "http", "name": "t", "url": "http://t.example/"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": "shell"}, "type"),
        ({"type": None}, "type"),
        ({"name": "a b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": None}, "name"),
        ({"url": None}, "url"),
        ({"url": ""}, "url"),
        ({"url": "ftp://t.example/"}, "http"),
        ({"url": "file:///etc/passwd"}, "http"),
        ({"url": "//t.example/"}, "http"),
        ({"url": "http://{host}/"}, "host"),
        ({"url": "http://t.example:{port}/"}, "address"),
        ({"url": "http://t.example:99999/"}, "address"),
        ({"url": "http://a:b@t.example/"}, "login"),
        ({"url": "http://t.example/{"}, "placeholder"),
        ({"url": "http://t.example/{a b}"}, "blanks"),
        ({"url": "http://t.example/\n"}, "blanks"),
        ({"url": "http://t.example\\@127.0.0.1/"}, "placeholder"),
        ({"url": "http://[::1/"}, "address"),
        ({"url": "http://t.example/" + "x" * 3_000}, "long"),
        ({"method": "TRACE"}, "method"),
        ({"method": 5}, "method"),
        ({"headers": []}, "headers"),
        ({"headers": {"a b": "c"}}, "header"),
        ({"headers": {"a": "b\r\nc: d"}}, "ASCII"),
        ({"headers": {"a": "\N{SNOWMAN}"}}, "ASCII"),
        ({"headers": {"a": 5}}, "ASCII"),
        ({"headers": {"Host": "127.0.0.1"}}, "host"),
        ({"headers": {"Idempotency-Key": "x"}}, "idempotency-key"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "transfer-encoding"),
        ({"headers": {"A": "1", "a": "2"}}, "twice"),
        ({"parameters": []}, "schema"),
        ({"parameters": {"type": "string"}}, "object"),
        ({"parameters": {"properties": []}}, "object"),
        ({"parameters": {"required": "a"}}, "names"),
        ({"parameters": {"x": "y" * 20_000}}, "long"),
    ],
)
def test_bad_definitions_are_ignored_with_a_note(change: dict[str, Any], why: str) -> None:
    note = note_on(GOOD | change)
    assert note.endswith(".")
    assert why in note


def test_a_deep_schema_is_ignored() -> None:
    deep: Any = {}
    for _ in range(5_000):
        deep = {"properties": deep}
    assert "deep" in note_on(GOOD | {"parameters": deep})


def test_a_name_is_had_once_and_tools_have_an_end() -> None:
    found, notes = tools.read([GOOD, GOOD])
    assert (len(found), len(notes)) == (1, 1)
    found, notes = tools.read([GOOD | {"name": f"t{n}"} for n in range(99)])
    assert len(found) == tools.MOST_TOOLS
    assert "99" in notes[0]
    assert tools.read(GOOD)[0][0].name == "t"
    assert tools.read([])[0] == tools.read(None)[0] == tools.read("")[0] == ()


def test_times_are_bounded() -> None:
    assert one(GOOD | {"timeout": 10**400}).seconds == 30
    assert one(GOOD | {"timeout": 2.5}).seconds == 2.5
    for value in (0, -1, True, "5", None, float("nan")):
        assert one(GOOD | {"timeout": value}).seconds == 10


FIELDS = ["type", "kind", "name", "url", "method", "headers", "parameters", "function", "timeout"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(FIELDS) | st.text(max_size=5),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@many
@given(JSON)
def test_no_json_breaks_the_reading(value: Any) -> None:
    found, notes = tools.read(value)
    assert all(isinstance(each, str) for each in notes)
    found, _ = tools.read([GOOD | value] if isinstance(value, dict) else value)
    for tool in found:
        json.dumps(tool.parameters, allow_nan=False)


@many
@given(st.dictionaries(st.sampled_from(["city", "days", "x"]), JSON, max_size=3))
def test_a_request_stays_under_the_path_that_was_declared(arguments: dict[str, Any]) -> None:
    tool = one(weather("http://tool.example"))
    try:
        request = request_of(tool, arguments, "k")
    except BadCall:
        return
    path, _, query = request.url.partition("?")
    assert path.startswith("http://tool.example/weather/")
    assert path.count("/") == 4
    assert not query or query.startswith("days=")
    assert request.url.isascii()


@pytest.mark.parametrize(
    "answer",
    [
        as_json({"said": f"you sent Bearer {SECRET}"}),
        plain(200, f"X{SECRET}X".encode(), "content-type: text/plain"),
        plain(200, SECRET.encode() * 30_000),
    ],
)
async def test_what_an_answer_repeats_of_the_headers_is_taken_out(
    server: FakeService, fetcher: Fetcher, answer: bytes
) -> None:
    server.behave = answering(answer)
    headers = {"authorization": f"Bearer {SECRET}", "accept": "text/plain"}
    text = await called(fetcher, GOOD | {"url": server.url, "headers": headers})
    assert SECRET[:10] not in text
    assert "<secret>" in text


async def test_half_a_secret_at_the_end_is_not_shown(server: FakeService, fetcher: Fetcher) -> None:
    secret = "".join(f"{number:05}" for number in range(1_000))
    server.behave = answering(plain(200, secret.encode() * 60))
    text = await called(fetcher, GOOD | {"url": server.url, "headers": {"x-key": secret}})
    assert "<secret>" in text
    assert secret[:20] not in text


async def test_of_a_huge_answer_the_beginning_is_shown(
    server: FakeService, fetcher: Fetcher
) -> None:
    server.behave = answering(plain(200, "é".encode() * 500_000))
    text = await called(fetcher, GOOD | {"url": server.url})
    assert text.endswith("é…")
    assert LARGEST_SHOWN <= len(text.encode()) <= LARGEST_SHOWN + 20


async def test_what_is_no_text_is_not_shown(server: FakeService, fetcher: Fetcher) -> None:
    server.behave = answering(plain(200, b"\x89PNG\x00", "content-type: image/png"))
    assert await called(fetcher, GOOD | {"url": server.url}) == (
        "status 200, 5 bytes that are no text"
    )
    server.behave = answering(plain(500, b"a\x00\xff", "content-type: application/problem+json"))
    text = await called(fetcher, GOOD | {"url": server.url})
    assert text == "status 500\na\ufffd\ufffd"


async def test_a_turn_has_an_end_of_calls_and_each_its_number(
    server: FakeService, fetcher: Fetcher
) -> None:
    desk = Desk(fetcher, Shares(), "ns")
    toolbox = Toolbox(desk, [one(GOOD | {"url": server.url})], "turn-9")
    texts = [(await toolbox.call("t", "")).text for _ in range(MOST_CALLS + 2)]
    assert [text.startswith("status 200") for text in texts] == [True] * 8 + [False] * 2
    keys = [asked.header("idempotency-key") for asked in server.asked]
    assert keys == [f"turn-9-{number}" for number in range(1, 9)]
    assert "no such tool" in (await toolbox.call("u", "")).text


async def test_a_slow_tool_is_given_up_and_no_redirect_followed(
    server: FakeService, fetcher: Fetcher
) -> None:
    async def silence(asked: Asked, reader: Any, writer: Any) -> None:
        await asyncio.Event().wait()

    server.behave = silence
    text = await called(fetcher, GOOD | {"url": server.url, "timeout": 0.2})
    assert text == "the tool took too long"
    server.behave = answering(plain(302, b"", f"location: {server.url}/inside"))
    assert (await called(fetcher, GOOD | {"url": server.url})).startswith("status 302")
    assert len(server.asked) == 2


async def test_what_hangs_in_one_namespace_leaves_the_others_their_tools(
    server: FakeService, fetcher: Fetcher
) -> None:
    waiting, shares = asyncio.Semaphore(0), Shares(each=3)
    quick = server.behave

    async def silence(asked: Asked, reader: Any, writer: Any) -> None:
        waiting.release()
        await asyncio.Event().wait()

    def tool_of(namespace: str, seconds: float) -> Toolbox:
        tool = one(GOOD | {"url": server.url, "timeout": seconds})
        return Toolbox(Desk(fetcher, shares, namespace), [tool], "turn-1")

    server.behave = silence
    hanging = [asyncio.create_task(tool_of("theirs", 20).call("t", "")) for _ in range(30)]
    for _ in range(3):
        await waiting.acquire()
    server.behave = quick
    late = await tool_of("theirs", 0.1).call("t", "")
    assert late.text == "the tool took too long"
    assert (await tool_of("ours", 10).call("t", "")).text.startswith("status 200")
    assert len(server.asked) == 4
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert len(shares) == 0


async def ask_tool(url: str, **settings: Any) -> str:
    tool = GOOD | {"url": url}
    async with Providers.opened(provider_settings(**settings), TRUST) as providers:
        return (await providers.complete(question("/t", tools=[tool]))).text


async def test_a_tool_reaches_nothing_private_where_that_is_not_allowed(
    server: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.port
    told = set()
    for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "[::ffff:127.0.0.1]"):
        told.add(await ask_tool(f"http://{host}:{port}/", profile="production"))
    told.add(await ask_tool("http://169.254.169.254/latest/meta-data/"))
    told.add(await ask_tool("http://nowhere.example/"))
    asked = _resolving(monkeypatch, ["10.0.0.5"], ["127.0.0.1"])
    told.add(await ask_tool(f"http://inside.example:{port}/", profile="production"))
    assert asked == ["inside.example"]
    # An author learns nothing of the network: each failure looks like the others.
    assert told == {"This is Ada. The tool t answered:\nthe tool could not be reached"}
    assert server.connections == 0


async def test_a_tool_may_be_allowed_by_the_operator(server: FakeService) -> None:
    allowed = {"profile": "production", "url_allow": f"127.0.0.1:{server.port}"}
    assert "blue" in await ask_tool(server.url, **allowed)
    assert "blue" in await ask_tool(server.url)
    denied = await ask_tool(server.url, url_deny="127.0.0.1")
    assert "could not be reached" in denied
