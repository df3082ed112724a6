from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given

from services.teams.teams.models import Change, Content, Hashes, Member, NewMember, Skill
from services.teams.teams.rules import (
    Clash,
    create,
    hashes_of,
    is_same,
    knowledge_after,
    settle,
    summary_of,
)
from tests.services.teams.rules_support import changes, contents, property_test

STALE = "0" * 64
ALICE, BOB, CARL = (
    Member(name, "dev", f"about {name}", "soul") for name in ("alice", "bob", "carl")
)
TEAM = Content("One", (ALICE, BOB), (Skill("lint"), Skill("test")), ("cursor",), "a line\n")
HASHES = hashes_of(TEAM)


def same_again(content: Content) -> Change:
    """Write all there is, as a reader would send it back."""
    return Change(
        content.name,
        tuple(NewMember(each) for each in content.members),
        content.skills,
        content.platforms,
        content.knowledge,
    )


def test_a_new_team_is_what_was_sent() -> None:
    assert create(same_again(TEAM)) == TEAM
    assert create(Change("One")) == Content("One")


def test_what_is_left_out_stays() -> None:
    assert settle(TEAM, HASHES, Change(), None) == TEAM
    assert settle(TEAM, HASHES, Change("Two"), HASHES.hash) == replace(TEAM, name="Two")


def test_lists_that_are_empty_empty_the_team() -> None:
    change = Change(members=(), skills=(), platforms=(), knowledge="")
    assert settle(TEAM, HASHES, change, None) == Content("One", knowledge="a line\n")


def test_members_keep_their_place_and_new_ones_come_last() -> None:
    change = Change(members=tuple(map(NewMember, (CARL, BOB, replace(ALICE, role="qa")))))
    assert settle(TEAM, HASHES, change, None).members == (replace(ALICE, role="qa"), BOB, CARL)


def test_skills_and_platforms_keep_their_place_too() -> None:
    change = Change(skills=(Skill("new"), Skill("test", "T")), platforms=("codex", "cursor"))
    after = settle(TEAM, HASHES, change, None)
    assert after.skills == (Skill("test", "T"), Skill("new"))
    assert after.platforms == ("cursor", "codex")


def test_a_description_that_is_left_out_stays_and_a_soul_goes() -> None:
    bare = Member("alice", "dev")
    after = settle(TEAM, HASHES, Change(members=(NewMember(bare, is_described=False),)), None)
    assert after.members == (replace(bare, description="about alice"),)
    after = settle(TEAM, HASHES, Change(members=(NewMember(bare),)), None)
    assert after.members == (bare,)
    after = settle(TEAM, HASHES, Change(members=(NewMember(CARL, is_described=False),)), None)
    assert after.members == (replace(CARL, description=""),)


@pytest.mark.parametrize(
    "change",
    [
        Change(),
        Change("Two"),
        Change(members=()),
        Change(members=(), knowledge="b"),
        Change(skills=(), knowledge="b"),
        Change(skills=(Skill("lint", "T"), Skill("test")), knowledge="b"),
        Change(platforms=()),
    ],
)
def test_a_stale_writer_is_refused(change: Change) -> None:
    with pytest.raises(Clash):
        settle(TEAM, HASHES, change, STALE)


def test_a_stale_writer_may_add_knowledge() -> None:
    undescribed = tuple(
        NewMember(replace(each, description=""), is_described=False) for each in (BOB, ALICE)
    )
    change = Change("Two", undescribed, None, (), "b")
    after = settle(TEAM, HASHES, change, STALE)
    assert after == replace(TEAM, knowledge="a line\nb\n")


@property_test
@given(contents, changes)
def test_without_a_base_or_with_the_right_one_the_last_writer_wins(
    content: Content, change: Change
) -> None:
    hashes = hashes_of(content)
    after = settle(content, hashes, change, None)
    assert settle(content, hashes, change, hashes.hash) == after
    if change.members is not None:
        assert {each.name for each in after.members} == {new.member.name for new in change.members}
    if change.skills is not None:
        assert sorted(each.id for each in after.skills) == sorted(each.id for each in change.skills)
    assert after.knowledge == knowledge_after(content.knowledge, change.knowledge)
    # Once more changes nothing.
    assert is_same(settle(after, hashes_of(after), change, None), after)


@property_test
@given(contents, contents)
def test_writing_all_leaves_just_that_apart_from_knowledge(one: Content, other: Content) -> None:
    after = settle(one, hashes_of(one), same_again(other), None)
    expected, found = hashes_of(other), hashes_of(after)
    assert (found.members_hash, found.skills_hash) == (expected.members_hash, expected.skills_hash)
    assert set(after.platforms) == set(other.platforms)


@property_test
@given(contents, changes)
def test_a_stale_base_lets_nothing_but_knowledge_through(content: Content, change: Change) -> None:
    hashes = hashes_of(content)
    assume(hashes.hash != STALE)
    try:
        after = settle(content, hashes, change, STALE)
    except Clash:
        return
    assert change.knowledge is not None
    assert replace(after, knowledge="") == replace(content, knowledge="")
    assert after.knowledge == knowledge_after(content.knowledge, change.knowledge)


@property_test
@given(contents, contents)
def test_of_two_writers_from_one_base_the_second_clashes(content: Content, other: Content) -> None:
    base = hashes_of(content)
    change = replace(same_again(other), knowledge=None)
    first = settle(content, base, change, base.hash)
    now = hashes_of(first)
    if now.hash == base.hash:
        assert settle(first, now, change, base.hash) == first
        return
    with pytest.raises(Clash):
        settle(first, now, change, base.hash)


@property_test
@given(contents)
def test_sending_back_what_stands_changes_nothing(content: Content) -> None:
    assert settle(content, hashes_of(content), same_again(content), None) == content


def test_the_hashes_given_are_believed() -> None:
    # They were computed when the content was stored; computing them again would cost each push.
    other = Hashes("1" * 64, "2" * 64, "3" * 64, "4" * 64)
    with pytest.raises(Clash):
        settle(TEAM, other, same_again(TEAM), HASHES.hash)
    assert settle(TEAM, other, same_again(TEAM), "1" * 64) == TEAM


@pytest.mark.parametrize(
    ("after", "summary"),
    [
        (TEAM, "no change"),
        (replace(TEAM, name="Two"), "name"),
        (replace(TEAM, members=(replace(BOB, role="qa"), CARL)), "members +1 -1 ~1"),
        (replace(TEAM, members=(BOB, ALICE)), "members moved"),
        (replace(TEAM, skills=(), platforms=("codex",)), "skills -2, platforms +1 -1"),
        (replace(TEAM, knowledge="a line\né\n"), "knowledge +3 bytes"),
        (replace(TEAM, knowledge=""), "knowledge -7 bytes"),
        (replace(TEAM, knowledge="b line\n"), "knowledge changed"),
    ],
)
def test_a_summary_says_what_changed(after: Content, summary: str) -> None:
    assert summary_of(TEAM, after) == summary


def test_a_summary_of_the_first_version() -> None:
    assert summary_of(None, TEAM) == "created: members 2, skills 2"


@property_test
@given(contents, contents)
def test_a_summary_names_no_change_only_where_there_is_none(one: Content, other: Content) -> None:
    assert (summary_of(one, other) == "no change") == is_same(one, other)
