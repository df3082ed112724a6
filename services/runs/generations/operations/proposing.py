"""Asking a model for further cases: about each area at once, and going on without an answer."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from services.runs.engine.generating.areas import Area, areas_of
from services.runs.engine.generating.models import Case, NothingUsable
from services.runs.engine.generating.proposing import proposed, question, together
from services.runs.engine.model import ModelFailed, Service
from services.runs.engine.model.wires import Prompt
from services.runs.generations.models import Material
from services.runs.generations.operations.getting import Means
from services.runs.integrations import operations as integrations
from shared.log import get_logger
from shared.model_service import Endpoint, ModelServiceFailed

SECONDS: Final = 18.0
"""For all answers; what is made by rules is given without them."""

MOST_TOKENS: Final = 4_000
"""Of one."""

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
    known = material.text if material.site is None else material.site
    areas = await asyncio.to_thread(areas_of, known, made)
    answers: list[list[Case]] = [[] for _ in areas]

    async def ask(endpoint: Endpoint, number: int) -> None:
        try:
            text = await _ask(service, endpoint, areas[number])
            answers[number] = await asyncio.to_thread(proposed, text, areas[number].name)
        except (ModelFailed, ModelServiceFailed, NothingUsable) as failed:
            log.info("no cases from the model", reason=str(failed))

    try:
        async with (
            asyncio.timeout(SECONDS),
            replace(service, retries=0).opened() as endpoint,
            asyncio.TaskGroup() as tasks,
        ):
            for number in range(len(areas)):
                tasks.create_task(ask(endpoint, number), name="cases of an area")
    except TimeoutError:
        log.info("no cases from the model", reason="took too long")
    return await asyncio.to_thread(together, answers, made)


async def _ask(service: Service, endpoint: Endpoint, area: Area) -> str:
    system, text = question(area, f"data-{secrets.token_hex(8)}")
    prompt = Prompt(service.model, system, text, max(service.most_tokens, MOST_TOKENS))
    body = json.dumps(service.wire.body(prompt), ensure_ascii=False)
    deadline = asyncio.get_running_loop().time() + SECONDS
    document = await endpoint.ask(body.encode(errors="replace"), deadline)
    return service.wire.text(document)
