"""How much of what authors write the rules read, and that they read none of it wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.runs.engine.grammar.parsing import parse
from services.runs.engine.language import parse_capture, parse_claim, parse_step
from tests.services.runs.engine import reading_support as notation

HERE = Path(__file__).parent
LIST: Mapping[str, list[dict[str, Any]]] = yaml.safe_load((HERE / "reading_list.yaml").read_text())
UNREADABLE: Mapping[str, list[str]] = yaml.safe_load((HERE / "unreadable.yaml").read_text())
AT_LEAST = 0.9


def _step(text: str) -> Any:
    intents = parse_step(text)
    return None if intents is None else [notation.intent(intent) for intent in intents]


def _claim(text: str) -> Any:
    check = parse_claim(text)
    return None if check is None else notation.check(check)


def _capture(text: str) -> Any:
    phrase = parse_capture(text)
    return None if phrase is None else notation.capture(phrase)


READERS: Mapping[str, Callable[[str], Any]] = {
    "steps": _step,
    "claims": _claim,
    "captures": _capture,
}


def _meaning(kind: str, entry: Mapping[str, Any]) -> Any:
    means = entry["means"]
    return [means] if kind == "steps" and isinstance(means, str) else means


def test_the_list_is_as_long_as_it_says() -> None:
    """Two hundred sentences that mean something, sixty that no rule may read."""
    assert len(LIST["steps"]) + len(LIST["claims"]) >= 200
    assert len(UNREADABLE["steps"]) + len(UNREADABLE["claims"]) >= 60


@pytest.mark.parametrize("kind", ["steps", "claims", "captures"])
def test_nothing_is_read_wrongly(kind: str) -> None:
    """A wrong reading is worse than none: what is read means what the author meant."""
    wrong = {
        entry["say"]: (read, _meaning(kind, entry))
        for entry in LIST[kind]
        if (read := READERS[kind](entry["say"])) not in (None, _meaning(kind, entry))
    }
    assert not wrong


def test_nine_of_ten_are_read_rightly(record_property: Callable[[str, object], None]) -> None:
    """The share of the whole list that means what it should; it is put into the test's record."""
    entries = [(kind, entry) for kind in ("steps", "claims") for entry in LIST[kind]]
    right = sum(READERS[kind](entry["say"]) == _meaning(kind, entry) for kind, entry in entries)
    record_property("reading_rate", round(right / len(entries), 3))
    assert right / len(entries) >= AT_LEAST


@pytest.mark.parametrize("text", UNREADABLE["steps"])
def test_a_step_that_needs_judgement_is_not_read(text: str) -> None:
    """No rule guesses what a person would have to decide."""
    assert parse_step(text) is None


@pytest.mark.parametrize("text", UNREADABLE["claims"])
def test_a_claim_that_needs_judgement_is_not_read(text: str) -> None:
    """No rule guesses what a person would have to decide."""
    assert parse_claim(text) is None


def test_every_check_may_be_pinned() -> None:
    """What a claim becomes is a check that a suite may hold as it stands, without a warning."""
    claims = [entry["say"] for entry in LIST["claims"]]
    checks = [dict(check.as_dict()) for text in claims if (check := parse_claim(text)) is not None]
    case = {
        "id": "c",
        "title": "C",
        "steps": [{"do": "open /"}],
        "expect": [{"check": check} for check in checks],
    }
    suite = {
        "suite": "S",
        "id": "s",
        "base_url": "https://shop.example",
        "env": dict.fromkeys(("name", "order_id", "email"), "x"),
        "cases": [case],
    }
    parsed = parse(yaml.safe_dump(suite))
    assert not parsed.problems
    assert not parsed.warnings
