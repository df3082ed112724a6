"""A model's words for recorded steps: used only where they mean the same to the rules."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import replace
from typing import Final

from services.runs.engine.model import ModelFailed, Service
from services.runs.engine.model.wires import Prompt
from services.runs.engine.recording.phrasing import question, rephrased, steps_of
from services.runs.integrations import operations as integrations
from services.runs.recordings.operations.means import Means
from shared.log import get_logger
from shared.model_service import ModelServiceFailed

SECONDS: Final = 15.0
"""For its answer; without it the steps stay as rules phrase them."""

MOST_TOKENS: Final = 4_000
"""Of it."""

log = get_logger()


async def phrased(means: Means, org_id: str, text: str) -> str:
    """Give a suite with a model's words for its steps; as it is without a model or an answer.

    Args:
        means: with what the model is found.
        org_id: whose model is asked.
        text: of the suite. It holds no password.

    Raises:
        Unavailable: the database is away.
    """
    async with means.database.connection() as connection:
        held = await integrations.values(connection, means.vault, means.settings, org_id)
    service = integrations.model_of(means.settings, held).model_service()
    if service is None:
        return text
    try:
        async with asyncio.timeout(SECONDS):
            answer = await _ask(service, await asyncio.to_thread(steps_of, text))
        return await asyncio.to_thread(rephrased, text, answer)
    except (TimeoutError, ModelFailed, ModelServiceFailed, ValueError) as failed:
        log.info("no words from the model", reason=type(failed).__name__)
        return text


async def _ask(service: Service, steps: list[str]) -> str:
    system, text = question(steps, f"data-{secrets.token_hex(8)}")
    prompt = Prompt(service.model, system, text, max(service.most_tokens, MOST_TOKENS))
    body = json.dumps(service.wire.body(prompt), ensure_ascii=False)
    deadline = asyncio.get_running_loop().time() + SECONDS
    async with replace(service, retries=0).opened() as endpoint:
        document = await endpoint.ask(body.encode(errors="replace"), deadline)
    return service.wire.text(document)
