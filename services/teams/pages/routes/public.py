"""Pages for everybody who knows their address, which is a secret: a public team, an invitation."""

from __future__ import annotations

from typing import Final

from services.teams.invites import operations as invites
from services.teams.pages import operations
from services.teams.pages.models import InviteQuery
from services.teams.pages.routes.frame import page, public_url, shown
from services.teams.sharing import operations as sharing
from shared.api import Call, Empty, Operation, Reply


async def show_clone(call: Call[Empty, Empty]) -> Reply:
    """``GET /t/{clone_token}``: what a clone of a public team would hold."""
    token = call.path["clone_token"]
    team = operations.as_clone(await sharing.find_public(call.database, token))
    return page(
        "clone",
        is_secret=True,
        team=team,
        findings=(await operations.look(team)).findings,
        token=token,
        address=public_url(call),
    )


async def show_invite(call: Call[Empty, InviteQuery]) -> Reply:
    """``GET /invite/{code}``; it uses nothing up."""
    code = call.path["code"]
    invited = await invites.look(call.database, code)
    team = operations.as_preview(invited.team)
    return page(
        "invite",
        is_secret=True,
        team=team,
        findings=(await operations.look(team)).findings,
        made_by=invited.made_by,
        expires_at=invited.expires_at,
        is_made=call.query.made == "1",
        code=code,
        address=public_url(call),
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown("/t/{clone_token}", show_clone, "A public team"),
    shown("/invite/{code}", show_invite, "An invitation to a team", InviteQuery),
)
