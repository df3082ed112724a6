"""A team's page, and what it was."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from services.teams.pages import operations
from services.teams.pages.models import RollBackForm, VersionsQuery, View, ViewQuery
from services.teams.pages.routes.frame import page, see, shown, signed_in, submitted, with_team
from services.teams.people.models import Browser
from services.teams.versions import operations as versions
from services.teams.versions.models import MOST_NUMBER
from shared.api import Call, Empty, Operation, Reply

PATH: Final = "/teams/{team_id}"
VERSIONS: Final = f"{PATH}/versions"
NEWEST: Final = 5
PAGE: Final = 50

_DONE: Final = {
    "name": "The name is saved.",
    "member": "The member is saved.",
    "member-removed": "The member is removed.",
    "skill": "The skill is saved.",
    "skill-removed": "The skill is removed.",
    "rolled-back": "The team is again what it was, as its newest version.",
}


async def show(call: Call[Empty, ViewQuery], view: View) -> Reply:
    """``GET /teams/{team_id}``."""
    looked = await operations.look(view.content)
    listed = await versions.list_of_team(call.database, view.team.id, MOST_NUMBER, NEWEST)
    return page(
        "team",
        is_secret=bool(view.token),
        view=view,
        looked=looked,
        versions=listed,
        machines=await operations.count_machines(call.database, view.team.id),
        done=_DONE.get(call.query.done, ""),
    )


async def back(call: Call[Empty, Empty]) -> Reply:
    """Lead whoever opens the address of a form, or of a list that stands here, to the team."""
    return see(f"/teams/{quote(call.path['team_id'])}")


async def show_versions(call: Call[Empty, VersionsQuery], view: View) -> Reply:
    """``GET /teams/{team_id}/versions``: fifty at a time, the newest first."""
    text = call.query.before
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else MOST_NUMBER
    listed = await versions.list_of_team(call.database, view.team.id, before, PAGE)
    more = listed[-1].version if len(listed) == PAGE else 0
    return page("versions", is_secret=bool(view.token), view=view, versions=listed, more=more)


async def roll_back(call: Call[RollBackForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/versions``."""
    team_id = call.path["team_id"]
    await operations.roll_back(call.database, person, team_id, call.body.version)
    return see(f"/teams/{team_id}?done=rolled-back")


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(PATH, with_team(show), "A team", ViewQuery),
    shown(VERSIONS, with_team(show_versions), "What a team was", VersionsQuery),
    submitted(VERSIONS, signed_in(roll_back, VERSIONS), "Roll a team back", RollBackForm),
)
