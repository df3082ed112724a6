from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.learnings.outcomes.models import Read
from services.learnings.outcomes.rules import read, share, weigh


def outcome(ids: int = 1, **fields: Any) -> Read:
    known: dict[str, Any] = {
        "build_passed": None,
        "rework_rate": None,
        "tasks_completed": None,
        "files_changed": None,
        "propensity_data": {},
    }
    return Read(
        key="",
        session_id="",
        learning_ids=[f"L-{number}" for number in range(ids)],
        **known | fields,
    )


@pytest.mark.parametrize(
    ("said", "helped", "not_helped"),
    [
        ({}, 0, 0),
        ({"build_passed": True}, 0.5, 0),
        ({"build_passed": False}, 0, 0.5),
        ({"rework_rate": 0.0}, 0.3, 0),
        ({"rework_rate": 1.0}, 0, 0.3),
        ({"rework_rate": 7.0}, 0, 0.3),
        ({"rework_rate": 0.5}, 0.15, 0.15),
        ({"tasks_completed": 4}, 0.2, 0),
        ({"tasks_completed": 0}, 0, 0.2),
        ({"files_changed": 4}, 0, 0),
        ({"build_passed": True, "rework_rate": 0.0, "tasks_completed": 1}, 1, 0),
        ({"build_passed": False, "rework_rate": 1.0, "tasks_completed": 0}, 0, 1),
        ({"build_passed": True, "rework_rate": 1.0}, 0.5, 0.3),
        ({"build_passed": True, "propensity_data": {"legacy_no_ids": True}}, 0, 0),
        ({"build_passed": True, "propensity_data": {"legacy_no_ids": False}}, 0.5, 0),
        ({"build_passed": True, "ids": 5}, 0.5, 0),
        ({"build_passed": True, "ids": 50}, 0.05, 0),
        ({"build_passed": True, "ids": 0}, 0, 0),
    ],
)
def test_what_an_outcome_says(said: dict[str, Any], helped: float, not_helped: float) -> None:
    assert list(weigh(outcome(**said))) == pytest.approx([helped, not_helped])


def test_one_outcome_changes_little() -> None:
    assert share(0, 0) == 0.5
    assert share(1, 0) == 0.6
    assert share(0, 1) == 0.4
    assert share(100, 0) > 0.95


@given(
    st.integers(0, 60),
    st.none() | st.booleans(),
    st.none() | st.floats(0, 1e300),
    st.none() | st.integers(0, 2**62),
)
def test_no_outcome_counts_more_than_one(
    ids: int, passed: bool | None, rework: float | None, tasks: int | None
) -> None:
    said = outcome(ids, build_passed=passed, rework_rate=rework, tasks_completed=tasks)
    helped, not_helped = weigh(said)
    assert helped >= 0
    assert not_helped >= 0
    assert helped + not_helped <= 1.000001


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
_names = st.sampled_from(["learning_ids", "propensity_data", "rework_rate", "idempotency_key"])


@given(st.lists(_json | st.dictionaries(_names, _json), max_size=5), _json)
def test_no_batch_fails(elements: list[Any], client_id: Any) -> None:
    batch = read(json.dumps({"outcomes": elements, "client_id": client_id}).encode())
    assert batch.count == len(elements)
    assert len(batch.outcomes) + len(batch.rejected) <= batch.count
    json.dumps([one.propensity_data for one in batch.outcomes.values()], allow_nan=False).encode()
