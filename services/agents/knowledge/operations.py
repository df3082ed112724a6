"""Looking up what an agent's knowledge bases have on a question.

With the rights that whoever asked it has now, not those they had when they did: auth is asked each
time, as the gateway asks it. What cannot be looked up is a note, never an error: an answer without
it is better than none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from services.agents.knowledge import rules
from services.agents.knowledge.models import (
    MOST_PASSAGES,
    Caller,
    Excerpts,
    Found,
    LearningsBase,
    Standing,
    TeamBase,
    TeamKnowledge,
    Wanted,
)
from services.agents.providers.models import Passage
from shared.errors import Unavailable
from shared.principal import Kind
from shared.siblings import Siblings

NOBODY: Final = Standing(active=False)

_LARGE: Final = 32_768
"""Characters of a team's texts from which on choosing among them would hold up others."""

NOT_FOR_CALLER: Final = "not available to the caller"
AWAY: Final = "did not answer"


class _Refused(Exception):
    """The sibling has nothing for the caller there."""


async def look_up(siblings: Siblings, caller: Caller, bases: Any, query: str) -> Found:
    """Give what an agent's knowledge bases have on a question, within four seconds.

    Args:
        siblings: to ask; who is not among them is away.
        caller: who posted the message that is to be answered.
        bases: what the agent names, any JSON.
        query: the message.
    """
    wanted, notes = rules.read_bases(bases)
    if not wanted:
        return Found((), notes)
    try:
        standing = await _standing(siblings, caller)
    except Unavailable:
        return Found((), [*(f"{one.name} {AWAY}" for one in wanted), *notes])
    question = rules.read_question(query)
    looked = await asyncio.gather(
        *(_look_up_one(siblings, caller, standing, one, question) for one in wanted)
    )
    said = [f"{one.name} {why}" for one, (_, why) in zip(wanted, looked, strict=True) if why]
    return Found(rules.shared_out([passages for passages, _ in looked]), [*said, *notes])


async def _standing(siblings: Siblings, caller: Caller) -> Standing:
    """Ask auth what the caller's session or API key may now.

    Raises:
        Unavailable: auth did not answer.
    """
    if caller.kind not in (Kind.USER, Kind.API_KEY) or not (caller.session and caller.account):
        return NOBODY  # a service account or an external subject belongs to no organization
    question = {
        "session_id": caller.session,
        "account_id": caller.account,
        "org_id": caller.org,
    }
    found = await siblings.ask("auth", "/internal/sessions/check", question, Standing)
    return found if found.kind == caller.kind else NOBODY


async def _look_up_one(
    siblings: Siblings, caller: Caller, standing: Standing, wanted: Wanted, question: str
) -> tuple[Sequence[Passage], str]:
    """Give what one base has, or why it gave nothing."""
    if not rules.may_read(caller, standing, wanted.base):
        return (), NOT_FOR_CALLER
    try:
        if isinstance(wanted.base, TeamBase):
            return await _of_team(siblings, caller, wanted.base, question), ""
        return await _of_learnings(siblings, caller, wanted.base, question), ""
    except _Refused:
        return (), NOT_FOR_CALLER
    except Unavailable:
        return (), AWAY


async def _of_learnings(
    siblings: Siblings, caller: Caller, base: LearningsBase, question: str
) -> Sequence[Passage]:
    if base.query is None and not rules.words_of(question):
        return ()  # a blank search would give what has nothing to do with it
    filters = base.model_dump(exclude={"type", "query"}, exclude_none=True)
    asked = {
        **filters,
        "org_id": caller.org,
        "key_id": caller.session if caller.kind == Kind.API_KEY else "",
        "query": question if base.query is None else base.query,
    }
    found = await siblings.ask("learnings", "/internal/search", asked, Excerpts)
    return [rules.passage_of(excerpt) for excerpt in found.results]


async def _of_team(
    siblings: Siblings, caller: Caller, base: TeamBase, question: str
) -> Sequence[Passage]:
    asked = {"account_id": caller.account, "team_id": base.team_id}
    team = await siblings.ask("teams", "/internal/teams/knowledge", asked, TeamKnowledge)
    if not team.found:
        raise _Refused
    size = len(team.knowledge) + sum(len(each.body) for each in team.skills)
    if size < _LARGE:
        return _fitting(team, question)
    return await asyncio.to_thread(_fitting, team, question)


def _fitting(team: TeamKnowledge, question: str) -> Sequence[Passage]:
    return rules.fitting(question, rules.parts_of(team), MOST_PASSAGES)
