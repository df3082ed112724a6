"""Guardrails: what may not come in, what may not go out, whatever JSON they are."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.agents.providers.models import ProviderFailed, Speaker
from services.agents.providers.operations import apply_output, check_input
from tests.services.agents.providers_support import many

TOKEN = "ghp" + "_" + "aB3" * 12


def guarded(guardrails: Any) -> Speaker:
    return Speaker("Ada", "", "builtin", (), guardrails)


@pytest.mark.parametrize(
    "guardrails",
    [
        "top secret",
        ["top secret"],
        {"blocked_phrases": ["top secret"]},
        {"blocked_phrases": "top secret"},
        [5, None, {"blocked_phrases": [7, "TOP  secret"]}],
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        "this is Top Secret.",
        "\uff54\uff4f\uff50 secret",
        "top\n\tsecret",
        "to\u200bp sec\u00adret",
        "TOP\u00a0SECRET",
    ],
)
def test_a_blocked_phrase_is_known_however_it_is_written(guardrails: Any, text: str) -> None:
    reason = check_input(guarded(guardrails), text)
    assert reason is not None
    assert "secret" not in reason.casefold()
    with pytest.raises(ProviderFailed):
        apply_output(guarded(guardrails), text)
    assert check_input(guarded(guardrails), "top of the world") is None


def test_phrases_may_be_blocked_one_way_only() -> None:
    speaker = guarded([{"blocked_input_phrases": ["come in"]}, {"blocked_output_phrases": ["go"]}])
    assert check_input(speaker, "Come In") is not None
    assert check_input(speaker, "go") is None
    assert apply_output(speaker, "come in") == "come in"
    with pytest.raises(ProviderFailed) as raised:
        apply_output(speaker, "GO!")
    assert "guardrails" in raised.value.reason


def test_lengths_are_held_to() -> None:
    assert check_input(guarded([]), "x" * 100_000) is None
    assert check_input(guarded([]), "x" * 100_001) is not None
    assert check_input(guarded({"max_input_length": 10**9}), "x" * 100_001) is not None
    speaker = guarded([{"max_input_length": 5, "max_output_length": 4}, {"max_input_length": 9}])
    assert check_input(speaker, "12345") is None
    assert check_input(speaker, "123456") is not None
    assert apply_output(speaker, "1234") == "1234"
    assert apply_output(speaker, "12345") == "123…"
    assert len(apply_output(guarded([]), "x" * 300_000)) == 100_000


@pytest.mark.parametrize("length", [0, -1, True, 1.5, "5", None, [], 10**400])
def test_what_is_no_length_is_none(length: Any) -> None:
    speaker = guarded({"max_input_length": length, "max_output_length": length})
    assert check_input(speaker, "hello") is None
    assert apply_output(speaker, "hello") == "hello"


def test_secrets_are_taken_out_before_an_answer_is_cut() -> None:
    assert apply_output(guarded([]), f"take {TOKEN} please") == "take <secret> please"
    short = guarded({"max_output_length": 12})
    assert "ghp" not in apply_output(short, f"take {TOKEN}")


def test_what_a_database_cannot_hold_is_replaced() -> None:
    assert apply_output(guarded([]), "a\x00b\ud800c") == "a\ufffdb\ufffdc"
    with pytest.raises(ProviderFailed):
        apply_output(guarded([]), " \n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["blocked_phrases", "blocked_input_phrases", "max_output_length", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@many
@given(JSON, st.text(max_size=200))
def test_no_json_and_no_text_breaks_them(guardrails: Any, text: str) -> None:
    speaker = guarded(guardrails)
    refused = check_input(speaker, text)
    assert refused is None or refused.endswith(".")
    try:
        given = apply_output(speaker, text)
    except ProviderFailed:
        return
    given.encode()
    assert 0 < len(given) <= 100_000
    assert "\x00" not in given


@pytest.mark.parametrize(
    "between",
    [*"\x01\x1b\x7f\x9f\u034f\u115f\u1160\u17b4\u180b\u180f\u3164\uffa0\U000e0100"],
    ids=lambda character: f"{ord(character):x}",
)
def test_what_nobody_sees_hides_no_phrase(between: str) -> None:
    assert check_input(guarded(["nightfall"]), f"at night{between}fall") is not None
