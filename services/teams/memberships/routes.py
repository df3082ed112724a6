"""HTTP door of memberships (teams contract, section 4)."""

from __future__ import annotations

from typing import Final

from services.teams.memberships import operations
from services.teams.memberships.models import Disconnected
from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from services.teams.teams import operations as teams
from shared.api import Call, Empty, Operation, Query, Reply
from shared.siblings import Siblings


class EraseQuery(Query):
    """Of which team, if not of all."""

    team_id: str | None = None


@replays.changing("DELETE")
async def erase(call: Call[Empty, EraseQuery], signed: Signed) -> Reply:
    """``DELETE /api/token/{token}/erase``; the machine is the one that signed."""
    team_id = teams.read_team_id(call.query.team_id)
    return await operations.erase(call.database, call.resource(Siblings), signed, team_id)


OPERATIONS: Final = (
    Operation(
        method="DELETE",
        path="/api/token/{token}/erase",
        endpoint=erase,
        summary="Disconnect a machine from a team, or from all",
        answer=Disconnected,
        query=EraseQuery,
        authenticated=True,
        raw=True,
        body_limit=256_000,
        tag="Teams",
    ),
)
