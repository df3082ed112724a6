"""A team's skills."""

from __future__ import annotations

from typing import Any, Final

from services.teams.pages import operations
from services.teams.pages.models import BaseForm, SkillForm, View, ViewQuery
from services.teams.pages.routes.frame import page, see, shown, signed_in, submitted, with_team
from services.teams.pages.routes.overview import PATH, back
from services.teams.pages.rules import forms
from services.teams.people.models import Browser
from services.teams.teams.models import Skill
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, Conflict, NotFound, ServiceError
from shared.siblings import Siblings

SKILLS: Final = f"{PATH}/skills"
SKILL: Final = f"{SKILLS}/{{skill_id}}"
REMOVE: Final = f"{SKILL}/remove"
NEW: Final = f"{PATH}/new-skill"


async def show(call: Call[Empty, ViewQuery], view: View) -> Reply:
    """``GET /teams/{team_id}/skills/{skill_id}``."""
    key = call.path["skill_id"]
    skill = forms.require(view.content.skills, key)
    return _page(view, skill, key, forms.form_of_skill(skill, view.team.hashes.skills_hash))


async def show_new(call: Call[Empty, ViewQuery], view: View) -> Reply:
    """``GET /teams/{team_id}/new-skill``."""
    if not view.is_owner:
        raise NotFound
    return _page(view, None, "", SkillForm())


async def save(call: Call[SkillForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/skills`` and ``POST /teams/{team_id}/skills/{skill_id}``."""
    team_id, key = call.path["team_id"], call.path.get("skill_id")
    try:
        await operations.save_skill(call.database, person, team_id, key, call.body)
    except (BadRequest, Conflict) as error:
        siblings = call.resource(Siblings)
        view = await operations.by_person(call.database, siblings, team_id, person)
        known = None if key is None else forms.require(view.content.skills, key)
        return _page(view, known, key or "", call.body, error)
    return see(f"/teams/{team_id}?done=skill")


async def remove(call: Call[BaseForm, Any], person: Browser) -> Reply:
    """``POST /teams/{team_id}/skills/{skill_id}/remove``."""
    team_id, key = call.path["team_id"], call.path["skill_id"]
    await operations.remove_skill(call.database, person, team_id, key, call.body.base)
    return see(f"/teams/{team_id}?done=skill-removed")


def _page(
    view: View,
    skill: Skill | None,
    key: str,
    form: SkillForm,
    error: ServiceError | None = None,
) -> Reply:
    is_secret = bool(view.token)
    return page(
        "skill", error=error, is_secret=is_secret, view=view, skill=skill, key=key, form=form
    )


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(NEW, with_team(show_new), "The page to add a skill", ViewQuery),
    shown(SKILL, with_team(show), "A skill of a team", ViewQuery),
    shown(SKILLS, back, "On to the team"),
    shown(REMOVE, back, "On to the team"),
    submitted(SKILLS, signed_in(save, NEW), "Add a skill", SkillForm),
    submitted(SKILL, signed_in(save, PATH), "Change a skill", SkillForm),
    submitted(REMOVE, signed_in(remove, PATH), "Remove a skill", BaseForm),
)
