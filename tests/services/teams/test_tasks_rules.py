"""What becomes of a task, and what a request must look like: every pair, any text."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.tasks import rules
from services.teams.tasks.models import Status
from shared.errors import BadRequest

ALLOWED = {
    ("todo", "in_progress"),
    ("todo", "cancelled"),
    ("in_progress", "done"),
    ("in_progress", "cancelled"),
    ("in_progress", "failed"),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def refusal(read: Any, *values: Any) -> str:
    with pytest.raises(BadRequest) as refused:
        read(*values)
    return refused.value.message


@pytest.mark.parametrize(("before", "after"), list(product(Status, Status)))
def test_every_pair_of_statuses_is_decided(before: Status, after: Status) -> None:
    assert (before in rules.befores(after)) == ((before.value, after.value) in ALLOWED)


@given(st.lists(st.sampled_from(Status), max_size=8))
def test_no_task_leaves_its_end_or_is_claimed_twice(wanted: list[Status]) -> None:
    stands, walked = Status.TODO, [Status.TODO]
    for status in wanted:
        if stands in rules.befores(status):
            stands = status
            walked.append(status)
    assert len(walked) <= 3
    assert len(set(walked)) == len(walked)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "description is required"),
        ({"description": None, "assignee": 1}, "description is required"),
        ({"description": 1}, "description must be a string"),
        ({"description": ["a"]}, "description must be a string"),
        ({"description": ""}, "description must not be empty"),
        ({"description": " \n\t"}, "description must not be empty"),
        ({"description": "a" * 2001}, "description must be 2000 characters or fewer"),
        ({"description": "é" * 1001}, "description must be 2000 characters or fewer"),
        ({"description": "a"}, "assignee is required"),
        ({"description": "a", "assignee": {}}, "assignee must be a string"),
        ({"description": "a", "assignee": ""}, "assignee must not be empty"),
        ({"description": "a", "assignee": "é" * 33}, "assignee must be 64 characters or fewer"),
    ],
)
def test_a_new_task_is_refused_for_its_first_fault(body: dict[str, Any], text: str) -> None:
    assert refusal(rules.read_new, body) == text


def test_a_new_task_may_be_as_long_as_the_limits() -> None:
    read = rules.read_new({"description": "é" * 1000, "assignee": "é" * 32})
    assert (read.description, read.assignee) == ("é" * 1000, "é" * 32)


STATUSES = "status must be one of: todo, in_progress, done, cancelled, failed"


@pytest.mark.parametrize(
    ("number", "body", "text"),
    [
        ("1", {}, "status is required"),
        ("x", {"status": None}, "status is required"),
        ("1", {"status": "Done"}, STATUSES),
        ("1", {"status": ""}, STATUSES),
        ("1", {"status": ["done"]}, STATUSES),
        ("x", {"status": {}, "result": 1}, STATUSES),
        ("x", {"status": "done", "result": 1}, "result must be a string"),
        ("1", {"status": "done", "result": "é" * 5001}, "result must be 10000 characters or fewer"),
        ("notanumber", {"status": "done"}, "invalid task number"),
    ],
)
def test_a_step_is_refused_for_its_first_fault(
    number: str, body: dict[str, Any], text: str
) -> None:
    assert refusal(rules.read_step, number, body) == text


@pytest.mark.parametrize(
    "number",
    [
        "",
        "-1",
        "+1",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "1\n",
        "0x1",
        "१",
        "²",
        "1_0",
        "2147483648",
        "9" * 11,
        "9" * 5_000,
        "null",
    ],
    ids=lambda number: number[:12],
)
def test_a_number_that_no_task_can_have_is_refused(number: str) -> None:
    assert refusal(rules.read_number, number) == "invalid task number"


@pytest.mark.parametrize("number", ["0", "7", "007", "999", "2147483647"])
def test_any_other_number_is_looked_for(number: str) -> None:
    assert rules.read_number(number) == int(number)


@given(JSON, JSON, st.text(max_size=12))
def test_whatever_is_sent_is_read_or_refused(one: Any, other: Any, number: str) -> None:
    for read in (
        lambda: rules.read_new({"description": one, "assignee": other}),
        lambda: rules.read_step(number, {"status": one, "result": other}),
    ):
        try:
            read()
        except BadRequest:
            continue
