"""A copy of access ends as what auth has, in whatever order its news comes."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.agents.access import rules
from services.agents.access.models import Known
from tests.services.agents.access_support import Ask, Auth, Hear, State, Step, Take, Told


class Copy:
    """A copy in memory, kept by the rules alone."""

    def __init__(self) -> None:
        self.version = self.newest = 0
        self.rows: dict[int, tuple[Known, str | None]] = {}
        self.asked: dict[int, tuple[State, int]] = {}

    @property
    def contents(self) -> dict[int, str]:
        return {one: text for one, (_, text) in self.rows.items() if text is not None}

    def do(self, steps: Iterable[Step]) -> None:
        for step in steps:
            match step:
                case Hear():
                    self.hear(step.told)
                case Ask():
                    self.asked[step.number] = step.state, self.newest
                case Take():
                    self.take(*self.asked[step.number])

    def hear(self, told: Told) -> None:
        self.newest = max(self.newest, told.version)
        known = self.rows.get(told.thing)
        if rules.is_news(told.version, self.version, None if known is None else known[0]):
            row = Known(told.version, told.content is None)
            self.rows[told.thing] = row, told.content

    def take(self, state: State, heard: int) -> None:
        restored = rules.is_restored(state.version, heard) and self.newest >= heard
        if rules.is_stale(state.version, self.version, restored=restored):
            return
        shown = {thing: number for thing, (number, _) in state.rows.items()}
        known = {thing: row for thing, (row, _) in self.rows.items()}
        merged = rules.merge(shown, known, state.version, restored=restored)
        for thing in merged.take:
            number, content = state.rows[thing]
            self.rows[thing] = Known(number, False), content
        for thing in merged.end | merged.forget:
            del self.rows[thing]
        self.version = state.version
        self.newest = state.version if restored else max(self.newest, state.version)


chances = st.randoms(use_true_random=False)


@settings(max_examples=120, deadline=None)
@given(chance=chances)
def test_any_order_of_events_and_snapshots_ends_in_what_auth_has(chance: Random) -> None:
    auth, copy = Auth(chance), Copy()
    copy.do(auth.steps(60))
    copy.do(auth.rest())
    assert copy.contents == auth.state().contents


@settings(max_examples=120, deadline=None)
@given(chance=chances)
def test_a_snapshot_makes_up_for_events_that_never_came(chance: Random) -> None:
    auth, copy = Auth(chance), Copy()
    copy.do(auth.steps(60))
    copy.do(auth.repair())
    assert copy.contents == auth.state().contents
    # What was lost may still come, and changes nothing.
    copy.do(auth.rest())
    assert copy.contents == auth.state().contents


@settings(max_examples=60, deadline=None)
@given(chance=chances)
def test_a_copy_follows_auth_back_to_a_backup(chance: Random) -> None:
    auth, copy = Auth(chance), Copy()
    copy.do(auth.steps(20))
    backup = auth.state()
    copy.do(auth.steps(20))
    copy.do(auth.rest())
    auth.version, auth.rows, auth.said = backup.version, dict(backup.rows), []
    copy.do(auth.repair())
    assert copy.contents == auth.state().contents
    auth.asked = []
    copy.do(auth.steps(20))
    copy.do(auth.rest())
    assert copy.contents == auth.state().contents


@pytest.mark.parametrize(
    ("version", "copied", "known", "expected"),
    [
        (5, 4, None, True),
        (5, 5, None, False),
        (5, 4, Known(4, False), True),
        (5, 4, Known(5, False), False),
        (5, 3, Known(6, True), False),
    ],
)
def test_an_event_is_news_if_nothing_newer_is_known(
    version: int, copied: int, known: Known | None, expected: bool
) -> None:
    assert rules.is_news(version, copied, known) is expected


def test_what_a_snapshot_leaves_out_is_gone_unless_it_is_newer() -> None:
    known = {
        "kept": Known(3, False),
        "ended": Known(2, False),
        "buried": Known(2, True),
        "newer": Known(9, False),
        "newer end": Known(8, True),
        "of another time": Known(6, False),
    }
    shown = {"kept": 3, "newer end": 4, "new": 5, "of another time": 1}
    merged = rules.merge(shown, known, 7, restored=False)
    assert merged.take == {"new", "of another time"}
    assert merged.end == {"ended"}
    assert merged.forget == {"buried"}
