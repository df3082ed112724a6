from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.teams.teams.models import Change
from services.teams.teams.rules import is_storable, read_change
from shared.errors import BadRequest
from shared.surfaces import Surface, render
from tests.services.teams.rules_support import property_test

KEYS = st.sampled_from(
    [
        *("name", "role", "soul", "description", "skills", "platforms", "members", "knowledge"),
        *("id", "title", "body", "globs", "alwaysApply", "userInvocable", "argumentHint", "x"),
    ]
)
TEXTS = st.text(st.characters() | st.sampled_from("\0\ud800\udc00"), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.just(10**400)
    | st.floats()
    | TEXTS
    | st.sampled_from(["cursor", "lint", "alice", "x" * 70])
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6),
    max_leaves=20,
)
ENTRIES = st.lists(st.dictionaries(KEYS, SCALARS | st.lists(SCALARS, max_size=3)), max_size=3)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "name": ANY_JSON | st.just("One"),
        "members": ANY_JSON | ENTRIES,
        "skills": ANY_JSON | ENTRIES,
        "knowledge": ANY_JSON,
        "platforms": ANY_JSON | st.lists(SCALARS),
    },
)


@property_test
@given(NEARLY | ANY_JSON, st.booleans())
def test_any_json_is_read_or_refused_with_words_that_can_be_sent(
    value: Any, creating: bool
) -> None:
    change = outcome_of(value, creating=creating)
    if isinstance(change, BadRequest):
        assert json.loads(render(Surface.TEAMS, change).body)["error"] == change.message
        assert len(change.message) < 200
    else:
        assert is_storable(texts_of(change))
        assert not creating or None not in (change.name, change.members, change.skills)


def outcome_of(value: object, *, creating: bool) -> Change | BadRequest:
    """Give what is read, or why it is not; any other exception is the test's failure."""
    try:
        return read_change(value, creating=creating)
    except BadRequest as refusal:
        return refusal


def texts_of(change: Change) -> str:
    """Join all texts of a change."""
    found = [change.name or "", change.knowledge or "", *(change.platforms or ())]
    for new in change.members or ():
        each = new.member
        found += [each.name, each.role, each.soul, each.description, *each.skills]
    for one in change.skills or ():
        found += [one.id, one.title, one.description, one.body, one.argument_hint, *one.globs]
    return "".join(found)


def test_what_is_not_known_is_not_looked_at() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    value = {
        "name": "One",
        "other": deep,
        "members": [{"name": "a", "role": "b", "platform": deep}],
    }
    assert read_change(value, creating=True).name == "One"
    for key in ("members", "skills", "platforms"):
        for hostile in (deep, [deep], {"id": deep}, [{"id": "a", "body": deep}]):
            assert isinstance(outcome_of({key: hostile}, creating=False), BadRequest)
    while deep:
        deep = deep[0]
