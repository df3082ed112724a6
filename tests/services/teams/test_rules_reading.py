from __future__ import annotations

from typing import Any

import pytest

from services.teams.teams.models import Change, Member, NewMember, Skill
from services.teams.teams.rules import is_storable, read_base_hash, read_change, size_of
from services.teams.teams.rules.reading import PLATFORMS
from shared.errors import BadRequest

TOO_MANY = [{"name": f"m{number}", "role": "dev"} for number in range(21)]


def member(**fields: Any) -> dict[str, Any]:
    return {"members": [{"name": "alice", "role": "dev", **fields}]}


def skill(**fields: Any) -> dict[str, Any]:
    return {"skills": [{"id": "lint", **fields}]}


def refusal_of(value: object, *, creating: bool = False) -> str:
    with pytest.raises(BadRequest) as caught:
        read_change(value, creating=creating)
    return caught.value.message


def read(value: object) -> Change:
    return read_change(value, creating=False)


EMPTY = "team name must not be empty"
LONG = "team name must be 64 characters or fewer"
ODD = "team name must be alphanumeric (hyphens, underscores, and spaces allowed)"
BIG = "member 'alice' exceeds field size limits"
UNFIT = "member 'alice' has invalid fields"
SKILL_BIG = "skills entry 'lint' exceeds field size limits"
SKILL_UNFIT = "skills entry 'lint' has invalid fields"


@pytest.mark.parametrize("value", [None, 1, True, "x", [], [["name", "x"]]])
def test_a_team_is_an_object(value: object) -> None:
    assert refusal_of(value) == "team must be an object"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (None, "team name must be a string"),
        (1, "team name must be a string"),
        (True, "team name must be a string"),
        (["x"], "team name must be a string"),
        ("", EMPTY),
        (" \t\n\ufeff\u3000", EMPTY),
        ("x" * 65, LONG),
        ("é" * 33, LONG),
        ("bad@name!", ODD),
        ("é", ODD),
        ("-x", ODD),
        (" _x", ODD),
        ("a\tb", ODD),
        ("a\0b", ODD),
        ("a\ud800", ODD),
    ],
)
def test_names_that_are_refused(name: object, text: str) -> None:
    assert refusal_of({"name": name}) == text


@pytest.mark.parametrize(
    ("name", "stored"), [("x" * 64, "x" * 64), ("  One-2_b c\n", "One-2_b c"), ("9", "9")]
)
def test_names_are_trimmed(name: str, stored: str) -> None:
    assert read({"name": name}).name == stored


def test_what_is_left_out_is_empty_in_a_new_team_and_stands_in_another() -> None:
    assert read({}) == Change()
    assert refusal_of({}, creating=True) == EMPTY
    expected = Change("One", (), (), (), None)
    assert read_change({"name": "One"}, creating=True) == expected


def test_null_empties_skills_and_platforms_and_keeps_knowledge() -> None:
    assert read({"skills": None, "platforms": None, "knowledge": None}) == Change(
        skills=(), platforms=()
    )
    assert read({"skills": [], "platforms": []}) == Change(skills=(), platforms=())
    assert refusal_of({"members": None}) == "members must be a list"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"members": {}}, "members must be a list"),
        ({"members": "x"}, "members must be a list"),
        ({"members": TOO_MANY}, "team may have at most 20 members"),
        ({"members": [1]}, "members must be objects"),
        ({"members": [[]]}, "members must be objects"),
        ({"members": [{"role": "dev"}]}, "member name must not be empty"),
        ({"members": [{"name": "", "role": "dev"}]}, "member name must not be empty"),
        ({"members": [{"name": " \u00a0", "role": "dev"}]}, "member name must not be empty"),
        ({"members": [{"name": True, "role": "dev"}]}, "member name must not be empty"),
        ({"members": [{"name": "a"}]}, "member role must not be empty"),
        ({"members": [{"name": "a", "role": "\n"}]}, "member role must not be empty"),
        ({"members": [{"name": "a", "role": 7}]}, "member role must not be empty"),
        (
            {"members": [{"name": "n" * 65, "role": "dev"}]},
            f"member '{'n' * 32}' exceeds field size limits",
        ),
        (
            {"members": [{"name": "é" * 33, "role": "dev"}]},
            f"member '{'é' * 32}' exceeds field size limits",
        ),
        (member(role="r" * 257), BIG),
        (member(soul="s" * 10_001), BIG),
        (member(soul="é" * 5_001), BIG),
        (member(description="d" * 1_025), BIG),
        (member(skills=["x"] * 201), BIG),
        (member(skills=["x" * 513]), BIG),
        (member(soul=1), UNFIT),
        (member(soul=False), UNFIT),
        (member(description={}), UNFIT),
        (member(skills="lint"), UNFIT),
        (member(skills={"lint": 1}), UNFIT),
        (member(skills=["lint", None]), UNFIT),
        ({"members": [*member()["members"] * 2]}, "duplicate member 'alice'"),
        (
            {"members": [{"name": "a\0b", "role": "dev"}]},
            "member 'a\ufffdb' has invalid characters in name",
        ),
        (member(role="\ud800"), "member 'alice' has invalid characters in role"),
        (member(soul="a\0"), "member 'alice' has invalid characters in soul"),
        (member(description="\udfff"), "member 'alice' has invalid characters in description"),
        (member(skills=["\0"]), "member 'alice' has invalid characters in skills"),
    ],
)
def test_members_that_are_refused(value: object, text: str) -> None:
    assert refusal_of(value) == text


