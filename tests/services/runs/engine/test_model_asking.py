"""Models over both wires: what they are sent, what is made of what they say, what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from services.runs.engine.model import Distant, Limits, ModelFailed, Usage
from services.runs.engine.model.asking import SPENT, TOO_SLOW
from services.runs.engine.model.configuring import ANTHROPIC, DEFAULT_MODEL, OPENAI
from services.runs.engine.model.models import Action
from services.runs.engine.model.voting import UNDECIDED
from tests.gateway.fake_service import Asked, FakeService, answering, plain, running
from tests.services.runs.engine.model_support import (
    CLAIM,
    KEY,
    STEP,
    WIRES,
    actions,
    answer_of,
    as_json,
    asking,
    configured,
    saying,
    vote,
)

both = pytest.mark.parametrize("wire", WIRES)


@pytest.fixture
async def server() -> AsyncIterator[FakeService]:
    async with running(FakeService()) as service:
        yield service


@both
async def test_a_step_is_asked_at_temperature_0_and_counted(server: FakeService, wire: str) -> None:
    server.behave = saying(wire, actions({"do": "fill", "ref": "e1", "value": "v1"}))
    async with asking(wire, server, model_prices="m-1=2/10") as model:
        proposed = await model.steps(STEP)
        assert model.usage == Usage(1, 7, 3, 44)
    assert proposed.actions == (Action("fill", "e1", "v1"),)
    asked = server.asked[0]
    assert (asked.json["model"], asked.json["temperature"]) == ("m-1", 0)
    if wire == "openai":
        assert asked.target == "/chat/completions"
        assert asked.header("authorization") == f"Bearer {KEY}"
    else:
        assert asked.target == "/v1/messages"
        assert asked.header("x-api-key") == KEY
        assert asked.header("anthropic-version") == "2023-06-01"


@both
async def test_one_vote_that_it_holds_is_enough(server: FakeService, wire: str) -> None:
    server.behave = saying(wire, vote("passed", 0.8, "the owner\nis there"))
    async with asking(wire, server) as model:
        opinion = await model.judge(CLAIM)
    assert (opinion.passed, opinion.confidence, opinion.why) == (True, 0.8, "the owner is there")
    assert len(server.asked) == 1


@both
@pytest.mark.parametrize(
    ("votes", "passed", "confidence"),
    [
        (("failed", "failed", "failed"), False, 0.9),
        (("failed", "failed", "passed"), False, 0.6),
        (("failed", "passed", "passed"), True, 0.6),
        (("failed", "unclear", "failed"), False, 0.6),
    ],
)
async def test_that_it_does_not_hold_takes_three_votes(
    server: FakeService, wire: str, votes: tuple[str, ...], passed: bool, confidence: float
) -> None:
    server.behave = saying(wire, *map(vote, votes))
    async with asking(wire, server) as model:
        opinion = await model.judge(CLAIM)
        assert model.usage.calls == 3
    assert (opinion.passed, opinion.confidence) == (passed, confidence)


@pytest.mark.parametrize("votes", [("unclear",), ("failed", "unclear", "passed")])
async def test_without_a_majority_nothing_is_decided(
    server: FakeService, votes: tuple[str, ...]
) -> None:
    server.behave = saying("anthropic", *map(vote, votes))
    async with asking("anthropic", server) as model:
        with pytest.raises(ModelFailed, match=UNDECIDED):
            await model.judge(CLAIM)


@both
@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sure! Click Save.",
        actions({"do": "click", "ref": "e2"}) + "\nDone.",
        actions({"do": "evaluate", "value": "alert(1)"}),
        actions({"do": "click", "ref": "Save"}),
        actions({"do": "click", "ref": "e2", "x": 3}),
        actions({"do": "fill", "ref": "e1"}),
        actions(*[{"do": "click", "ref": "e2"}] * 13),
        '{"actions": [{"do": "click", "ref": "e2"}], "code": "1"}',
        '[{"do": "click", "ref": "e2"}]',
        '{"actions": NaN}',
        "[" * 100_000,
        '{"actions": ' + "1" * 5000 + "}",
    ],
)
async def test_an_answer_outside_the_vocabulary_is_refused_as_a_whole(
    server: FakeService, wire: str, text: str
) -> None:
    server.behave = saying(wire, text)
    async with asking(wire, server) as model:
        with pytest.raises(ModelFailed):
            await model.steps(STEP)


@pytest.mark.parametrize(
    "text",
    [
        "It passed.",
        vote("passed", 7),
        '{"verdict": "passed"}',
        '{"verdict": "passed", "confidence": NaN}',
        '{"verdict": "passed", "confidence": true}',
        '{"verdict": "PASS", "confidence": 1}',
    ],
)
async def test_a_vote_is_read_strictly(server: FakeService, text: str) -> None:
    server.behave = saying("openai", text)
    async with asking("openai", server) as model:
        with pytest.raises(ModelFailed):
            await model.judge(CLAIM)


async def test_json_in_a_code_fence_is_json(server: FakeService) -> None:
    server.behave = saying("openai", f"```json\n{vote('passed')}\n```")
    async with asking("openai", server) as model:
        assert (await model.judge(CLAIM)).passed


@both
@pytest.mark.parametrize(
    "data",
    [
        plain(200, b"no json"),
        as_json([]),
        as_json({"content": None, "choices": []}),
        as_json({"content": [3], "choices": [3]}),
        as_json({"content": [{"type": "text"}], "choices": [{"message": {"content": 3}}]}),
        as_json({}, 401),
        as_json({}, 500),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        as_json({"filler": "x" * 1_100_000}),
    ],
)
async def test_what_is_no_answer_says_so_without_secrets(
    server: FakeService, wire: str, data: bytes
) -> None:
    server.behave = answering(data)
    async with asking(wire, server) as model:
        with pytest.raises(ModelFailed) as raised:
            await model.steps(STEP)
    for secret in ("127.0.0.1", "http", KEY):
        assert secret not in raised.value.reason


@both
async def test_an_answer_that_was_cut_is_none(server: FakeService, wire: str) -> None:
    end = "length" if wire == "openai" else "max_tokens"
    server.behave = answering(as_json(answer_of(wire, vote("passed"), end=end)))
    async with asking(wire, server) as model:
        with pytest.raises(ModelFailed):
            await model.judge(CLAIM)
        assert model.usage.tokens == 10


async def test_a_service_without_time_is_asked_again(server: FakeService) -> None:
    left = [as_json({}, 529, "retry-after: 0"), as_json(answer_of("anthropic", vote("passed")))]

    async def behave(asked: Asked, reader: Any, writer: Any) -> None:
        writer.write(left.pop(0))
        await writer.drain()

    server.behave = behave
    async with asking("anthropic", server, model_retries=1) as model:
        assert (await model.judge(CLAIM)).passed


async def test_a_run_asks_no_more_than_it_may(server: FakeService) -> None:
    server.behave = saying("openai", vote("failed"))
    async with asking("openai", server, Limits(calls=2)) as model:
        with pytest.raises(ModelFailed, match=SPENT):
            await model.judge(CLAIM)
    async with asking("openai", server, Limits(tokens=15)) as model:
        with pytest.raises(ModelFailed, match=SPENT):
            await model.judge(CLAIM)
    assert len(server.asked) == 4


async def test_a_model_that_says_nothing_is_left(server: FakeService) -> None:
    async def behave(asked: Asked, reader: Any, writer: Any) -> None:
        await asyncio.Event().wait()

    server.behave = behave
    async with asking("openai", server, Limits(seconds=0.2)) as model:
        with pytest.raises(ModelFailed, match=TOO_SLOW):
            await model.steps(STEP)
        assert model.usage.calls == 1


async def test_over_a_pipe_it_is_the_same_and_templates_stay(server: FakeService) -> None:
    server.behave = saying("openai", actions({"do": "click", "ref": "e2"}))
    async with asking("openai", server) as model:
        seen: list[Mapping[str, Any]] = []

        async def ask(kind: Any, question: Mapping[str, Any]) -> Mapping[str, Any]:
            seen.append(question)
            return await model.answer(kind, question)

        distant = Distant(ask)
        assert (await distant.steps(STEP)).actions == (Action("click", "e2"),)
        server.behave = saying("openai", vote("passed"))
        assert (await distant.judge(CLAIM)).passed
        with pytest.raises(ModelFailed):
            await model.answer("judge", {"claim": 3})
    assert [each["template"] for each in seen[0]["values"]] == ["", ""]


def test_without_a_key_there_is_no_model() -> None:
    assert configured().model_service() is None
    assert configured(openai_key="k").model_service() is None


def test_the_names_that_authors_bring_along_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    service = configured().model_service()
    assert service is not None
    assert (service.address, service.model) == (ANTHROPIC, DEFAULT_MODEL)
    assert service.headers["x-api-key"] == KEY
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", KEY)
    service = configured().model_service()
    assert service is not None
    assert service.headers["authorization"] == f"Bearer {KEY}"
    monkeypatch.delenv("ANTHROPIC_AUTH_TOKEN")
    service = configured(openai_key=KEY, openai_model="m").model_service()
    assert service is not None
    assert service.address == OPENAI
    assert KEY not in repr(service)
