from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.exports.rules.naming import (
    LONGEST_SLUG,
    Names,
    UnsafePath,
    check_paths,
    slug,
)
from tests.services.teams.exports_support import AWKWARD, names

SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@given(names)
def test_a_slug_is_short_lower_case_and_never_empty(text: str) -> None:
    made = slug(text, "member")
    assert SLUG.fullmatch(made)
    assert len(made) <= LONGEST_SLUG + len("member-")
    assert made not in ("con", "nul", "aux", "prn", "com1", "lpt9")
    assert slug(made, "member") == made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Code Reviewer", "code-reviewer"),
        ("Ämy", "amy"),
        ("\uff52eview", "review"),
        ("../../etc/passwd", "etc-passwd"),
        ("CON", "member-con"),
        ("com¹", "member-com1"),
        (".hidden", "hidden"),
        ("x" * 64, "x" * LONGEST_SLUG),
        ("\u202egnp.exe", "gnp-exe"),
    ],
)
def test_slugs(text: str, expected: str) -> None:
    assert slug(text, "member") == expected


def test_a_name_without_letters_of_ours_keeps_its_own_whoever_stands_beside_it() -> None:
    alone = Names("member").give("你好")
    beside = Names("member")
    beside.give("好你")
    assert beside.give("你好") == alone
    assert re.fullmatch(r"member-[0-9a-f]{8}", alone)


@given(st.lists(names, max_size=20))
def test_names_of_one_folder_differ(texts: list[str]) -> None:
    given_names = Names("member", ("team",))
    made = [given_names.give(text) for text in texts]
    assert len(set(made)) == len(made)
    assert "team" not in made
    assert all(len(name) <= 64 for name in made)
    check_paths(f"folder/{name}.md" for name in made)


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", "./a", "a/./b", "a\\b"),
        *("C:/a", "C:a", "a\0b", "a\nb", "a\x7fb", "~/a", "-a", " a", "a ", "a.", "a/b./c", "nul"),
        *(
            "con.md",
            "a/AUX.txt",
            "LPT1",
            ".nul",
            "é",
            "a:b",
            "a*",
            "x" * 97,
            "a/" * 80 + "a",
            "..a",
        ),
        *("\u202ea", "a\u200bb", "...", "a/ /b", "a\u2215b"),
    ],
)
def test_what_is_not_safe_everywhere_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        check_paths([path])


@pytest.mark.parametrize("paths", [["a", "A"], ["x/a.md", "X/A.md"], ["a", "a/b"], ["A/b", "a"]])
def test_files_that_would_hide_each_other_are_refused(paths: list[str]) -> None:
    with pytest.raises(UnsafePath):
        check_paths(paths)


def test_awkward_names_together_are_safe() -> None:
    given_names = Names("member")
    check_paths(f".claude/agents/{given_names.give(name)}.md" for name in AWKWARD)
