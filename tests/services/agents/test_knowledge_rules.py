"""What knowledge bases mean, what fits a question, and how much is told of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agents.knowledge import rules
from services.agents.knowledge.models import (
    LONGEST_PASSAGE,
    LONGEST_QUESTION,
    LONGEST_TITLE,
    MOST_BASES,
    MOST_BYTES,
    MOST_PASSAGES,
    Caller,
    Excerpt,
    LearningsBase,
    SkillText,
    Standing,
    TeamBase,
    TeamKnowledge,
)
from services.agents.providers.models import Passage

LEARNINGS = {"type": "learnings"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5)
    ),
    max_leaves=20,
)
TYPED = st.fixed_dictionaries(
    {"type": st.sampled_from(["learnings", "team", "vector", "\x00'\n"])},
    optional={
        name: ANYTHING
        for name in ("tags", "min_impact", "status", "query", "limit", "team_id", "source_project")
    },
)


def size_of(passage: Passage) -> int:
    return len((passage.title + passage.text).encode())


def teams(text: str = "", *skills: SkillText) -> TeamKnowledge:
    return TeamKnowledge(found=True, name="Pay", knowledge=text, skills=list(skills))


def texts(*lines: str) -> list[Passage]:
    return [Passage("team", "t", line) for line in lines]


def fitting(question: str, *lines: str, most: int = 8) -> list[str]:
    return [passage.text for passage in rules.fitting(question, texts(*lines), most)]


def test_both_types_are_read_with_their_filters() -> None:
    wanted, notes = rules.read_bases(
        [
            {"type": "learnings", "tags": "db", "min_impact": 1, "status": "active", "limit": 50},
            {"type": "team", "team_id": "t1", "more": [1]},
            {"type": "learnings", "query": "", "limit": 2},
        ]
    )
    assert notes == []
    assert [one.base for one in wanted] == [
        LearningsBase(
            type="learnings", tags=["db"], min_impact=1, status=["active"], limit=MOST_PASSAGES
        ),
        TeamBase(type="team", team_id="t1"),
        LearningsBase(type="learnings", query="", limit=2),
    ]
    assert [one.name for one in wanted] == [
        "knowledge base 1 (learnings)",
        "knowledge base 2 (team)",
        "knowledge base 3 (learnings)",
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        "learnings",
        7,
        True,
        ["learnings", "team:1", None, 3, [LEARNINGS]],
        [{"name": "docs", "url": "https://x"}, {"type": 7}, {"type": None}],
    ],
    ids=str,
)
def test_what_names_no_type_is_passed_over_in_silence(value: Any) -> None:
    assert rules.read_bases(value) == ([], [])


def test_a_base_alone_counts_like_a_list_of_one() -> None:
    assert [one.base for one in rules.read_bases(LEARNINGS)[0]] == [LearningsBase(type="learnings")]


def test_unknown_types_are_named_once_and_harmlessly() -> None:
    wanted, notes = rules.read_bases(
        [
            {"type": "a'b\n\x1b[2J" + "x" * 100},
            {"type": "pinecone"},
            {"type": "pinecone"},
            LEARNINGS,
        ]
        + [{"type": f"t{number}"} for number in range(100)]
    )
    assert len(wanted) == 1
    assert notes == [
        "knowledge base type 'a?b??[2J" + "x" * 32 + "' is not known",
        "knowledge base type 'pinecone' is not known",
        "knowledge base type 't0' is not known",
        "knowledge base type 't1' is not known",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tags", [1]),
        ("tags", {"a": 1}),
        ("tags", ["x\x00"]),
        ("tags", ["\ud800"]),
        ("tags", ["x"] * 21),
        ("tags", ["x" * 201]),
        ("min_impact", "0.5"),
        ("min_impact", True),
        ("min_impact", 1.01),
        ("min_impact", float("nan")),
        ("min_impact", 10**400),
        ("status", "lost"),
        ("status", ["active", 3]),
        ("query", 5),
        ("query", "x" * (LONGEST_QUESTION + 1)),
        ("limit", 0),
        ("limit", "3"),
        ("limit", True),
        ("source_project", ["a"]),
        ("origin_project", 1),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_filter_that_cannot_be_read_never_widens(field: str, value: Any) -> None:
    wanted, notes = rules.read_bases([LEARNINGS | {field: value}])
    assert wanted == []
    assert notes == [f"knowledge base 1 (learnings) has a {field} that cannot be used"]


@pytest.mark.parametrize("base", [{}, {"team_id": 7}, {"team_id": None}, {"team_id": "x" * 201}])
def test_a_team_needs_an_id(base: dict[str, Any]) -> None:
    assert rules.read_bases([{"type": "team"} | base]) == (
        [],
        ["knowledge base 1 (team) has a team_id that cannot be used"],
    )


def test_at_most_eight_and_none_twice() -> None:
    many = [LEARNINGS | {"tags": [str(number)]} for number in range(20)]
    wanted, notes = rules.read_bases(many)
    assert len(wanted) == MOST_BASES
    assert notes == [f"knowledge bases after the first {MOST_BASES} are not looked at"]
    assert len(rules.read_bases([LEARNINGS, LEARNINGS])[0]) == 1


@given(ANYTHING | st.lists(TYPED | ANYTHING, max_size=12))
def test_any_json_is_read(value: Any) -> None:
    wanted, notes = rules.read_bases(value)
    assert len(wanted) <= MOST_BASES
    assert len(notes) <= MOST_BASES + 5
    for note in notes:
        assert note.isprintable()
        assert len(note) < 120
    json.dumps([one.base.model_dump() for one in wanted]).encode()


@given(st.text(st.characters()))
def test_a_question_can_be_sent(text: str) -> None:
    question = rules.read_question(text + "\ud800\x00")
    assert len(question.encode()) <= 4 * LONGEST_QUESTION
    assert "\x00" not in question


@pytest.mark.parametrize(
    ("kind", "scopes", "learnings", "team"),
    [
        ("user", ("*",), True, True),
        ("user", (), False, True),
        ("api_key", ("*",), True, False),
        ("api_key", ("learnings:read",), True, False),
        ("api_key", ("learnings:write",), False, False),
    ],
)
def test_who_may_read_what(kind: str, scopes: tuple[str, ...], learnings: bool, team: bool) -> None:
    caller = Caller(kind, "usr_1", "org_1", "usr_1", "ses_1")
    bases = LearningsBase(type="learnings"), TeamBase(type="team", team_id="t")
    standing = Standing(active=True, kind=kind, role="member", scopes=scopes)
    over = standing.model_copy(update={"active": False})
    assert [rules.may_read(caller, standing, base) for base in bases] == [learnings, team]
    assert not any(rules.may_read(caller, over, base) for base in bases)
    for lacking in (Caller(kind, "usr_1", "", "", "ses_1"), Caller(kind, "", "org_1", "", "")):
        assert not any(rules.may_read(lacking, standing, base) for base in bases)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("When do we deploy?", "Deployments happen on Tuesdays"),
        ("deploying", "deploys"),
        ("cached", "caches"),
        ("the TESTS", "a test"),
        ("pool_size", "the pool"),
        ("asyncpg.pool", "asyncpg"),
        ("ÜBERLASTET", "überlastet"),
        ("数据库连接池", "连接池耗尽"),
        ("соединение", "Соединения"),
        ("连接 pool", "pools连接x"),
        ("CI", "our ci"),
    ],
)
def test_words_meet(question: str, text: str) -> None:
    assert fitting(question, "nothing alike", text) == [text]


@pytest.mark.parametrize("question", ["", "?!", "what is the of", "zebra", "a b c"])
def test_nothing_fits_a_question_without_words_in_common(question: str) -> None:
    assert fitting(question, "What is the use of a pool?", "b c a") == []


def test_rare_words_titles_and_more_of_them_win() -> None:
    assert fitting("pool timeout", *["pool"] * 5, "timeout")[0] == "timeout"
    assert fitting("pool timeout", "pool", "pool timeout", "timeout")[0] == "pool timeout"
    titled = Passage("team", "Timeouts", "something")
    plain = Passage("team", "Other", "a timeout")
    assert rules.fitting("timeout", [plain, titled], 8) == [titled, plain]


def test_those_that_hardly_fit_are_left_out_and_ties_keep_their_order() -> None:
    common = [f"pool {number}" for number in range(9)]
    best = "pool exhausted timeout database handshake"
    found = fitting("pool exhausted timeout database handshake", *common, best)
    assert found == [best]
    assert fitting("pool", *common, most=3) == common[:3]


def test_a_team_comes_apart_into_sections_and_skills() -> None:
    text = "# Notes\nfirst\n\n## Deploys\nOn Tuesdays.\n### How\nSlowly.\n## Data\nx"
    skill = SkillText(id="lint", title="Lint\n it", description="When code changed", body="Run.")
    parts = list(rules.parts_of(teams(text, skill, SkillText(id="empty"))))
    assert {part.source for part in parts} == {"team Pay"}
    assert [(part.title, part.text) for part in parts] == [
        ("Notes", "# Notes\nfirst"),
        ("Deploys", "## Deploys\nOn Tuesdays.\n### How\nSlowly."),
        ("Data", "## Data\nx"),
        ("skill Lint it", "When code changed\n\nRun."),
    ]
    assert [part.title for part in rules.parts_of(teams("no heading"))] == ["knowledge"]
    assert list(rules.parts_of(teams(" \n"))) == []


@given(st.text(st.sampled_from("aä連\n# "), max_size=300), st.integers(1, 60))
def test_parts_are_short_and_lose_nothing(text: str, times: int) -> None:
    whole = text * times
    parts = list(rules.parts_of(teams(whole)))
    assert all(0 < len(part.text.encode()) <= LONGEST_PASSAGE for part in parts)
    assert all(len(part.title.encode()) <= LONGEST_TITLE for part in parts)
    assert "".join("".join(part.text for part in parts).split()) == "".join(whole.split())


def test_a_learning_is_titled_by_its_summary() -> None:
    short = rules.passage_of(Excerpt(summary="Pool early", detail="Because."))
    assert (short.title, short.text) == ("Pool early", "Because.")
    bare = rules.passage_of(Excerpt(summary="Pool early", detail=""))
    assert (bare.title, bare.text) == ("Pool early", "Pool early")
    lines = rules.passage_of(Excerpt(summary="Pool\nearly", detail="Because."))
    assert (lines.title, lines.text) == ("Pool", "Pool\nearly\n\nBecause.")
    long = rules.passage_of(Excerpt(summary="ö" * 900, detail="ä" * 4000))
    assert len(long.title.encode()) <= LONGEST_TITLE
    assert long.title.endswith(" …")
    assert len(long.text.encode()) <= LONGEST_PASSAGE


def test_bases_take_turns_and_nothing_is_told_twice() -> None:
    one, two = texts("a", "b", "c"), texts("x", "a")
    assert [passage.text for passage in rules.shared_out([one, two, []])] == ["a", "x", "b", "c"]


@given(
    st.lists(
        st.lists(
            st.builds(
                Passage,
                st.just("team"),
                st.text(max_size=60),
                st.builds(lambda text, n: text * n, st.text(max_size=9), st.integers(0, 400)),
            ),
            max_size=10,
        ),
        max_size=8,
    )
)
def test_an_answer_keeps_to_its_limits(found: Sequence[Sequence[Passage]]) -> None:
    told = rules.shared_out(found)
    assert len(told) <= MOST_PASSAGES
    assert sum(map(size_of, told)) <= MOST_BYTES
    given_all = {passage.text for passages in found for passage in passages}
    assert all(passage.text in given_all for passage in told[:-1])
