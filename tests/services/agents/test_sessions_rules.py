"""The state machine of sessions by itself (agents contract, section 5)."""

from __future__ import annotations

from itertools import pairwise, product
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.agents.sessions import rules
from services.agents.sessions.models import LONGEST_NAME, Chosen, State

TABLE = {
    ("INIT", "READY"),
    ("INIT", "ERROR"),
    ("READY", "IDLE"),
    ("READY", "BUSY"),
    ("READY", "ERROR"),
    ("IDLE", "READY"),
    ("IDLE", "ERROR"),
    ("BUSY", "READY"),
    ("BUSY", "ERROR"),
    ("ERROR", "INIT"),
    ("ERROR", "READY"),
}
states = st.sampled_from(State)


def test_the_table_is_the_contracts() -> None:
    allowed = {(a.value, b.value) for a, b in product(State, State) if rules.may_move(a, b)}
    assert allowed == TABLE


@given(states)
def test_no_state_is_one_without_a_way_to_ready(state: State) -> None:
    reached, seen = {state}, {state}
    while reached:
        reached = {to for one in reached for to in rules.TRANSITIONS[one]} - seen
        seen |= reached
    assert State.READY in seen - {state} or state is State.READY
    assert state is State.READY or rules.may_move(state, State.READY)


@given(states)
def test_what_callers_do_is_made_of_moves_of_the_table(state: State) -> None:
    for moves in (rules.to_close(state), rules.to_restore(state), rules.on_user_message(state)):
        for before, to in pairwise((state, *(moves or ()))):
            assert rules.may_move(before, to)


def test_where_close_and_restore_lead() -> None:
    assert {state: rules.to_close(state) for state in State} == {
        State.INIT: None,
        State.ERROR: None,
        State.READY: (State.IDLE,),
        State.BUSY: (State.READY, State.IDLE),
        State.IDLE: (),
    }
    assert {state: rules.to_restore(state) for state in State} == {
        State.INIT: None,
        State.IDLE: (State.READY,),
        State.ERROR: (State.READY,),
        State.READY: (),
        State.BUSY: (),
    }


def test_a_refusal_has_the_words_that_clients_know() -> None:
    assert rules.refusal(State.READY, State.INIT) == "Invalid state transition from Ready to Init"


class Conversation(RuleBasedStateMachine):
    """A session that anything happens to, with its runner as the jobs would leave it."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.INIT
        self.waiting = 0
        self.has_runner = False
        self.run("create_session")

    def run(self, job: str | None) -> None:
        match job:
            case "create_session" if self.state is State.INIT:
                self.has_runner, self.state = True, State.READY
            case "reactivate_session":
                self.has_runner = True
            case "stop_session" if self.state in (State.IDLE, State.ERROR):
                self.has_runner = False

    def go(self, *moves: State) -> None:
        for to in moves:
            assert rules.may_move(self.state, to)
            before, self.state = self.state, to
            self.run(rules.job_after(before, to))

    @rule(to=states)
    def by_hand(self, to: State) -> None:
        if rules.may_move(self.state, to):
            self.go(to)

    @rule()
    def close(self) -> None:
        moves = rules.to_close(self.state)
        if moves is not None:
            self.go(*moves)
            assert self.state is State.IDLE

    @rule()
    def restore(self) -> None:
        moves = rules.to_restore(self.state)
        if moves is not None:
            self.go(*moves)
            assert self.state in (State.READY, State.BUSY)

    @rule()
    def user_message(self) -> None:
        before = self.state
        moves = rules.on_user_message(before)
        self.go(*moves)
        assert self.state is (State.BUSY if moves else before)
        self.waiting += not moves

    @precondition(lambda self: self.state is State.BUSY)
    @rule()
    def reply(self) -> None:
        self.go(State.READY)
        if self.waiting:
            self.waiting -= 1
            self.go(State.BUSY)

    @invariant()
    def what_runs_it_is_there_when_it_is_needed(self) -> None:
        assert self.has_runner == (self.state in (State.READY, State.BUSY))

    @invariant()
    def nothing_is_stuck(self) -> None:
        assert self.state is State.READY or rules.may_move(self.state, State.READY)


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize(
    ("word", "native", "dialect"),
    [
        ("READY", State.READY, State.READY),
        ("ready", State.READY, State.READY),
        ("ReAdY", State.READY, State.READY),
        ("idle", State.IDLE, State.READY),
        ("IDLE", State.IDLE, State.IDLE),
        ("closed", State.IDLE, State.IDLE),
        ("Errored", State.ERROR, State.ERROR),
        ("busy", State.BUSY, State.BUSY),
        ("init", State.INIT, State.INIT),
        ("error", State.ERROR, State.ERROR),
        ("started", None, None),
        ("", None, None),
        ("IDLE READY", None, None),
    ],
)
def test_a_state_is_meant_in_any_case_and_dialect(
    word: str, native: State | None, dialect: State | None
) -> None:
    assert rules.meant(word, is_space=False) is native
    assert rules.meant(word, is_space=True) is dialect


@given(states)
def test_what_the_dialect_shows_it_reads(state: State) -> None:
    assert rules.meant(rules.shown(state, is_space=True), is_space=True) is state
    assert rules.meant(rules.shown(state, is_space=False), is_space=False) is state


@given(st.text(min_size=1, max_size=LONGEST_NAME))
def test_a_remix_is_called_after_its_parent_within_the_limit(name: str) -> None:
    called = rules.remix_name(name)
    assert len(called) <= LONGEST_NAME
    assert called.endswith("-remix")
    assert called.startswith(name[: LONGEST_NAME - 6])


def test_a_session_nobody_named_is_called_after_its_id() -> None:
    session_id = UUID("0123abcd-0000-4000-8000-000000000000")
    assert rules.default_name(session_id) == "session-0123abcd"


def test_metadata_say_which_agents_stayed_behind() -> None:
    gone = Chosen(UUID(int=7), "old", "builtin", False)
    assert rules.with_dropped('{"a":1}', []) == '{"a":1}'
    assert rules.with_dropped('{"a":1}', [gone]) == (
        '{"a":1,"dropped_agents":[{"id":"00000000-0000-0000-0000-000000000007","name":"old"}]}'
    )
