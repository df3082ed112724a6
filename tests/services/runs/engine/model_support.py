"""Model services on sockets of the test's own that speak both wires, and questions to them."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from services.runs.engine.model import Asking, Limits
from services.runs.engine.model.configuring import FOREIGN, ModelSettings
from services.runs.engine.model.models import Choice, ClaimQuestion, Named, StepQuestion
from shared.settings import settings_config
from tests.gateway.fake_service import Asked, Behaviour, FakeService, plain

WIRES = ("openai", "anthropic")
TRUST = ssl.create_default_context()
"""Made once, because that takes longer than most tests."""

_USUAL = Limits(seconds=20)

KEY = "key-of-the-" + "operator-0123456789"


class Configured(ModelSettings):
    """As the service reads them."""

    model_config = settings_config("runs", foreign=FOREIGN)


def configured(**values: Any) -> Configured:
    """Settings of this test alone."""
    return Configured.model_validate({"GUILDHALL_RUNS_" + n.upper(): v for n, v in values.items()})


def answer_of(wire: str, text: str, read: int = 7, wrote: int = 3, end: str = "") -> Any:
    """What a model service answers."""
    if wire == "anthropic":
        return {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": text}],
            "stop_reason": end or "end_turn",
            "usage": {"input_tokens": read, "output_tokens": wrote},
        }
    message = {"role": "assistant", "content": text}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": end or "stop"}],
        "usage": {"prompt_tokens": read, "completion_tokens": wrote},
    }


def as_json(document: Any, status: int = 200, *headers: str) -> bytes:
    """Write an answer of JSON."""
    return plain(status, json.dumps(document).encode(), "content-type: application/json", *headers)


def saying(wire: str, *texts: str) -> Behaviour:
    """Say these texts one after the other, and the last one for ever."""
    left = [as_json(answer_of(wire, text)) for text in texts]

    async def behave(asked: Asked, reader: Any, writer: Any) -> None:
        writer.write(left.pop(0) if len(left) > 1 else left[0])
        await writer.drain()

    return behave


def actions(*each: dict[str, Any]) -> str:
    """What a model writes that wants something done."""
    return json.dumps({"actions": each})


def vote(verdict: str, confidence: float = 0.9, why: str = "because") -> str:
    """What a model writes of a claim."""
    return json.dumps({"verdict": verdict, "confidence": confidence, "why": why})


@asynccontextmanager
async def asking(
    wire: str, fake: FakeService, limits: Limits = _USUAL, **values: Any
) -> AsyncIterator[Asking]:
    """A model of a run, whose service is a fake."""
    given = {
        f"{wire}_url": fake.url,
        f"{wire}_key": KEY,
        f"{wire}_model": "m-1",
        "model_retries": 0,
    }
    service = configured(**given | values).model_service()
    assert service is not None
    async with service.opened(TRUST) as endpoint:
        yield Asking(service, endpoint, limits)


STEP = StepQuestion(
    'Put "Ada" down as the owner of ${thing}',
    (Named("v1", '"Ada"', "Ada"), Named("v2", "${thing}", "${thing}")),
    "http://shop.test:8080/things",
    "Things",
    (
        Choice("e1", "textbox", "Owner", is_editable=True),
        Choice("e2", "button", "Save"),
        Choice("e3", "link", "Help", href="http://evil.test/help"),
        Choice("e4", "link", "All things", href="http://shop.test:8080/things?all"),
    ),
)
ORIGINS = ("http://shop.test:8080",)

CLAIM = ClaimQuestion("The owner looks right", "http://shop.test/", "Things", "Owner: Ada")
