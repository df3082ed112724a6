"""A model over one of the wires: bounded in time, in calls and in tokens, its cost counted."""

from __future__ import annotations

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import httpx

from services.runs.engine.model import prompts
from services.runs.engine.model.answers import Vote, read_actions, read_explanation, read_vote
from services.runs.engine.model.lines import Kind, answer, read_cause
from services.runs.engine.model.models import (
    CauseQuestion,
    ClaimQuestion,
    Explanation,
    Limits,
    ModelFailed,
    Opinion,
    ProposedActions,
    StepQuestion,
    Usage,
)
from services.runs.engine.model.voting import decide
from services.runs.engine.model.wires import Prompt, Wire
from shared.model_service import Endpoint, ModelServiceFailed
from shared.prices import Price, micros_of

SPENT: Final = "The run has asked the model as much as it may."
TOO_SLOW: Final = "The model did not answer in time."

_USUAL: Final = Limits()


@dataclass(frozen=True, slots=True, repr=False)
class Service:
    """One model of one service.

    Attributes:
        wire: how it is spoken to.
        address: without the wire's path.
        headers: the key among them.
        model: its name there.
        prices: what models cost.
        most_tokens: of one answer.
        concurrency: requests at once.
        retries: of a request that the service had no time or no health for.
    """

    wire: Wire
    address: str
    headers: Mapping[str, str]
    model: str
    prices: Sequence[Price] = ()
    most_tokens: int = 2_000
    concurrency: int = 8
    retries: int = 2

    @asynccontextmanager
    async def opened(self, trust: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
        """Open the client, which many runs may share; it closes with the context."""
        async with Endpoint.opened(
            "model",
            self.address + self.wire.path,
            self.headers,
            trust or httpx.create_ssl_context(),
            concurrency=self.concurrency,
            retries=self.retries,
        ) as endpoint:
            yield endpoint


class Asking:
    """What one run asks; a ``Model``."""

    def __init__(self, service: Service, endpoint: Endpoint, limits: Limits = _USUAL) -> None:
        self._service = service
        self._endpoint = endpoint
        self._limits = limits
        self.usage = Usage()

    async def steps(self, question: StepQuestion) -> ProposedActions:
        """See ``Model``."""
        fence = _fence()
        text = prompts.text_of_step(question, fence)
        return read_actions(await self._ask(prompts.system_of_steps(fence), text))

    async def judge(self, question: ClaimQuestion) -> Opinion:
        """See ``Model``."""

        async def vote() -> Vote:
            fence = _fence()
            text = prompts.text_of_claim(question, fence)
            return read_vote(await self._ask(prompts.system_of_judging(fence), text))

        return await decide(vote)

    async def explain(self, question: CauseQuestion) -> Explanation:
        """Say why a case did not pass. A run's own process never asks this.

        Raises:
            ModelFailed: there is no answer.
        """
        fence = _fence()
        text = prompts.text_of_cause(question, fence)
        return read_explanation(await self._ask(prompts.system_of_causes(fence), text))

    async def answer(self, kind: Kind, question: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what came over a pipe, or (``cause``) what its worker wants to know.

        Raises:
            ModelFailed: there is no answer.
        """
        if kind == "cause":
            return asdict(await self.explain(read_cause(question)))
        return await answer(self, kind, question)

    async def _ask(self, system: str, text: str) -> str:
        if self.usage.calls >= self._limits.calls or self.usage.tokens >= self._limits.tokens:
            raise ModelFailed(SPENT)
        self.usage = replace(self.usage, calls=self.usage.calls + 1)
        service = self._service
        prompt = Prompt(service.model, system, text, service.most_tokens)
        body = json.dumps(service.wire.body(prompt), ensure_ascii=False, separators=(",", ":"))
        deadline = asyncio.get_running_loop().time() + self._limits.seconds
        try:
            async with asyncio.timeout_at(deadline):
                document = await self._endpoint.ask(body.encode(errors="replace"), deadline)
        except TimeoutError:
            raise ModelFailed(TOO_SLOW) from None
        except ModelServiceFailed as failed:
            raise ModelFailed(failed.reason) from None
        # Before the rest is read: what was paid for counts whatever it is worth.
        self._count(*service.wire.tokens(document))
        return service.wire.text(document)

    def _count(self, read: int, written: int) -> None:
        cost = micros_of(self._service.model, read, written, self._service.prices)
        self.usage = Usage(
            self.usage.calls,
            self.usage.input_tokens + read,
            self.usage.output_tokens + written,
            self.usage.cost_micros + cost,
        )


def _fence() -> str:
    return f"page-{secrets.token_hex(8)}"
