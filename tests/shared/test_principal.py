from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Forbidden, ServiceError, Unauthenticated
from shared.principal import Kind, Principal, Role, sign_assertion, verify_assertion
from shared.secret import decode_base64url

KEY = bytes(range(32))
texts = st.text(max_size=20)
principals = st.builds(
    Principal, st.sampled_from(Kind), texts, texts, texts,
    st.lists(texts, max_size=3).map(tuple), texts, texts, st.lists(texts, max_size=3).map(tuple),
)  # fmt: skip


@given(principals)
def test_an_assertion_says_exactly_who_is_calling(principal: Principal) -> None:
    assertion = sign_assertion(KEY, "auth", principal, 1000.0)
    assert verify_assertion(KEY, "auth", assertion, 1000.0) == principal


@given(st.text(max_size=80))
def test_a_made_up_assertion_is_refused(text: str) -> None:
    with pytest.raises(Unauthenticated):
        verify_assertion(KEY, "auth", text, 1000.0)


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, change: int) -> None:
    assertion = sign_assertion(KEY, "auth", Principal(Kind.USER, "usr_1"), 1000.0).encode()
    place %= len(assertion)
    changed = bytearray(assertion)
    changed[place] ^= change
    with pytest.raises(Unauthenticated):
        verify_assertion(KEY, "auth", changed.decode("latin-1"), 1000.0)


@pytest.mark.parametrize(
    ("now", "holds"), [(1000, True), (1029, True), (1030, False), (960, False)]
)
def test_an_assertion_lives_thirty_seconds(now: int, holds: bool) -> None:
    assertion = sign_assertion(KEY, "auth", Principal(Kind.USER, "usr_1"), 1000.0)
    if holds:
        assert verify_assertion(KEY, "auth", assertion, now).subject == "usr_1"
    else:
        with pytest.raises(Unauthenticated):
            verify_assertion(KEY, "auth", assertion, now)


def test_the_star_covers_everything_but_releases() -> None:
    principal = Principal(Kind.API_KEY, "key_1", scopes=("*",))
    principal.require_scope("learnings:write")
    with pytest.raises(Forbidden, match="Missing scope: releases:write"):
        principal.require_scope("releases:write")
    assert Principal(Kind.USER, scopes=("releases:write",)).has_scope("releases:write")


@pytest.mark.parametrize(
    ("kind", "role", "is_admin"),
    [
        (Kind.USER, Role.OWNER, True),
        (Kind.USER, Role.ADMIN, True),
        (Kind.USER, Role.PLATFORM_ADMIN, True),
        (Kind.USER, Role.MEMBER, False),
        (Kind.API_KEY, Role.OWNER, False),
        (Kind.SERVICE_ACCOUNT, "", False),
        (Kind.ANONYMOUS, "", False),
    ],
)
def test_only_people_are_admins(kind: Kind, role: str, is_admin: bool) -> None:
    principal = Principal(kind, role=role)
    if is_admin:
        principal.require_admin()
    else:
        with pytest.raises(ServiceError, match="Admin role required"):
            principal.require_admin()
    assert principal.is_platform_admin == (kind is Kind.USER and role == Role.PLATFORM_ADMIN)


def test_groups_go_over_only_where_there_are_any() -> None:
    for groups, is_written in ((("dev", "ops"), True), ((), False)):
        principal = Principal(Kind.SUBJECT, "usr_1", session="sas_1", groups=groups)
        assertion = sign_assertion(KEY, "agents", principal, 1000.0)
        payload = decode_base64url(assertion.partition(".")[0])
        assert ("groups" in json.loads(payload)) == is_written
        assert verify_assertion(KEY, "agents", assertion, 1000.0) == principal
