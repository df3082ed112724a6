"""What the owner of a team sets, and its end."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from services.teams.invites import operations as invites
from services.teams.pages import operations
from services.teams.pages.models import (
    DeleteForm,
    InviteForm,
    MachineForm,
    NameForm,
    RevokeForm,
    SharingForm,
    View,
    ViewQuery,
)
from services.teams.pages.routes.frame import (
    MINE,
    Page,
    PersonsPage,
    page,
    public_url,
    see,
    shown,
    signed_in,
    submitted,
    with_team,
)
from services.teams.pages.routes.overview import PATH
from services.teams.people.models import Browser
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, NotFound, ServiceError
from shared.siblings import Siblings

SETTINGS: Final = f"{PATH}/settings"
_DONE: Final = {
    "name": "The name is saved.",
    "sharing": "It is saved.",
    "revoked": "The invitation opens nothing any more.",
    "removed": "The machine is out, and no invitation lets it in.",
    "readmitted": "The machine may join again by an invitation.",
}


async def show(call: Call[Empty, ViewQuery], view: View) -> Reply:
    """``GET /teams/{team_id}/settings``; to all but its owner there is no such page."""
    return await _page(call, view, done=_DONE.get(call.query.done, ""))


async def _page(
    call: Call[Any, Any], view: View, error: ServiceError | None = None, done: str = ""
) -> Reply:
    if not view.is_owner:
        raise NotFound
    return page(
        "settings",
        error=error,
        view=view,
        done=done,
        invites=await invites.list_of(call.database, view.team.id),
        machines=await operations.machines_in(call.database, view.team.id),
        address=public_url(call),
    )


async def rename(call: Call[NameForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/name``."""
    await operations.rename(call.database, person, call.path["team_id"], call.body.name)
    return _done(call, "name")


async def share(call: Call[SharingForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/sharing``."""
    await operations.share(call.database, person, call.path["team_id"], call.body)
    return _done(call, "sharing")


async def invite(call: Call[InviteForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/invites``: the page of the invitation shows its code, once."""
    team_id = call.path["team_id"]
    code = await operations.add_invite(call.database, person, team_id, call.body)
    return see(f"/invite/{code}?made=1")


async def revoke(call: Call[RevokeForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/invites/revoke``."""
    team_id = call.path["team_id"]
    await operations.revoke_invite(call.database, person, team_id, call.body.invite_id)
    return _done(call, "revoked")


async def remove(call: Call[MachineForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/machines/remove``."""
    team_id = call.path["team_id"]
    await operations.remove_machine(call.database, person, team_id, call.body.machine)
    return _done(call, "removed")


async def readmit(call: Call[MachineForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/machines/readmit``."""
    team_id = call.path["team_id"]
    await operations.readmit_machine(call.database, person, team_id, call.body.machine)
    return _done(call, "readmitted")


async def delete(call: Call[DeleteForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/delete``."""
    await operations.delete(call.database, person, call.path["team_id"], call.body.name)
    return see(f"{MINE}?done=deleted")


async def back(call: Call[Empty, Empty]) -> Reply:
    """Lead whoever opens the address of a form to the page that it stands on."""
    return see(f"/teams/{quote(call.path['team_id'])}/settings")


def _done(call: Call[Any, Any], what: str) -> Reply:
    return see(f"/teams/{call.path['team_id']}/settings?done={what}")


def _form(endpoint: PersonsPage) -> Page:
    """Take a form of the page; what was typed wrong is said on the page itself."""

    async def tried(call: Call[Any, Any], person: Browser) -> Reply:
        try:
            return await endpoint(call, person)
        except BadRequest as error:
            siblings, team_id = call.resource(Siblings), call.path["team_id"]
            view = await operations.by_person(call.database, siblings, team_id, person)
            return await _page(call, view, error)

    return signed_in(tried, SETTINGS)


_FORMS: Final = (
    "name",
    "sharing",
    "invites",
    "invites/revoke",
    "machines/remove",
    "machines/readmit",
    "delete",
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    *(shown(f"{PATH}/{form}", back, "On to the page of the form") for form in _FORMS),
    shown(SETTINGS, with_team(show), "What the owner of a team sets", ViewQuery),
    submitted(f"{PATH}/name", _form(rename), "Rename a team", NameForm),
    submitted(f"{PATH}/sharing", _form(share), "Change how a team is shared", SharingForm),
    submitted(f"{PATH}/invites", _form(invite), "Invite to a team", InviteForm),
    submitted(f"{PATH}/invites/revoke", _form(revoke), "Revoke an invitation", RevokeForm),
    submitted(f"{PATH}/machines/remove", _form(remove), "Put a machine out", MachineForm),
    submitted(f"{PATH}/machines/readmit", _form(readmit), "Let a machine back", MachineForm),
    submitted(f"{PATH}/delete", _form(delete), "Delete a team", DeleteForm),
)
