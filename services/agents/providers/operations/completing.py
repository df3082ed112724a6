"""Completing a turn: the provider that the agent's model names, within the time there is."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

import httpx
from pydantic import SecretStr

from services.agents.providers.models import Answered, ProviderFailed, Question
from services.agents.providers.operations import builtin
from services.agents.providers.operations.calling import Desk, Toolbox
from services.agents.providers.operations.conversing import Model, Tally, converse
from services.agents.providers.operations.shares import Shares
from services.agents.providers.rules import anthropic, openai, tools
from services.agents.providers.rules.choosing import Offers, Service, choose
from services.agents.providers.rules.wires import Wire
from services.agents.settings import AgentsSettings
from shared.fetch import Fetcher
from shared.log import get_logger
from shared.model_service import Endpoint

CALLS: Final = 200
"""Calls of tools that a process has under way, of all namespaces together."""

TOO_SLOW: Final = "There was no answer in time."

_WIRES: Final[dict[Service, Wire]] = {
    "openai": openai.OpenAI(),
    "anthropic": anthropic.Anthropic(),
}

log = get_logger()


class Providers:
    """All that can answer a turn. Open it with ``opened``."""

    def __init__(
        self, settings: AgentsSettings, fetcher: Fetcher, endpoints: dict[Service, Endpoint]
    ) -> None:
        self._settings = settings
        self._prices = settings.prices()
        self._fetcher = fetcher
        self._shares = Shares()
        self._endpoints = endpoints
        named: dict[Service, str | None] = {
            "openai": settings.openai_model,
            "anthropic": settings.anthropic_model,
        }
        self._offers = Offers({each: named[each] for each in endpoints}, settings.default_model)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, settings: AgentsSettings, trust: ssl.SSLContext | None = None
    ) -> AsyncIterator[Providers]:
        """Open the clients of what the settings configure; they close with the context.

        Args:
            settings: of the service.
            trust: certificates; those of ``SSL_CERT_FILE`` or of Mozilla if absent.
        """
        async with AsyncExitStack() as stack:
            trust = trust or httpx.create_ssl_context()
            opening = Fetcher.opened(settings.targets(), trust, most_at_once=CALLS)
            fetcher = await stack.enter_async_context(opening)
            endpoints: dict[Service, Endpoint] = {}
            for service, (address, key) in _configured(settings).items():
                wire = _WIRES[service]
                plain = key.get_secret_value() if key is not None else None
                endpoints[service] = await stack.enter_async_context(
                    Endpoint.opened(
                        service,
                        address + wire.path,
                        wire.headers(plain),
                        trust,
                        concurrency=settings.model_concurrency,
                        retries=settings.model_retries,
                    )
                )
            yield cls(settings, fetcher, endpoints)

    async def complete(self, question: Question) -> Answered:
        """Answer one turn, within the time that the settings give.

        The answer is as the provider gave it: ``apply_output`` makes it fit to be stored.

        Raises:
            ProviderFailed: there is no answer; its ``usage`` is what the attempt cost.
        """
        tally = Tally()
        deadline = asyncio.get_running_loop().time() + self._settings.model_seconds
        try:
            async with asyncio.timeout_at(deadline):
                return await self._complete(question, tally, deadline)
        except TimeoutError:
            raise ProviderFailed(TOO_SLOW, tally.usage) from None
        except ProviderFailed as failed:
            raise ProviderFailed(failed.reason, tally.usage) from None

    async def _complete(self, question: Question, tally: Tally, deadline: float) -> Answered:
        found, notes = tools.read(question.agent.tools)
        desk = Desk(self._fetcher, self._shares, question.namespace)
        toolbox = Toolbox(desk, found, question.turn_id)
        choice = choose(question.agent.model, self._offers)
        tally.notes += notes
        if choice.note is not None:
            tally.notes.append(choice.note)
        if choice.service is None:
            return await builtin.answer(question, toolbox, tally.notes)
        model = Model(
            choice.model,
            _WIRES[choice.service],
            self._endpoints[choice.service],
            self._prices,
            self._settings.model_answer_tokens,
        )
        answered = await converse(model, question, toolbox, tally, deadline)
        answered = replace(answered, provider=choice.service, model=choice.model)
        log.debug(
            "model answered",
            service=choice.service,
            read=answered.usage.input_tokens,
            written=answered.usage.output_tokens,
        )
        return answered


def _configured(settings: AgentsSettings) -> dict[Service, tuple[str, SecretStr | None]]:
    """Give the address and the key of each service that the settings configure."""
    found: dict[Service, tuple[str, SecretStr | None]] = {}
    if settings.openai_url is not None or settings.openai_key is not None:
        found["openai"] = settings.openai_url or openai.ADDRESS, settings.openai_key
    if settings.anthropic_url is not None or settings.anthropic_key is not None:
        address = settings.anthropic_url or anthropic.ADDRESS
        # With or without the version, which is part of what people copy.
        found["anthropic"] = address.removesuffix("/v1"), settings.anthropic_key
    return found
