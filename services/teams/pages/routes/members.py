"""A team's members."""

from __future__ import annotations

from typing import Any, Final

from services.teams.pages import operations
from services.teams.pages.models import BaseForm, MemberForm, View, ViewQuery
from services.teams.pages.routes.frame import page, see, shown, signed_in, submitted, with_team
from services.teams.pages.routes.overview import PATH, back
from services.teams.pages.rules import forms
from services.teams.people.models import Browser
from services.teams.teams.models import Member
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, Conflict, NotFound, ServiceError
from shared.siblings import Siblings

MEMBERS: Final = f"{PATH}/members"
MEMBER: Final = f"{MEMBERS}/{{name}}"
REMOVE: Final = f"{MEMBER}/remove"
NEW: Final = f"{PATH}/new-member"


async def show(call: Call[Empty, ViewQuery], view: View) -> Reply:
    """``GET /teams/{team_id}/members/{name}``."""
    key = call.path["name"]
    member = forms.require(view.content.members, key)
    return _page(view, member, key, forms.form_of_member(member, view.team.hashes.members_hash))


async def show_new(call: Call[Empty, ViewQuery], view: View) -> Reply:
    """``GET /teams/{team_id}/new-member``."""
    if not view.is_owner:
        raise NotFound
    return _page(view, None, "", MemberForm())


async def save(call: Call[MemberForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/members`` and ``POST /teams/{team_id}/members/{name}``."""
    team_id, key = call.path["team_id"], call.path.get("name")
    try:
        await operations.save_member(call.database, person, team_id, key, call.body)
    except (BadRequest, Conflict) as error:
        siblings = call.resource(Siblings)
        view = await operations.by_person(call.database, siblings, team_id, person)
        known = None if key is None else forms.require(view.content.members, key)
        return _page(view, known, key or "", call.body, error)
    return see(f"/teams/{team_id}?done=member")


async def remove(call: Call[BaseForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/members/{name}/remove``."""
    team_id, key = call.path["team_id"], call.path["name"]
    await operations.remove_member(call.database, person, team_id, key, call.body.base)
    return see(f"/teams/{team_id}?done=member-removed")


def _page(
    view: View,
    member: Member | None,
    key: str,
    form: MemberForm,
    error: ServiceError | None = None,
) -> Reply:
    is_secret = bool(view.token)
    return page(
        "member", error=error, is_secret=is_secret, view=view, member=member, key=key, form=form
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(NEW, with_team(show_new), "The page to add a member", ViewQuery),
    shown(MEMBER, with_team(show), "A member of a team", ViewQuery),
    shown(MEMBERS, back, "On to the team"),
    shown(REMOVE, back, "On to the team"),
    submitted(MEMBERS, signed_in(save, NEW), "Add a member", MemberForm),
    submitted(MEMBER, signed_in(save, PATH), "Change a member", MemberForm),
    submitted(REMOVE, signed_in(remove, PATH), "Remove a member", BaseForm),
)
