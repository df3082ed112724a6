"""Questions, and model services on sockets of the test's own that speak both wires."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from services.agents.providers.models import Line, Passage, ProviderFailed, Question, Speaker
from services.agents.providers.operations import Providers
from services.agents.settings import AgentsSettings
from tests.gateway.fake_service import Asked, Behaviour, FakeService, plain
from tests.support.service import ASSERTION_KEY

many = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How often a property is tried, however long the machine takes."""

SERVICES = ("openai", "anthropic")
TRUST = ssl.create_default_context()
"""Made once, because that takes longer than most tests."""

KEY = "key-of-the-" + "operator-0123456789"


def provider_settings(**values: Any) -> AgentsSettings:
    """Settings without a database that is ever asked."""
    fields = {
        "GUILDHALL_PROFILE": "development",
        "GUILDHALL_DATABASE_URL": "postgres://nobody@127.0.0.1/none",
        "GUILDHALL_ASSERTION_KEY": ASSERTION_KEY,
    }
    return AgentsSettings.model_validate(
        fields | {f"GUILDHALL_{name.upper()}": value for name, value in values.items()}
    )


def settings_with(service: str, url: str, **values: Any) -> AgentsSettings:
    """Settings where a model service is configured."""
    given = {f"{service}_url": url, f"{service}_key": KEY, "model_retries": 0} | values
    return provider_settings(**given)


def question(
    message: str = "hello",
    *,
    model: str = "builtin",
    name: str = "Ada",
    instructions: str = "",
    tools: Any = (),
    history: Sequence[Line] = (),
    passages: Sequence[Passage] = (),
    memory: dict[str, Any] | None = None,
    starting_prompt: str = "",
    turn_id: str = "turn-1",
) -> Question:
    """A turn; ``model`` may be the name of a service."""
    agent = Speaker(name, instructions, model, tools)
    return Question(turn_id, agent, starting_prompt, history, message, passages, memory or {})


async def refusal(providers: Providers, asked: Question) -> ProviderFailed:
    """Ask what cannot be answered; what is said of it names neither address nor key."""
    with pytest.raises(ProviderFailed) as raised:
        await providers.complete(asked)
    reason = raised.value.reason
    assert reason.endswith(".")
    for secret in ("127.0.0.1", "http", KEY, "localhost", "Error"):
        assert secret not in reason
    return raised.value


def said(
    service: str, text: str = "", *calls: tuple[str, Any], read: int = 7, wrote: int = 3
) -> Any:
    """What a model service answers: a text, or tools to be called, each by name and arguments."""
    if service == "anthropic":
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        blocks += [
            {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": arguments}
            for number, (name, arguments) in enumerate(calls)
        ]
        return {
            "type": "message",
            "role": "assistant",
            "content": blocks,
            "stop_reason": "tool_use" if calls else "end_turn",
            "usage": {"input_tokens": read, "output_tokens": wrote},
        }
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if calls:
        message["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(calls)
        ]
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote},
    }


def as_json(document: Any, status: int = 200, *headers: str) -> bytes:
    """Write an answer of JSON."""
    body = json.dumps(document).encode()
    return plain(status, body, "content-type: application/json", *headers)


def saying(*answers: bytes) -> Behaviour:
    """Give these answers one after the other, and the last one for ever."""
    left = list(answers)

    async def behave(asked: Asked, reader: Any, writer: Any) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return behave


@asynccontextmanager
async def providers_of(service: str, fake: FakeService, **values: Any) -> AsyncIterator[Providers]:
    """Providers whose one model service is a fake."""
    async with Providers.opened(settings_with(service, fake.url, **values), TRUST) as providers:
        yield providers


def weather(url: str, **fields: Any) -> dict[str, Any]:
    """A tool."""
    return {
        "type": "http",
        "name": "weather",
        "description": "Tells the weather of a city.",
        "method": "GET",
        "url": f"{url}/weather/{{city}}",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    } | fields
