"""``POST /record/convert``, and what becomes of a recording that ended (contract 12)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from services.runs.engine.recording import convert as converted
from services.runs.engine.recording.models import NothingRecorded
from services.runs.errands import operations as errands
from services.runs.recordings.models import ConvertRequest, Recorded, Wanted
from services.runs.recordings.operations.means import Means
from services.runs.recordings.operations.phrasing import phrased
from services.runs.suites import operations as suites
from shared.errors import BadRequest, NotFound
from shared.principal import Principal

MOST_ANSWERS: Final = 8
"""That are kept of one recording, for who asks the same again."""

_SUFFIX: Final = re.compile(r"(\.(tripwire|upliftr))?\.ya?ml$", re.IGNORECASE)


async def convert(means: Means, principal: Principal, request: ConvertRequest) -> Recorded:
    """Make a suite of a recording; keep it where a name for it is given.

    Raises:
        BadRequest: nothing in it can be carried out.
    """
    found = await _made(means, principal.org, request.actions, request.base_url or "", request)
    if request.save_as is None:
        return found
    (file,) = await suites.create_all(means.database, principal, [_named(found, request.save_as)])
    return found.model_copy(update={"saved_as": file})


async def kept(
    means: Means,
    principal: Principal,
    errand_id: str,
    result: Mapping[str, Any],
    base_url: str,
    wanted: Wanted,
) -> Recorded:
    """Make a suite of a recording that has ended, once for all who want the same of it.

    Args:
        means: with what.
        principal: who keeps it.
        errand_id: in which it was recorded.
        result: what came of that.
        base_url: where it began.
        wanted: what is to be made.

    Raises:
        BadRequest: nothing in it can be carried out.
        NotFound: it was forgotten meanwhile.
    """
    key = wanted.model_dump_json(include={"title", "save_as", "humanize"})
    if (known := result.get("answers", {}).get(key)) is not None:
        return Recorded(**known)
    found = await _made(means, principal.org, result["actions"], base_url, wanted)
    name = wanted.save_as
    drafts = await suites.drafted([_named(found, name)] if name is not None else [])
    async with means.database.transaction() as connection:
        newest = await errands.result(connection, means.vault, principal.org, errand_id)
        if newest is None:
            raise NotFound("There is no such recording")
        answers: dict[str, Any] = newest.get("answers", {})
        if key in answers:
            return Recorded(**answers[key])
        for file in await suites.add_all(connection, principal, drafts):
            found = found.model_copy(update={"saved_as": file})
        answers[key] = found.model_dump()
        newest["answers"] = dict(list(answers.items())[-MOST_ANSWERS:])
        await errands.amend(connection, means.vault, principal.org, errand_id, newest)
    return found


def _named(found: Recorded, save_as: str) -> tuple[str, str]:
    return _SUFFIX.sub("", save_as), found.yaml


async def _made(means: Means, org_id: str, actions: Any, base_url: str, wanted: Wanted) -> Recorded:
    try:
        found = await asyncio.to_thread(converted, actions, base_url, wanted.title or "")
    except NothingRecorded as nothing:
        raise BadRequest(str(nothing)) from None
    text = found.yaml
    if wanted.humanize is not False:
        text = await phrased(means, org_id, text)
    return Recorded(
        yaml=text,
        actions=[dict(one) for one in found.actions],
        warnings=list(found.warnings),
    )
