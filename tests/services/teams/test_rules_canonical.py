from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.teams.teams.models import Content, Member, Skill
from services.teams.teams.rules import (
    hashes_of,
    knowledge_hash,
    members_hash,
    members_json,
    skills_hash,
    skills_json,
    team_hash,
)
from services.teams.teams.rules.canonical import WHITESPACE, by_code_unit
from tests.services.teams import rules_support
from tests.services.teams.rules_support import ask_client, needs_node, property_test

EMPTY_LIST = "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def members(*names: str, role: str = "dev") -> list[Member]:
    return [Member(name, role) for name in names]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("given_members", "expected"),
    [
        ([], EMPTY_LIST),
        (members("alice"), "e354e4c6a421caf9bf0bb234584ed94b63ffc2f3313e83d4aeffe4b16decb9a1"),
        (
            [Member("alice", "dev", "", "meticulous engineer", ("lint", "test", "deploy"))],
            "c3bd3de444b48b279b2f5b28f7aba413ac9017e8247f213d3a68ebabd7c8042b",
        ),
        (
            [Member("charlie", "ops"), Member("alice", "dev"), Member("bob", "qa")],
            "08b1dcd9f07e478fb94034477709c29f5e2a9c7c85a50443d074ff25f4fc0ebc",
        ),
        (
            [Member("alice", "dev", soul="你好世界")],
            "c14d9127027c7778cf6da7ccab1dad285e4e5aae25d23a2b9be5978f3a215253",
        ),
        (
            members("bob", "Alice", "_x", "-y", "9"),
            "8c3eee0b8d6bec180bcb3810f6fd4da1494506dbc27773037f1d60831b03e84d",
        ),
        (
            members("Zed", "amy", "Bob", "bob_2", "bob-1", "Ämy"),
            "33ac9258f1d94c07743b6c5b75cb3218beea9796b37043ac07c094ecd9e7403c",
        ),
        (
            [Member("a", "dev", soul="x\x07\x08\x0c\x1f\x7f\u2028")],
            "b25fd2888fe65d0e50a6416ebb140be828061dec5cab87f03d9ca3dec0a4c294",
        ),
        (
            [Member("a", "dev", description="D")],
            "c60dea6f5838d21b71fe9486eae2204e1d67da3a746c23208dd7382302e4339c",
        ),
    ],
)
def test_members_hash_as_the_contract_says(given_members: list[Member], expected: str) -> None:
    assert members_hash(given_members) == expected


@pytest.mark.parametrize(
    ("given_skills", "expected"),
    [
        ([], EMPTY_LIST),
        (
            [Skill("format", body="Format code.", always_apply=False)],
            "542bad51e9122f948a322bba1abb908faaadb6ecd38128c5f7f061ea8e49e846",
        ),
        (
            [
                Skill(
                    "review",
                    title="Code Review",
                    description="Review pull requests",
                    body="Review all changes carefully.",
                    always_apply=False,
                    globs=("*.ts", "*.js"),
                    user_invocable=True,
                )
            ],
            "e23568d158acb6f89cc342ad74a4915398897cd3493168dd3c4db82ab872d04b",
        ),
        (
            [Skill("test", body="")],
            "405e7271bcac3a6765dbf81e8696c949ddfcc9d30843173aba1f9b55ad7b40a6",
        ),
    ],
)
def test_skills_hash_as_the_contract_says(given_skills: list[Skill], expected: str) -> None:
    assert skills_hash(given_skills) == expected


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", " \t\r\n", WHITESPACE])
def test_knowledge_hash_ignores_white_space_at_the_end(end: str) -> None:
    expected = "a3351036c5d6b6f5065df5d24a252f8a1503935820f1c97ed31def5da6b132ac"
    assert knowledge_hash("Some knowledge" + end) == expected


