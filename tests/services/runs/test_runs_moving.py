"""States of runs: nothing but what section 7.1 draws, whoever tries what in which order."""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runs.runs import operations, rules
from services.runs.runs.models import Finished, Held, Status, Summary
from services.runs.runs.operations import moving
from services.runs.runs.store import moving as store
from tests.services.runs.conftest import Runs, new_org
from tests.services.runs.runs_support import read, said

S = Status


def test_the_drawing_is_that_of_the_contract() -> None:
    ended = {S.PASSED, S.FAILED, S.BROKEN, S.CANCELLED, S.INTERRUPTED}
    assert ended == rules.FINAL
    for status in Status:
        for to in Status:
            expected = (
                (status is S.QUEUED and to in (S.RUNNING, S.CANCELLED))
                or (status is S.RUNNING and to in ended)
                # Once, after an interruption.
                or (status is S.RUNNING and to is S.QUEUED)
                # In the transaction that makes it, where a plan's suite is gone.
                or (status is S.QUEUED and to is S.BROKEN)
            )
            assert rules.may_move(status, to) is expected, (status, to)


@given(attempt=st.integers(1, 10), requeues=st.booleans())
def test_a_run_is_tried_twice_at_most(attempt: int, requeues: bool) -> None:
    assert rules.may_try_again(attempt, requeues=requeues) is (requeues and attempt == 1)


@given(text=st.one_of(st.none(), st.text(max_size=40)))
def test_places_are_read_or_refused(text: str | None) -> None:
    try:
        found = rules.read_places(text)
    except rules.UnknownWord:
        return
    assert found is None or set(found.split(",")) <= {*rules.TRACKERS, rules.NONE}
    assert rules.read_places(found) == found


@given(
    asked=st.one_of(st.none(), st.sampled_from(["none", "github", "tripwire,jira"])),
    installed=st.sampled_from(["", "none", "github", "gitlab, jira", "nonsense"]),
)
def test_the_board_is_always_among_the_places_but_for_none(
    asked: str | None, installed: str
) -> None:
    found = rules.places(asked, installed)
    is_none = "none" in (asked, installed if asked is None else "")
    assert (found == ()) is is_none
    assert is_none or found[0] == "tripwire"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(report=JSON, other=JSON)
def test_no_report_makes_a_fault(report: object, other: object) -> None:
    given_report = report if isinstance(report, dict) else {"cases": report, "summary": other}
    rules.summary_of(given_report)
    rules.failed_cases(given_report)
    rules.compare(given_report, {"cases": [{"id": "a", "steps": other}]})


WORDS = ("claim", "lose", "cancel", "finish", "record", "renew", "end", "delete")
SCRIPTS = [
    ["cancel", "claim", "finish", "cancel"],
    ["claim", "finish", "cancel", "lose", "finish"],
    ["claim", "cancel", "lose", "claim", "finish"],
    ["claim", "record", "lose", "record", "finish", "claim", "record", "finish", "finish"],
    ["claim", "lose", "cancel", "claim", "record"],
    ["claim", "lose", "claim", "lose", "claim", "cancel"],
    ["claim", "delete", "finish", "delete", "cancel"],
    ["delete", "claim", "cancel", "record"],
]


@pytest.mark.parametrize("script", SCRIPTS, ids=" ".join)
async def test_whatever_happens_there_is_one_end(runs: Runs, script: list[str]) -> None:
    await _play(runs, script)


async def test_however_it_is_mixed_there_is_one_end(runs: Runs) -> None:

    dice = random.Random(7)
    for _ in range(40):
        await _play(runs, dice.choices(WORDS, k=dice.randint(3, 12)))


@dataclass
class Story:
    """One run, and whoever has it in hand."""

    runs: Runs
    org: str
    run_id: str
    held: Held | None = None
    seq: int = 0

    async def claim(self) -> None:
        for order in await operations.claim(self.runs.database, "w", 1, 60):
            self.held, self.seq = order.held, order.run.seq

    async def lose(self) -> None:
        await self.runs.sql.execute(
            "UPDATE runs.run SET lease_until = now() - interval '1 s' "
            "WHERE id = $1 AND status = 'running'",
            self.run_id,
        )
        await operations.reconcile(self.runs.database, requeues=True)

    async def cancel(self) -> None:
        await self.runs.post(f"runs/{self.run_id}/cancel", self.runs.member(self.org))

    async def delete(self) -> None:
        await self.runs.delete(f"runs/{self.run_id}", self.runs.member(self.org))

    async def end(self) -> None:
        async with self.runs.database.transaction() as connection:
            row = await store.lock(connection, self.org, self.run_id)
            if row is not None:
                await moving.end(connection, row, Status.CANCELLED, Summary())

    async def renew(self) -> None:
        held = [] if self.held is None else [self.held]
        await operations.renew(self.runs.database, "w", held, 60)

    async def record(self) -> None:
        if self.held is not None:
            with suppress(operations.LeaseLost):
                events = [{"kind": "log"}]
                await operations.record(self.runs.database, self.held, self.seq, events, None)
                self.seq += 1

    async def finish(self) -> None:
        if self.held is not None:
            with suppress(operations.LeaseLost):
                finished = Finished(Status.FAILED)
                await operations.finish(self.runs.database, self.held, finished, "")


async def _play(runs: Runs, script: list[str]) -> None:
    """Do things to one run in that order, and see that its story holds together."""
    await runs.sql.execute("DELETE FROM runs.run")
    member = runs.member(new_org())
    story = Story(runs, member.org, await runs.add_run(member.org))
    seen = [Status.QUEUED]
    for word in script:
        await getattr(story, word)()
        row = await runs.sql.fetchrow("SELECT * FROM runs.run WHERE id = $1", story.run_id)
        if row is None:
            return
        if row["status"] != seen[-1]:
            assert rules.may_move(seen[-1], Status(row["status"])), (script, seen, row["status"])
            seen.append(Status(row["status"]))
        assert row["attempt"] <= 2
    run = await read(runs, member, story.run_id)
    numbers = [event["seq"] for event in run["events"]]
    assert numbers == list(range(1, len(numbers) + 1))
    dones = [event["kind"] for event in run["events"]].count("done")
    assert dones == (1 if run["status"] in rules.FINAL else 0), script
    assert not dones or run["events"][-1]["kind"] == "done"
    ends = [kind for kind, _ in await said(runs, member.org)].count("run.finished.v1")
    assert ends == dones
