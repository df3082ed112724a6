"""What is done in which state, and which agent answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from services.agents.agents.models import Agent
from services.agents.sessions.models import JobKind, State

INTERRUPTED: Final = "The turn was interrupted, and is not tried again."
UNFINISHED: Final = "The turn failed inside the service."
UNPREPARED: Final = "The runner could not be prepared."
NOT_STARTED: Final = "The session was not started."

_STANDS: Final = (State.READY, State.BUSY)

_MENTION: Final = re.compile(r"\s*@([a-zA-Z0-9_.-]{1,255})[,:;]?\s*")

_ROUTES: Final = 50
_PHRASES: Final = 20
_LONGEST_PHRASE: Final = 200
_PLACES: Final = 50
_LOOKED_AT: Final = 20_000
"""Characters of a message: an agent's routes must not hold up the turns of others."""


def can_answer(state: State) -> bool:
    """Tell whether turns are run in a session; messages wait otherwise."""
    return state in _STANDS


def is_moot(kind: JobKind, state: State | None) -> bool:
    """Tell whether a job has nothing to do any more, because the session went on without it.

    Args:
        kind: any but ``run_turn``.
        state: as its row says; None if it is deleted.
    """
    match kind:
        case "create_session":
            return state is not State.INIT
        case "reactivate_session":
            return state not in _STANDS
        case "stop_session":
            return state not in (State.IDLE, State.ERROR)
        case _:
            return state is not None


def choose(agents: Sequence[Agent], message: str) -> tuple[Agent | None, str]:
    """Choose the agent that answers a message, and give what it is to be told (section 6, routing).

    ``@name`` at the beginning names it, and is not part of what it is told; else the first agent's
    routes may name it, else it is the first.

    Args:
        agents: of the session, in its order; none: the built-in assistant answers.
        message: as posted.
    """
    if not agents:
        return None, message
    found = _MENTION.match(message)
    if found:
        named = _mentioned(agents, found[1])
        if named is not None:
            return named, message[found.end() :] or message
    first = agents[0]
    text = _plain(message[:_LOOKED_AT])
    for to, phrases in _routes(first.routes):
        named = _named(agents, to)
        if named is not None and any(_contains(text, phrase) for phrase in phrases):
            return named, message
    return first, message


def _mentioned(agents: Sequence[Agent], name: str) -> Agent | None:
    """Find an agent by a name behind which a sentence may end."""
    while name:
        found = _named(agents, name)
        if found is not None or name[-1] not in ".-":
            return found
        name = name[:-1]
    return None


def _named(agents: Sequence[Agent], name: str) -> Agent | None:
    exact = (each for each in agents if name in (each.name, str(each.id)))
    alike = (each for each in agents if each.name.casefold() == name.casefold())
    return next(exact, None) or next(alike, None)


def _routes(routes: Any) -> Iterator[tuple[str, list[str]]]:
    """Give the routes that are understood: ``{"to" | "agent": name, "when": phrase | [phrase]}``.

    Whatever else stands there is passed over: any JSON may be stored.
    """
    for route in routes[:_ROUTES] if isinstance(routes, list) else ():
        if not isinstance(route, dict):
            continue
        to, when = route.get("to", route.get("agent")), route.get("when")
        phrases = [when] if isinstance(when, str) else when
        if not isinstance(to, str) or not isinstance(phrases, list):
            continue
        words = (each for each in phrases[:_PHRASES] if isinstance(each, str))
        read = (_plain(each[:_LONGEST_PHRASE]) for each in words)
        yield to, [each for each in read if each]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _contains(text: str, phrase: str) -> bool:
    """Tell whether a phrase stands among the first of its places in a text as whole words."""
    at = -1
    for _ in range(_PLACES):
        at = text.find(phrase, at + 1)
        if at < 0:
            return False
        end = at + len(phrase)
        if not (
            _joins(text[max(at - 1, 0) : at], phrase[0]) or _joins(phrase[-1], text[end : end + 1])
        ):
            return True
    return False


def _joins(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum()
