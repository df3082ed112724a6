"""``POST /record/convert``, and what becomes of a recording that ended (contract 12)."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from services.runs.engine.recording import convert as converted
from services.runs.engine.recording.models import NothingRecorded
from services.runs.recordings.models import ConvertRequest, Recorded, Wanted
from services.runs.suites import operations as suites
from shared.db import Database
from shared.errors import BadRequest
from shared.principal import Principal

_SUFFIX: Final = re.compile(r"(\.(tripwire|upliftr))?\.ya?ml$", re.IGNORECASE)


async def convert(database: Database, principal: Principal, request: ConvertRequest) -> Recorded:
    """Make a suite of a recording; keep it where a name for it is given.

    Raises:
        BadRequest: nothing in it can be carried out.
    """
    return await made(database, principal, request.actions, request.base_url or "", request)


async def made(
    database: Database, principal: Principal, actions: Any, base_url: str, wanted: Wanted
) -> Recorded:
    """Make a suite of actions, and keep it where it is wanted.

    Raises:
        BadRequest: nothing in them can be carried out.
    """
    try:
        found = await asyncio.to_thread(converted, actions, base_url, wanted.title or "")
    except NothingRecorded as nothing:
        raise BadRequest(str(nothing)) from None
    file = None
    if wanted.save_as is not None:
        named = [(_SUFFIX.sub("", wanted.save_as), found.yaml)]
        (file,) = await suites.create_all(database, principal, named)
    return Recorded(
        yaml=found.yaml,
        actions=[dict(one) for one in found.actions],
        saved_as=file,
        warnings=list(found.warnings),
    )