def test_knowledge_hash_of_no_text_and_of_blank_text_differ() -> None:
    assert knowledge_hash(None) == knowledge_hash("") == sha256("")
    assert knowledge_hash(" ") == knowledge_hash("\n") == sha256("\n")
    expected = "e971ab995f2d077646d1831fe6350886f52beaf282527a9bfc7680404d828c2b"
    assert knowledge_hash("Café ☕ 你好") == expected


@pytest.mark.parametrize("other", ["\x85", "\x1c", "\x1f", "\u200b", "\u180e", "\x00"])
def test_what_javascript_does_not_trim_stays(other: str) -> None:
    assert knowledge_hash("x" + other) == sha256("x" + other + "\n")


def test_team_hash_as_the_contract_says() -> None:
    expected = "412418bc90aa1f6295e8fa9682553179add49b260e5296a488f150d63e14d427"
    assert hashes_of(Content("any")).hash == expected
    expected = "4148b98ac0f54c718db259b7ea4e0471e0f1590786d720f93f62b536d2196d56"
    assert team_hash("aaa", "bbb", "ccc") == expected


@property_test
@given(rules_support.contents, st.randoms(use_true_random=False))
def test_the_order_of_parts_does_not_matter(content: Content, chance: random.Random) -> None:
    def shuffled(values: Any) -> Any:
        return tuple(chance.sample(values, len(values)))

    other = Content(
        name="another",
        members=tuple(
            Member(each.name, each.role, each.description, each.soul, shuffled(each.skills))
            for each in shuffled(content.members)
        ),
        skills=shuffled(content.skills),
        knowledge=content.knowledge + "\n" if content.knowledge else "",
    )
    assert hashes_of(other) == hashes_of(content)


@property_test
@given(rules_support.contents, rules_support.contents)
def test_hashes_differ_where_what_they_cover_differs(one: Content, other: Content) -> None:
    def as_set(values: tuple[Member, ...]) -> set[Member]:
        return {
            Member(each.name, each.role, each.description, each.soul, tuple(sorted(each.skills)))
            for each in values
        }

    is_same = as_set(one.members) == as_set(other.members)
    assert (members_hash(one.members) == members_hash(other.members)) == is_same


def test_what_no_hash_covers() -> None:
    plain, rich = Skill("a"), Skill("a", disable_model_invocation=True, argument_hint="[file]")
    assert skills_hash([plain]) == skills_hash([rich])
    assert skills_hash([plain]) != skills_hash([Skill("a", user_invocable=False)])


def test_inner_lists_sort_by_utf_16() -> None:
    # A pair of surrogates is below what follows them, though its code point is above.
    assert by_code_unit(["\uff5e", "😀", "a", "Z"]) == ["Z", "a", "😀", "\uff5e"]


@needs_node
def test_the_client_hashes_as_we_do() -> None:
    teams = examples(rules_support.members)
    given_members = [json.loads(members_json(team)) for team in teams]
    assert ask_client("members", given_members) == [members_hash(team) for team in teams]
    sets = examples(rules_support.skills)
    given_skills = [
        [
            {key: value for key, value in skill.items() if key not in _NOT_HASHED}
            for skill in json.loads(skills_json(skills))
        ]
        for skills in sets
    ]
    assert ask_client("skills", given_skills) == [skills_hash(skills) for skills in sets]


@needs_node
def test_the_client_trims_what_we_trim() -> None:
    texts = [f"x{chr(code)}" for code in range(1, 0x10000) if not 0xD800 <= code < 0xE000]
    assert ask_client("knowledge", texts) == [knowledge_hash(text) for text in texts]


_NOT_HASHED = ("disableModelInvocation", "argumentHint")


def examples(strategy: st.SearchStrategy[Any], count: int = 150) -> list[Any]:
    """Draw a list of values once, because a process per value would take minutes."""
    found: list[Any] = []

    @settings(property_test, max_examples=count, database=None)
    @given(strategy)
    def draw(value: Any) -> None:
        found.append(value)

    draw()
    return found