def test_members_are_stored_as_sent() -> None:
    value = {
        "members": [
            {
                "name": " alice ",
                "role": "r" * 256,
                "description": "é" * 512,
                "soul": "s" * 10_000,
                "skills": ["b", "a", "b", ""],
                "platform": ["dropped"],
            },
            {"name": "n" * 64, "role": "x", "description": None, "soul": None, "skills": None},
            {"name": "ALICE", "role": "x", "soul": "", "skills": []},
        ]
    }
    assert read(value).members == (
        NewMember(Member(" alice ", "r" * 256, "é" * 512, "s" * 10_000, ("b", "a", "b", ""))),
        NewMember(Member("n" * 64, "x")),
        NewMember(Member("ALICE", "x"), is_described=False),
    )


def test_twenty_members_are_enough() -> None:
    change = read({"members": TOO_MANY[:20]})
    assert change.members is not None
    assert len(change.members) == 20


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"skills": {}}, "skills must be a list"),
        ({"skills": False}, "skills must be a list"),
        ({"skills": [{}] * 51}, "skills may have at most 50 entries"),
        ({"skills": [1]}, "skills entry has invalid id: 'missing'"),
        ({"skills": [{}]}, "skills entry has invalid id: 'missing'"),
        ({"skills": [{"id": None}]}, "skills entry has invalid id: 'missing'"),
        ({"skills": [{"id": 5}]}, "skills entry has invalid id: 'missing'"),
        ({"skills": [{"id": ""}]}, "skills entry has invalid id: 'missing'"),
        ({"skills": [{"id": "../traversal"}]}, "skills entry has invalid id: '../traversal'"),
        ({"skills": [{"id": "-leading-dash"}]}, "skills entry has invalid id: '-leading-dash'"),
        ({"skills": [{"id": "a\n"}]}, "skills entry has invalid id: 'a\n'"),
        ({"skills": [{"id": "é"}]}, "skills entry has invalid id: 'é'"),
        ({"skills": [{"id": "a" * 65}]}, f"skills entry has invalid id: '{'a' * 65}'"),
        ({"skills": [{"id": "a" * 300}]}, f"skills entry has invalid id: '{'a' * 256}'"),
        ({"skills": [{"id": "\ud800"}]}, "skills entry has invalid id: '\ufffd'"),
        (skill(body="b" * 10_001), "skills entry 'lint' body exceeds 10000 bytes"),
        (skill(body="é" * 5_001), "skills entry 'lint' body exceeds 10000 bytes"),
        (skill(body=1), SKILL_UNFIT),
        (skill(title=1), SKILL_UNFIT),
        (skill(description=[]), SKILL_UNFIT),
        (skill(alwaysApply=1), SKILL_UNFIT),
        (skill(alwaysApply="true"), SKILL_UNFIT),
        (skill(userInvocable=0), SKILL_UNFIT),
        (skill(disableModelInvocation={}), SKILL_UNFIT),
        (skill(argumentHint=True), SKILL_UNFIT),
        (skill(globs="*.ts"), SKILL_UNFIT),
        (skill(globs=[1]), SKILL_UNFIT),
        (skill(title="t" * 513), SKILL_BIG),
        (skill(description="d" * 4_097), SKILL_BIG),
        (skill(argumentHint="h" * 1_025), SKILL_BIG),
        (skill(globs=["g"] * 201), SKILL_BIG),
        (skill(globs=["g" * 513]), SKILL_BIG),
        (skill(body="\0"), "skills entry 'lint' has invalid characters in body"),
        (skill(globs=["\0"]), "skills entry 'lint' has invalid characters in globs"),
        (skill(argumentHint="\0"), "skills entry 'lint' has invalid characters in argumentHint"),
        ({"skills": [{"id": "a"}, {"id": "A"}, {"id": "a"}]}, "duplicate skill 'a'"),
    ],
)
def test_skills_that_are_refused(value: object, text: str) -> None:
    assert refusal_of(value) == text


