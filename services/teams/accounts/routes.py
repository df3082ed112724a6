"""HTTP door of accounts (teams contract, section 8), and what auth asks (section 1.1)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, Field

from services.teams.accounts import operations
from services.teams.accounts.models import (
    AccountTeams,
    Dropped,
    DropQuestion,
    ExportQuestion,
    Reassociated,
    TeamCount,
    TokensQuestion,
)
from services.teams.replays import operations as replays
from services.teams.replays.models import Signed
from services.teams.settings import TeamsSettings
from services.teams.teams import operations as teams
from shared.api import Call, Empty, Endpoint, Operation, Query, Reply
from shared.siblings import Siblings


class PageQuery(Query):
    """Part of a long list, for callers that ask for it."""

    limit: Annotated[int, Field(ge=1, le=500)] | None = None
    after: str | None = None


async def list_teams(call: Call[Empty, PageQuery]) -> Reply:
    """``GET /api/account/teams``."""
    siblings = call.resource(Siblings)
    account_id = await operations.reader_of(siblings, call.principal, call.headers)
    after = teams.read_team_id(call.query.after)
    found, next_after = await operations.list_teams(
        call.database, siblings, account_id, after, call.query.limit
    )
    return Reply(AccountTeams(teams=found), headers=teams.next_page(next_after))


@replays.changing("POST")
async def reassociate(call: Call[Empty, Empty], signed: Signed) -> Reply:
    """``POST /api/account/reassociate``."""
    siblings, public_url = call.resource(Siblings), call.resource(TeamsSettings).public_url
    account_id = await operations.changer_of(siblings, call.headers, public_url)
    return await operations.reassociate(call.database, siblings, signed, account_id)


async def count_teams(call: Call[TokensQuestion, Empty]) -> TeamCount:
    """``POST /internal/machines/team-count``."""
    return TeamCount(team_count=await operations.count_teams(call.database, call.body.tokens))


async def drop(call: Call[DropQuestion, Empty]) -> Dropped:
    """``POST /internal/machines/drop``."""
    asked = call.body
    return Dropped(dropped=await operations.drop(call.database, asked.tokens, asked.without_owner))


async def export(call: Call[ExportQuestion, Empty]) -> Reply:
    """``POST /internal/accounts/export``."""
    return Reply(await operations.export(call.database, call.resource(Siblings), call.body))


def _internal(
    path: str,
    endpoint: Endpoint,
    summary: str,
    body: type[BaseModel],
    answer: type[BaseModel] | None,
    **more: Any,
) -> Operation:
    return Operation(
        method="POST",
        path=path,
        endpoint=endpoint,
        summary=summary,
        body=body,
        answer=answer,
        internal=True,
        no_store=True,
        **more,
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="GET",
        path="/api/account/teams",
        endpoint=list_teams,
        summary="The teams of one's machines, and those one owns",
        query=PageQuery,
        answer=AccountTeams,
        public=True,
        personal=True,
        no_store=True,
        errors=(401, 503),
        tag="Account",
    ),
    Operation(
        method="POST",
        path="/api/account/reassociate",
        endpoint=reassociate,
        summary="Give a machine the teams of one's other machines",
        answer=Reassociated,
        authenticated=True,
        personal=True,
        raw=True,
        body_limit=256_000,
        errors=(400, 401, 403, 503),
        tag="Account",
    ),
    _internal(
        "/internal/machines/team-count",
        count_teams,
        "How many teams some machines have",
        TokensQuestion,
        TeamCount,
    ),
    _internal(
        "/internal/machines/drop",
        drop,
        "End all memberships of some machines",
        DropQuestion,
        Dropped,
    ),
    _internal(
        "/internal/accounts/export",
        export,
        "A page of an account's teams with all that they hold",
        ExportQuestion,
        None,
    ),
)
