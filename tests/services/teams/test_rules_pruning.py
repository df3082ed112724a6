from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.teams.rules import CAP, knowledge_after, prune
from services.teams.teams.rules.pruning import PREAMBLE_CAP
from tests.services.teams.rules_support import property_test

ROOM = 80_000


def size(text: str) -> int:
    return len(text.encode())


def section(name: str, length: int, letter: str = "x") -> str:
    """Write a section of so many bytes, its last line end among them."""
    head = f"## {name}\n"
    return head + letter * ((length - size(head) - 1) // size(letter)) + "\n"


@pytest.mark.parametrize("text", [None, "", "a\n## b\n", "é" * 50_000, "x" * CAP])
def test_what_fits_is_unchanged(text: str | None) -> None:
    assert prune(text) == (text or "")


def test_the_limit_counts_bytes() -> None:
    assert prune("é" * 50_000 + "x") != "é" * 50_000 + "x"


def test_the_oldest_sections_go() -> None:
    sections = [section(str(number), 20_000) for number in range(6)]
    assert prune("intro\n" + "".join(sections)) == "intro\n\n" + "".join(sections[3:])
    assert prune("".join(sections)) == "".join(sections[2:])


def test_exactly_the_room_that_is_left_is_kept() -> None:
    for text, kept in ((section("new", ROOM), True), (section("new", ROOM + 1), False)):
        assert (prune(section("old", 30_000) + text) == text) == kept


def test_the_newest_section_goes_too_where_it_does_not_fit() -> None:
    assert prune("intro\n" + section("old", 10) + section("new", CAP)) == "intro\n"
    assert prune(section("only", CAP + 1)) == ""


def test_smaller_headings_are_no_boundary() -> None:
    inner = section("a", 30_000) + "### inner\n #\n##\n##x\n ## y\n"
    assert prune(section("old", 50_000) + inner + section("b", 30_000)) == (
        inner + section("b", 30_000)
    )


def test_a_preamble_is_cut_at_the_end_of_a_line() -> None:
    line = "é" * 50 + "\n"
    assert prune(line * 1_000 + section("a", 100)) == (
        line * (PREAMBLE_CAP // 101) + "\n" + section("a", 100)
    )
    assert prune(line * 1_000) == line * (PREAMBLE_CAP // 101)


def test_a_line_that_is_longer_than_a_preamble_is_cut_at_a_character() -> None:
    assert prune("x" + "é" * CAP) == "x" + "é" * ((PREAMBLE_CAP - 1) // 2)


def test_other_line_ends_are_no_boundary() -> None:
    text = "a\r## b\u2028## c\x0b## d\n" + section("e", CAP - 100)
    assert prune(text + "x" * 200) == "a\r## b\u2028## c\x0b## d\n"


pieces = st.lists(
    st.tuples(
        st.sampled_from(["## a\n", "## é\n", "### b\n", "", "\n", " ## c\n"]),
        st.sampled_from(["x", "é", "你\n", "😀", "\n"]),
        st.integers(0, 60),
    ).map(lambda piece: piece[0] + piece[1] * piece[2] + "\n"),
    max_size=30,
).map("".join)


@property_test
@given(pieces, st.integers(100, 1_000))
def test_whole_newest_sections_are_kept(text: str, cap: int) -> None:
    pruned = prune(text, cap)
    if size(text) <= cap:
        assert pruned == text
        return
    assert size(pruned) <= cap * 4 // 5
    assert prune(pruned, cap) == pruned
    before, after = split(text), split(pruned)
    kept = after[1:]
    assert before[1:][len(before) - 1 - len(kept) :] == kept
    assert before[0].startswith(after[0].removesuffix("\n")) or not after[0].strip("\n")
    # One more would not have fitted.
    if len(kept) < len(before) - 1:
        assert size(pruned) + size(before[-len(kept) - 1]) + 1 > cap * 4 // 5


def split(text: str) -> list[str]:
    """Cut a text before each line that begins a section; line ends between them go."""
    parts: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.startswith("## "):
            parts.append([])
        parts[-1].append(line)
    return ["\n".join(part) for part in parts]


def test_knowledge_is_merged_and_pruned() -> None:
    old = "".join(section(str(number), 24_000, chr(97 + number)) for number in range(4))
    new = section("new", 20_000, "z")
    after = knowledge_after(old, new)
    assert after.endswith(new)
    assert size(after) <= ROOM
    assert knowledge_after(old, None) == old
    assert knowledge_after(None, new) == new


@pytest.mark.parametrize("line", ["x\n", "## \n", "## x\n", "#\n", "\n", "你\n"])
def test_texts_of_very_many_lines_are_pruned(line: str) -> None:
    text = line * (256_000 // size(line))
    assert size(prune(text)) <= ROOM
