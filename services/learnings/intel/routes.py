"""The HTTP door of pulls (learnings contract, section 6.1)."""

from __future__ import annotations

from typing import Any, Final

from services.learnings.installations.operations import Sightings, seen
from services.learnings.intel import operations
from services.learnings.intel.models import State, StateQuery
from services.learnings.intel.operations import Scans
from services.learnings.settings import LearningsSettings
from shared.api import Call, Operation, Reply


async def state(call: Call[Any, StateQuery]) -> Reply:
    """Give what is new for a client: 304 without a body where nothing is."""
    query = call.query
    reader = operations.reader_of(call.principal, query)
    pulled = await operations.pull(
        call.database,
        call.resource(Scans),
        reader,
        call.headers.get("if-none-match", ""),
        client=query.client_id or call.principal.subject,
        poll_seconds=call.resource(LearningsSettings).poll_seconds,
    )
    if query.client_id or reader.key_id:
        call.resource(Sightings).note(
            seen(
                call.principal,
                client_id=query.client_id,
                framework_version=query.trw_version,
                model_family=query.model_family,
                pulled_to=reader.since,
                company_pulled_to=reader.company_since,
            )
        )
    headers = {"etag": f'"{pulled.etag}"', "cache-control": "private, no-cache"}
    return Reply(pulled.body, status=304 if pulled.body is None else 200, headers=headers)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/v1/intel/state",
        endpoint=state,
        summary="Pull what the team learned, page by page",
        answer=State,
        query=StateQuery,
        scope="sync:read",
        tag="Sync",
    ),
)
