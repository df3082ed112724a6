"""A person's teams, and making one."""

from __future__ import annotations

from typing import Any, Final

from services.teams.pages import operations
from services.teams.pages.models import NewTeamForm, ViewQuery
from services.teams.pages.routes.frame import MINE, page, see, shown, signed_in, submitted
from services.teams.people.models import Browser
from shared.api import Call, Empty, Operation, Reply
from shared.errors import BadRequest, ServiceError
from shared.siblings import Siblings

NEW: Final = "/new"
_DONE: Final = {"deleted": "The team is deleted."}


async def show_mine(call: Call[Empty, ViewQuery], person: Browser) -> Reply:
    """``GET /teams``."""
    found = await operations.list_mine(call.database, call.resource(Siblings), person)
    return page("mine", person=person, teams=found, done=_DONE.get(call.query.done, ""))


async def show_new(call: Call[Empty, Empty], person: Browser) -> Reply:
    """``GET /new``."""
    return _form(person, NewTeamForm())


async def make(call: Call[NewTeamForm, Any], person: Browser) -> Reply:
    """``POST /new``: the page of the invitation shows its code, once."""
    try:
        code = await operations.make(call.database, person, call.body)
    except BadRequest as error:
        return _form(person, call.body, error)
    return see(f"/invite/{code}?made=1")


def _form(person: Browser, form: NewTeamForm, error: ServiceError | None = None) -> Reply:
    return page("new", error=error, person=person, form=form)


OPERATIONS: Final[tuple[Operation, ...]] = (
    shown(MINE, signed_in(show_mine), "A person's teams", ViewQuery),
    shown(NEW, signed_in(show_new), "The page to make a team"),
    submitted(NEW, signed_in(make, NEW), "Make a team", NewTeamForm),
)
