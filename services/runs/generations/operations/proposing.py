"""Asking a model for further cases: once, within a bound, and going on without an answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from services.runs.engine.generating.models import Case, NothingUsable
from services.runs.engine.generating.proposing import proposed, question
from services.runs.engine.model import ModelFailed, Service
from services.runs.engine.model.wires import Prompt
from services.runs.generations.models import Material
from services.runs.generations.operations.getting import Means
from services.runs.integrations import operations as integrations
from shared.log import get_logger
from shared.model_service import ModelServiceFailed

SECONDS: Final = 18.0
"""For one answer; what is made by rules is given without it."""

MOST_TOKENS: Final = 4_000
"""Of it."""

log = get_logger()


async def further(
    means: Means, org_id: str, material: Material, made: Sequence[Case]
) -> list[Case]:
    """Give the cases that a model adds; none where no model is configured or it has no answer.

    Raises:
        Unavailable: the database is away.
    """
    async with means.database.connection() as connection:
        held = await integrations.values(connection, means.vault, means.settings, org_id)
    service = integrations.model_of(means.settings, held).model_service()
    if service is None:
        return []
    shown = _shown(material)
    try:
        async with asyncio.timeout(SECONDS):
            text = await _ask(service, shown, made)
        return await asyncio.to_thread(proposed, text)
    except (TimeoutError, ModelFailed, ModelServiceFailed, NothingUsable) as failed:
        log.info("no cases from the model", reason=str(failed) or "took too long")
        return []


async def _ask(service: Service, shown: Mapping[str, Any] | str, made: Sequence[Case]) -> str:
    system, text = question(shown, made, f"data-{secrets.token_hex(8)}")
    prompt = Prompt(service.model, system, text, max(service.most_tokens, MOST_TOKENS))
    body = json.dumps(service.wire.body(prompt), ensure_ascii=False)
    deadline = asyncio.get_running_loop().time() + SECONDS
    async with replace(service, retries=0).opened() as endpoint:
        document = await endpoint.ask(body.encode(errors="replace"), deadline)
    return service.wire.text(document)


def _shown(material: Material) -> Mapping[str, Any] | str:
    return material.text if material.site is None else material.site
