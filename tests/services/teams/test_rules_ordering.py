from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.teams.rules import ordering
from services.teams.teams.rules.ordering import ordered, sort_key, unicode_key
from tests.services.teams.rules_support import (
    ask_client,
    is_client_as_new,
    needs_node,
    property_test,
)

ASCII = [chr(code) for code in range(1, 128)]
SEED = 20
# Letters that no version of the last years has moved.
SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "HANGUL SYLLABLE", "HIRAGANA", "KATAKANA")
# Letters with accents made in two ways, case, other scripts, ideographs, pictures, and what joins
# or modifies them.
MIXED = (
    "aAbBäÄàçÇeéñßøØæœıİσςΣάλчЧьйЙאبกำ你好한가かカ　，１９²½€£©–—“”¿·"  # noqa: RUF001 - look-alikes are the point
    "\u0301\u0308\u0306\u0327\u0323\u200d\ufe0f\u00ad\u2028\ufeff😀👍🏽🇩🇪-_ .09z\x01\x1b\t\x7f\x85"
)


def same(name: str) -> str:
    return name


def known_to_client(characters: Sequence[str]) -> list[str]:
    """Leave out what an older client orders in its own way."""
    if is_client_as_new():
        return list(characters)
    return [
        one
        for one in characters
        if unicodedata.category(one) not in ("Cc", "Cf") and one not in "\u201c\u201d\u2028"
    ]


def assert_client_agrees(names: Sequence[str], key: Callable[[str], bytes]) -> None:
    keys = [key(name) for name in names]
    places = sorted(range(len(names)), key=keys.__getitem__)
    answer = ask_client("order", names)
    assert places == answer["places"]
    assert [keys[one] < keys[other] for one, other in pairwise(places)] == answer["above"]


def strings(characters: Sequence[str], count: int, longest: int) -> list[str]:
    chance = random.Random(SEED)
    return ["".join(chance.choices(characters, k=chance.randint(1, longest))) for _ in range(count)]


@pytest.mark.parametrize("key", [sort_key, unicode_key])
@needs_node
def test_every_ascii_string_of_up_to_two_characters_stands_where_the_client_has_it(
    key: Callable[[str], bytes],
) -> None:
    known = known_to_client(ASCII)
    assert_client_agrees(["", *known, *(one + two for one in known for two in known)], key)


@needs_node
def test_longer_ascii_strings_stand_where_the_client_has_them() -> None:
    assert_client_agrees(strings("aAbBzZ019_- .~$\t\x01", 20_000, 6), sort_key)
    assert_client_agrees(strings(ASCII, 20_000, 8), sort_key)


@needs_node
def test_strings_of_many_scripts_stand_where_the_client_has_them() -> None:
    assert_client_agrees(strings(known_to_client(MIXED), 20_000, 5), unicode_key)


@needs_node
def test_characters_of_all_blocks_stand_where_the_client_has_them() -> None:
    # Up to Unicode 3.2, whose characters no later version moves much.
    known = [
        chr(code)
        for code in range(1, 0x30000)
        if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Co", "Cs")
    ]
    if not is_client_as_new():
        letters = filter(str.isalpha, known)
        known = [one for one in letters if unicodedata.name(one, "").startswith(SCRIPTS)]
    assert_client_agrees(random.Random(SEED).sample(known, min(len(known), 20_000)), unicode_key)


def test_the_contracts_example_is_in_order() -> None:
    example = ["_", "-", "1", "a", "A", "a_b", "a-", "a-b", "a1", "ab", "b", "B", "Z", "z10", "z2"]
    assert ordered(reversed(example), same) == example
    names = ["Zed", "amy", "Bob", "bob_2", "bob-1", "Ämy"]
    assert ordered(names, same) == ["amy", "Ämy", "Bob", "bob_2", "bob-1", "Zed"]


@property_test
@given(st.lists(st.text(st.characters(max_codepoint=127), max_size=6)))
def test_the_table_and_icu_agree(names: list[str]) -> None:
    assert sorted(names, key=sort_key) == sorted(names, key=unicode_key)


def test_names_that_compare_as_equal_keep_their_order() -> None:
    composed, decomposed = "é", "e\u0301"
    for pair in ([composed, decomposed], [decomposed, composed], ["a\x01", "a"], ["a", "a\x02"]):
        assert ordered(pair, same) == pair


def test_a_key_of_a_long_name_is_whole() -> None:
    names = ["你" * 5_000 + end for end in "ba"]
    assert ordered(names, same) == names[::-1]


def test_icu_can_be_loaded_ahead() -> None:
    ordering.prepare()
    assert unicode_key("a") < unicode_key("b")