def test_skills_are_stored_as_sent() -> None:
    full = {
        "id": "a" * 64,
        "title": "T",
        "description": "D",
        "alwaysApply": False,
        "globs": ["b", "a"],
        "userInvocable": True,
        "body": "b" * 10_000,
        "disableModelInvocation": True,
        "argumentHint": "[x]",
        "other": {"dropped": 1},
    }
    bare = {**dict.fromkeys(full), "id": "9"}
    assert read({"skills": [full, bare]}).skills == (
        Skill("a" * 64, "T", "D", False, ("b", "a"), True, "b" * 10_000, True, "[x]"),
        Skill("9"),
    )


@pytest.mark.parametrize(
    ("knowledge", "text"),
    [
        (1, "knowledge must be a string"),
        (False, "knowledge must be a string"),
        ([], "knowledge must be a string"),
        ("x" * 100_001, "knowledge exceeds maximum size of 100,000 bytes"),
        ("é" * 50_001, "knowledge exceeds maximum size of 100,000 bytes"),
        ("a\0", "knowledge has invalid characters"),
        ("\ud83d", "knowledge has invalid characters"),
    ],
)
def test_knowledge_that_is_refused(knowledge: object, text: str) -> None:
    assert refusal_of({"knowledge": knowledge}) == text


@pytest.mark.parametrize("knowledge", ["", " \n", "é" * 50_000, "a\r\n\ufeff"])
def test_knowledge_is_stored_as_sent(knowledge: str) -> None:
    assert read({"knowledge": knowledge}).knowledge == knowledge


@pytest.mark.parametrize(
    ("platforms", "text"),
    [
        ("cursor", "platforms must be a list"),
        ({}, "platforms must be a list"),
        (["cursor", "vim"], "unknown platform: 'vim'"),
        (["Cursor"], "unknown platform: 'Cursor'"),
        (["v" * 1_000], f"unknown platform: '{'v' * 256}'"),
        (["\ud800"], "unknown platform: '\ufffd'"),
        ([None], "unknown platform: 'not a string'"),
        ([["cursor"]], "unknown platform: 'not a string'"),
    ],
)
def test_platforms_that_are_refused(platforms: object, text: str) -> None:
    assert refusal_of({"platforms": platforms}) == text


def test_each_platform_is_kept_once() -> None:
    every = sorted(PLATFORMS)
    assert len(every) == 10
    assert read({"platforms": [*every, *reversed(every)]}).platforms == tuple(every)


def test_the_first_failure_wins() -> None:
    bad = {"name": 1, "members": 1, "skills": 1, "knowledge": 1, "platforms": 1}
    texts = [
        "team name must be a string",
        "members must be a list",
        "skills must be a list",
        "knowledge must be a string",
        "platforms must be a list",
    ]
    for key, text in zip(list(bad), texts, strict=True):
        assert refusal_of(bad) == text
        del bad[key]
    two = [{"name": "a", "role": ""}, {"name": "", "role": "b"}]
    assert refusal_of({"members": two}) == "member role must not be empty"


@pytest.mark.parametrize("value", ["a" * 64, "0123456789abcdef" * 4])
def test_a_base_hash(value: str) -> None:
    assert read_base_hash(value) == value


@pytest.mark.parametrize("value", [None, 1, [], "", "a" * 63, "A" * 64, "a" * 64 + "\n", "g" * 64])
def test_what_is_no_base_hash_counts_as_absent(value: object) -> None:
    assert read_base_hash(value) is None


def test_what_a_database_can_hold() -> None:
    assert is_storable("é😀\x01\uffff")
    assert not is_storable("a\0")
    assert not is_storable("\ud83d")
    assert [size_of(text) for text in ("", "a", "é", "😀", "\ud83d")] == [0, 1, 2, 4, 3]
