"""The state machine of sessions (agents contract, section 5). Pure.

INIT ──► READY ◄──► IDLE
  │       ▲ │
  │       │ ▼
  │      BUSY
  └──► ERROR ◄── every state; ERROR ──► INIT, READY
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.agents.sessions.models import State

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
