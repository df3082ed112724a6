"""``POST /generate`` and ``POST /generate/plan`` (runs contract, sections 3.9 and 12)."""

from __future__ import annotations

import asyncio

from services.runs.engine.generating.models import Case, NothingUsable
from services.runs.generations import rules
from services.runs.generations.models import Generated, GeneratedPlan, GenerateRequest, Material
from services.runs.generations.operations.getting import Means, failed, material
from services.runs.generations.operations.proposing import further
from services.runs.plans import operations as plans
from services.runs.plans.models import PlanAuth, PlanItem, PlanRequest
from services.runs.suites import operations as suites
from services.runs.suites.models import Conditions
from shared.principal import Principal

_LONGEST_NAME = 120


async def generate(means: Means, principal: Principal, request: GenerateRequest) -> Generated:
    """Make a suite; keep it where a name for it is given.

    Raises:
        Invalid: a field is missing.
        BadRequest: ``url_not_allowed``.
        BadGateway: ``generation_error``: nothing could be made; nothing is kept.
    """
    rules.check(request)
    got = await material(means, principal.org, request)
    try:
        made = await _cases(means, principal.org, request, got)
        text = await asyncio.to_thread(rules.text_of, request, got, made)
    except NothingUsable as nothing:
        raise failed(str(nothing)) from None
    if request.save_as is None:
        return Generated(yaml=text)
    named = [(rules.file_words(request.save_as), text)]
    (file,) = await suites.create_all(means.database, principal, named)
    return Generated(yaml=text, saved_as=file)


async def generate_plan(
    means: Means, principal: Principal, request: GenerateRequest
) -> GeneratedPlan:
    """Make several suites, one for each part of the application, and a plan that runs them.

    Args:
        means: with what things are got.
        principal: who asks.
        request: ``save_as`` names the plan, and begins the names of files.

    Raises:
        Invalid: a field is missing.
        BadRequest: ``url_not_allowed``.
        BadGateway: ``generation_error``: nothing could be made; nothing is kept.
        LimitExceeded: there are too many plans; nothing is kept.
    """
    rules.check(request)
    got = await material(means, principal.org, request)
    try:
        made = await _cases(means, principal.org, request, got)
        written = await asyncio.to_thread(rules.split, request, got, made)
    except NothingUsable as nothing:
        raise failed(str(nothing)) from None
    words = rules.file_words(request.save_as or "")
    texts = [
        (f"{words} {name.rpartition(': ')[2]}" if words else "", text) for name, text, _ in written
    ]
    files = await suites.create_all(means.database, principal, texts)
    planned = [file for file, (_, _, is_planned) in zip(files, written, strict=True) if is_planned]
    name = (words or rules.name_of(request, got))[:_LONGEST_NAME]
    wanted = PlanRequest(
        name=name,
        description="Generated.",
        items=[PlanItem(suite=file) for file in planned or files],
        **({"auth": PlanAuth(**request.auth.model_dump())} if request.auth and planned else {}),
    )
    zone = means.settings.zone_of_plans()
    try:
        plan = await plans.save(means.database, means.vault, zone, principal, wanted)
    except BaseException:
        await _take_back(means, principal, files)
        raise
    return GeneratedPlan(plan_id=plan.id, plan_name=plan.name, suites=files)


async def _cases(means: Means, org_id: str, request: GenerateRequest, got: Material) -> list[Case]:
    """Make cases by rules, and with a model's on top where there is one."""
    nothing: NothingUsable | None = None
    made: list[Case] = []
    try:
        made = await asyncio.to_thread(rules.cases, request, got)
    except NothingUsable as error:
        nothing = error
    if request.kind != "openapi":
        made = [*made, *await further(means, org_id, got, made)]
    if not made and nothing is not None:
        raise nothing
    return made


async def _take_back(means: Means, principal: Principal, files: list[str]) -> None:
    """Remove suites whose plan could not be kept."""
    for file in files:
        await suites.delete(means.database, principal.org, file, Conditions())
