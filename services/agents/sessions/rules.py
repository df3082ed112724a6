"""The state machine of sessions (agents contract, section 5). Pure.

INIT ──► READY ◄──► IDLE
  │       ▲ │
  │       │ ▼
  │      BUSY
  └──► ERROR ◄── every state; ERROR ──► INIT, READY
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from services.agents.sessions.models import LONGEST_NAME, Chosen, JobKind, State

TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.INIT: frozenset({State.READY, State.ERROR}),
    State.READY: frozenset({State.IDLE, State.BUSY, State.ERROR}),
    State.IDLE: frozenset({State.READY, State.ERROR}),
    State.BUSY: frozenset({State.READY, State.ERROR}),
    State.ERROR: frozenset({State.INIT, State.READY}),
}
"""Every move there is; all other pairs, a state and itself among them, are none."""

_SPACE_WORDS: Final[Mapping[State, str]] = {
    State.INIT: "init",
    State.READY: "idle",
    State.IDLE: "closed",
    State.BUSY: "busy",
    State.ERROR: "errored",
}

_JOBS: Final[Mapping[State, JobKind]] = {
    State.INIT: "create_session",
    State.IDLE: "stop_session",
    State.ERROR: "stop_session",
}
_REMIX: Final = "-remix"
_BY_WORD: Final = {word: state for state, word in _SPACE_WORDS.items()}


def may_move(state: State, to: State) -> bool:
    """Tell whether a session may go from one state to another."""
    return to in TRANSITIONS[state]


def refusal(state: State, to: State) -> str:
    """Say that a move is none, in the words that clients know (section 2.2)."""
    return f"Invalid state transition from {state.capitalize()} to {to.capitalize()}"


def to_close(state: State) -> tuple[State, ...] | None:
    """Give the moves of ``close``, none where there is nothing to do, None where it is not allowed.

    From BUSY they go over READY, so that every move is one of the table's.
    """
    return {
        State.READY: (State.IDLE,),
        State.BUSY: (State.READY, State.IDLE),
        State.IDLE: (),
    }.get(state)


def to_restore(state: State) -> tuple[State, ...] | None:
    """Give the moves of ``restore``, none where there is nothing to do, None if not allowed."""
    return {
        State.IDLE: (State.READY,),
        State.ERROR: (State.READY,),
        State.READY: (),
        State.BUSY: (),
    }.get(state)


def on_user_message(state: State) -> tuple[State, ...]:
    """Give the moves that a USER message makes (section 4.6); it waits where there are none."""
    return {
        State.READY: (State.BUSY,),
        State.IDLE: (State.READY, State.BUSY),
    }.get(state, ())


def shown(state: State, *, is_space: bool) -> str:
    """Give the word for a state in the session's dialect (section 4.5)."""
    return _SPACE_WORDS[state] if is_space else state.value


def meant(word: str, *, is_space: bool) -> State | None:
    """Read a state that somebody asks for, in any case of letters; None if it is none.

    Where both dialects have the word, the native state is meant, unless the question is in the
    other: ``idle`` is IDLE, and READY to a client that says ``space``.
    """
    native = State.__members__.get(word.upper())
    dialect = _BY_WORD.get(word.lower())
    return (dialect or native) if is_space and word.islower() else (native or dialect)


def job_after(before: State, to: State) -> JobKind | None:
    """Give the job that a move by hand needs, so that what runs the session follows.

    A session that leaves BUSY for READY has its runner still.
    """
    if to is State.READY:
        return None if before is State.BUSY else "reactivate_session"
    return _JOBS.get(to)


def remix_name(name: str) -> str:
    """Name a session after its parent, within the limit of names."""
    return name[: LONGEST_NAME - len(_REMIX)] + _REMIX


def default_name(session_id: UUID) -> str:
    """Name a session that nobody named (section 4.5)."""
    return f"session-{session_id.hex[:8]}"


def with_dropped(metadata: str, dropped: Sequence[Chosen]) -> str:
    """Note in metadata which of the parent's agents a remix has no more, because they went."""
    if not dropped:
        return metadata
    note = [{"id": str(agent.id), "name": agent.name} for agent in dropped]
    return json.dumps(
        {**json.loads(metadata), "dropped_agents": note},
        ensure_ascii=False,
        separators=(",", ":"),
    )
