"""Model services that lie, hang, flood and lead elsewhere: bounded, and told calmly."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from services.agents.providers.models import Usage
from services.agents.providers.operations import Providers
from services.agents.providers.rules.anthropic import Anthropic
from services.agents.providers.rules.openai import OpenAI
from services.agents.providers.rules.wires import Garbage, Wire
from tests.gateway.fake_service import Asked, Behaviour, FakeService, answering, plain, running
from tests.services.agents.providers_support import (
    KEY,
    SERVICES,
    TRUST,
    as_json,
    many,
    provider_settings,
    providers_of,
    question,
    refusal,
    said,
)

both = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture
async def server() -> AsyncIterator[FakeService]:
    async with running(FakeService()) as service:
        yield service


async def reason_of(service: str, server: FakeService, **values: Any) -> str:
    async with providers_of(service, server, **values) as providers:
        failed = await refusal(providers, question("secret plans", model=f"{service}/m-1"))
    assert "secret plans" not in failed.reason
    return failed.reason


def deep(levels: int) -> bytes:
    return b'{"choices":' + b"[" * levels + b"]" * levels + b"}"


@both
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>busy</html>",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"choices":[],"content":{}}',
        b'{"choices":[5],"content":[5]}',
        b'{"choices":[{}],"content":[{"type":"text"}]}',
        b'{"choices":[{"message":{"content":5}}],"content":[{"type":"text","text":5}]}',
        b'{"choices":[{"message":{"tool_calls":5}}],"content":[{"type":"tool_use","name":5}]}',
        b'{"choices":[{"message":{"tool_calls":[{}]}}],"content":[{"type":"tool_use"}]}',
        b'{"choices":[{"message":{}}],"content":5}',
        b'{"choices":NaN}',
        deep(100_000),
    ],
)
async def test_garbage_is_said_to_be_so(server: FakeService, service: str, body: bytes) -> None:
    server.behave = answering(plain(200, body, "content-type: application/json"))
    assert await reason_of(service, server) == "The model service's answer cannot be understood."


@both
@pytest.mark.parametrize("text", ["", " \n "])
async def test_an_empty_answer_is_none(server: FakeService, service: str, text: str) -> None:
    document = said(service, "x")
    if service == "openai":
        document["choices"][0]["message"]["content"] = text
    else:
        document["content"][0]["text"] = text
    server.behave = answering(as_json(document))
    assert await reason_of(service, server) == "The model gave an empty answer."


@both
@pytest.mark.parametrize("counted", [None, 5, "7", -1, True, 1.5, 10**30, {"a": 1}])
async def test_counts_that_are_none_count_nothing(
    server: FakeService, service: str, counted: Any
) -> None:
    document = said(service, "Blue.")
    document["usage"] = counted if counted == 5 else dict.fromkeys(document["usage"], counted)
    server.behave = answering(as_json(document))
    async with providers_of(service, server, model_prices="*=1/1") as providers:
        answered = await providers.complete(question(model=f"{service}/m-1"))
    assert answered.usage == Usage()


@both
async def test_garbage_that_was_paid_for_is_counted(server: FakeService, service: str) -> None:
    document = said(service, "x")
    document["choices"] = document["content"] = 5
    server.behave = answering(as_json(document))
    async with providers_of(service, server, model_prices="*=1/1") as providers:
        failed = await refusal(providers, question(model=f"{service}/m-1"))
    assert failed.usage == Usage(7, 3, 10)


@both
@pytest.mark.parametrize(
    ("status", "word", "times"),
    [
        (400, "too long", 1),
        (401, "key", 1),
        (403, "key", 1),
        (404, "model", 1),
        (418, "question", 1),
        (302, "elsewhere", 1),
        (307, "elsewhere", 1),
        (429, "busy", 2),
        (500, "trouble", 2),
        (503, "trouble", 2),
    ],
)
async def test_statuses_are_said_in_words(
    server: FakeService, service: str, status: int, word: str, times: int
) -> None:
    location = f"location: http://169.254.169.254:{server.port}/inside"
    server.behave = answering(plain(status, b'{"error":"at http://10.0.0.1"}', location))
    assert word in await reason_of(service, server, model_retries=1)
    assert len(server.asked) == times


@both
async def test_nobody_there_is_said_calmly(service: str) -> None:
    fake = FakeService()
    await fake.start()
    await fake.stop()
    reason = await reason_of(service, fake, model_retries=1)
    assert reason == "The model service cannot be reached; try again later."


async def _silence(asked: Asked, reader: Any, writer: Any) -> None:
    await asyncio.Event().wait()


async def _drip(asked: Asked, reader: Any, writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _endless_head(asked: Asked, reader: Any, writer: Any) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"x-more: and more\r\n" * 1_000)
        await writer.drain()


@both
@pytest.mark.parametrize("behave", [_silence, _drip])
async def test_a_slow_service_is_given_up(
    server: FakeService, service: str, behave: Behaviour
) -> None:
    server.behave = behave
    reason = await reason_of(service, server, model_seconds=1, model_retries=5)
    assert reason == "There was no answer in time."
    async with asyncio.timeout(20):  # and nothing of it is left
        while behave is _drip and server.writers:
            await asyncio.sleep(0.01)


async def test_an_endless_head_is_an_end(server: FakeService) -> None:
    server.behave = _endless_head
    reason = await reason_of("openai", server)
    assert reason == "The model service cannot be reached; try again later."


@both
@pytest.mark.parametrize("framing", ["content-length: 1000000000", "transfer-encoding: chunked"])
async def test_a_flood_is_cut_off(server: FakeService, service: str, framing: str) -> None:
    sent = 0

    async def flood(asked: Asked, reader: Any, writer: Any) -> None:
        nonlocal sent
        writer.write(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
        piece = b"x" * 65_536
        if "chunked" in framing:
            piece = b"10000\r\n" + piece + b"\r\n"
        while sent < 1_000_000_000:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)

    server.behave = flood
    assert await reason_of(service, server) == "The model service's answer is too large."
    assert sent < 32_000_000


async def test_a_compressed_answer_is_refused(server: FakeService) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    server.behave = answering(plain(200, bomb, "content-encoding: gzip"))
    assert "understood" in await reason_of("openai", server)


async def test_a_redirect_leads_nowhere(server: FakeService) -> None:
    async with running(FakeService()) as inside:
        server.behave = answering(plain(308, b"", f"location: {inside.url}/admin"))
        await reason_of("openai", server, model_retries=3)
        assert inside.connections == 0
    assert len(server.asked) == 1


@both
async def test_calls_by_the_thousand_are_looked_at_by_the_dozen(
    server: FakeService, service: str
) -> None:
    tool = {"type": "http", "name": "t", "url": f"{server.url}/tool"}
    answer = as_json(said(service, "", *[("t", {})] * 5_000))

    async def behave(asked: Asked, reader: Any, writer: Any) -> None:
        writer.write(plain(200, b"ok") if asked.target == "/tool" else answer)
        await writer.drain()

    server.behave = behave
    async with providers_of(service, server) as providers:
        failed = await refusal(providers, question(model=f"{service}/m-1", tools=[tool]))
    assert "tools" in failed.reason
    assert sum(asked.target == "/tool" for asked in server.asked) == 8
    assert max(len(asked.body) for asked in server.asked) < 100_000


async def test_what_was_used_before_the_time_ran_out_is_counted(server: FakeService) -> None:
    async def behave(asked: Asked, reader: Any, writer: Any) -> None:
        if asked.target == "/tool" or len(server.asked) > 1:
            await asyncio.Event().wait()
        writer.write(as_json(said("openai", "", ("t", {}))))
        await writer.drain()

    server.behave = behave
    tool = {"type": "http", "name": "t", "url": f"{server.url}/tool"}
    async with providers_of("openai", server, model_seconds=3, model_prices="*=1/1") as providers:
        failed = await refusal(providers, question(model="m", tools=[tool]))
    assert failed.usage == Usage(7, 3, 10)


async def test_nothing_that_is_said_or_secret_is_logged(server: FakeService) -> None:
    server.behave = answering(plain(500, b"we know your plans"))
    tool = {
        "type": "http",
        "name": "t",
        "url": f"{server.url}/tool?k=token-in-query",
        "headers": {"x-key": "tool-secret"},
    }
    asked = question(
        "plan-in-message", model="m", instructions="plan-in-instructions", tools=[tool]
    )
    with structlog.testing.capture_logs() as lines:
        async with providers_of("openai", server, model_retries=1) as providers:
            failed = await refusal(providers, asked)
        async with Providers.opened(provider_settings(profile="production"), TRUST) as providers:
            await providers.complete(question("/t plan-in-words", tools=[tool]))
    assert [line["event"] for line in lines] == ["model service failed"] * 2 + ["tool failed"]
    shown = f"{lines} {failed!r} {asked!r}"
    for secret in ("plan", "token-in-query", "tool-secret", KEY, "127.0.0.1"):
        assert secret not in shown


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("text"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *["choices", "message", "content", "tool_calls", "function", "name"],
                    *["arguments", "id", "type", "text", "input", "usage", "refusal"],
                    *["prompt_tokens", "input_tokens"],
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@pytest.mark.parametrize("wire", [OpenAI(), Anthropic()])
@many
@given(document=st.dictionaries(st.sampled_from(["choices", "content", "usage"]), JSON))
def test_no_document_breaks_a_wire(wire: Wire, document: dict[str, Any]) -> None:
    assert all(number >= 0 for number in wire.tokens(document))
    try:
        found = wire.said(document)
    except Garbage:
        return
    assert isinstance(found.text, str)
    assert all(isinstance(call.arguments, str) for call in found.calls)
    json.dumps([call.name for call in found.calls])
