"""When texts are the same or alike, decided without a database (learnings contract, 6.6)."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.learnings.learnings.rules.texts import (
    SUMMARY_LOOKED_AT,
    bands,
    hash_of,
    likeness,
    normal_form,
    trigrams,
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Use WAL mode!", "use wal mode"),
        ("  a\t b\n\nc ", "a b c"),
        ("Straße", "strasse"),
        ("\N{LATIN SMALL LIGATURE FI}ne", "fine"),
        ("e-mail, not e.mail", "email not email"),
        ("1.5 s, not 15 s.", "1.5 s not 15 s"),
        ("exit -1; 2:30", "exit -1 2:30"),
        ("`asyncpg.pool`", "asyncpgpool"),
        ("a > b", "a > b"),
        ("C++ or C#", "c++ or c"),
        ("¿qué?", "qué"),
        ("…", "..."),
        ("", ""),
        (" \n", ""),
    ],
)
def test_normal_forms(text: str, form: str) -> None:
    assert normal_form(text) == form


@given(TEXT)
def test_a_normal_form_is_its_own(text: str) -> None:
    once = normal_form(text)
    assert normal_form(once) == once
    assert normal_form(text.upper().lower()) == normal_form(text.upper())


@given(TEXT)
def test_long_or_odd_texts_have_keys(text: str) -> None:
    keys = bands("org_a", text * 50)
    assert len(keys) == 8
    assert all(-(2**31) <= key < 2**31 for key in keys)
    assert bands("org_a", text * 50) == keys
    assert len(hash_of(text, text)) == 32


def test_the_border_of_summary_and_detail_counts() -> None:
    assert hash_of("a b", "c") != hash_of("a", "b c")


def test_keys_are_salted_by_organization() -> None:
    text = "connections that time out under load"
    assert not set(bands("org_a", text)) & set(bands("org_b", text))


def _sentence(words: list[str], chance: random.Random, length: int) -> str:
    return " ".join(chance.choice(words) for _ in range(length))


def _vocabulary(chance: random.Random) -> list[str]:
    letters = "eeeetttaaooiinnsshhrrdlucmwfgypbvk"
    return ["".join(chance.choices(letters, k=chance.randint(2, 9))) for _ in range(2000)]


def _alike(one: str, other: str) -> float:
    return likeness(trigrams(one, SUMMARY_LOOKED_AT), trigrams(other, SUMMARY_LOOKED_AT))


def test_alike_summaries_share_a_key_and_others_do_not() -> None:
    chance = random.Random(7)
    words = _vocabulary(chance)
    met = {"alike": [0, 0], "unlike": [0, 0]}
    for _ in range(4000):
        one = _sentence(words, chance, chance.choice([6, 12, 20, 40]))
        letters = list(one)
        for _ in range(chance.randint(1, max(1, len(one) // 6))):
            letters[chance.randrange(len(letters))] = chance.choice(string.ascii_lowercase)
        other = "".join(letters)
        alike = _alike(one, other)
        if alike >= 0.9 or alike <= 0.5:
            seen = met["alike" if alike >= 0.9 else "unlike"]
            seen[0] += bool(set(bands("o", one)) & set(bands("o", other)))
            seen[1] += 1
    assert met["alike"][1] > 100
    assert met["unlike"][1] > 30
    assert met["alike"][0] / met["alike"][1] > 0.97
    assert met["unlike"][0] / met["unlike"][1] < 0.1


def test_unrelated_summaries_hardly_ever_share_a_key() -> None:
    chance = random.Random(8)
    words = _vocabulary(chance)
    seen: dict[int, int] = {}
    for _ in range(3000):
        for key in bands("o", _sentence(words, chance, chance.choice([4, 10]))):
            seen[key] = seen.get(key, 0) + 1
    pairs = sum(count * (count - 1) // 2 for count in seen.values())
    assert pairs <= 10, "of four and a half million"
