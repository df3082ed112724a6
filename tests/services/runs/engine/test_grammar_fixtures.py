"""Fixtures: what each kind makes."""

from __future__ import annotations

import random
import re
import string
from datetime import UTC, datetime

import pytest

from services.runs.engine.grammar import make_fixtures
from services.runs.engine.grammar.fixtures import KINDS
from tests.services.runs.engine.grammar_support import good, one_case

NOW = datetime(2026, 2, 27, 23, 5, 9, tzinfo=UTC)
NEEDED = {"literal": ", value: v", "pick": ", from: [v]"}


def made(written: str, seed: int = 1) -> str:
    """Make one fixture that is written so."""
    suite = good(one_case("steps: [{do: x}]", f"fixtures: {{f: {written}}}\n"))
    return make_fixtures(suite, random.Random(seed), NOW)["f"]


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ("{gen: unique_email}", r"[a-z0-9-]+@example\.com"),
        ("{gen: unique_name}", r"[A-Z][a-z]+ [A-Z][a-z]+ [A-Z][a-z]+"),
        ("{gen: name}", r"[A-Z][a-z]+ [A-Z][a-z]+ [A-Z][a-z]+"),
        ("{gen: first_name}", r"[A-Z][a-z]+"),
        ("{gen: last_name}", r"[A-Z][a-z]+"),
        ("{gen: username}", r"user[a-z0-9]{10}"),
        ("{gen: phone}", r"\+1[2-9]\d\d55501\d\d"),
        ("{gen: number}", r"\d{1,4}"),
        ("{gen: number, min: 5, max: 5}", "5"),
        ("{gen: number, max: -3}", r"-3"),
        ("{gen: number, min: 1000000, max: 1000000}", "1000000"),
        ("{gen: string}", r"[A-Za-z][A-Za-z0-9]{11}"),
        ("{gen: string, length: 1}", r"[A-Za-z]"),
        ("{gen: string, length: 10000}", r"[A-Za-z0-9]{10000}"),
        ("{gen: uuid}", r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
        ("{gen: date}", "2026-02-27"),
        ("{gen: date, offset_days: 2}", "2026-03-01"),
        ("{gen: date, offset_days: -36500}", r"1926-03-24"),
        ("{gen: date, format: DD.MM.YYYY}", r"27\.02\.2026"),
        ("{gen: date, format: '%m/%d/%Y %H:%M:%S'}", "02/27/2026 23:05:09"),
        ("{gen: date, format: 'YYYY-MM-DDTHH:mm:ss'}", "2026-02-27T23:05:09"),
        ("{gen: timestamp}", "1772233509"),
        ("{gen: company}", r"\w+ \w+ \w+"),
        ("{gen: address}", r"\d+ [\w ]+, \w+ \d{5}"),
        ("{gen: sentence}", r"[A-Z][\w ]+\."),
        ("{gen: literal, value: ' a '}", " a "),
        ("{gen: pick, from: [only]}", "only"),
        ("07", "07"),
        ("'text'", "text"),
    ],
)
def test_what_kinds_make(written: str, pattern: str) -> None:
    assert re.fullmatch(pattern, made(written)), made(written)


def test_passwords_are_strong_whatever_chance_says() -> None:
    for seed in range(300):
        password = made("{gen: password}", seed)
        assert len(password) == 16
        for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
            assert set(password) & set(kind)
        assert not password.isalnum()
        assert not set(password) & set("\"'`$\\{}<>& ")


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_chance_makes_the_same(kind: str) -> None:
    written = f"{{gen: {kind}{NEEDED.get(kind, '')}}}"
    assert made(written, 7) == made(written, 7)


@pytest.mark.parametrize("kind", ["unique_email", "unique_name", "username", "uuid", "password"])
def test_unique_values_differ_between_runs(kind: str) -> None:
    assert len({made(f"{{gen: {kind}}}", seed) for seed in range(200)}) == 200


def test_numbers_and_picks_stay_within_bounds() -> None:
    assert {made("{gen: number, min: -1, max: 1}", seed) for seed in range(60)} == {"-1", "0", "1"}
    assert {made("{gen: pick, from: [a, b]}", seed) for seed in range(60)} == {"a", "b"}


def test_without_a_time_the_clock_counts() -> None:
    suite = good(one_case("steps: [{do: x}]", "fixtures: {t: {gen: timestamp}}\n"))
    before = int(datetime.now(UTC).timestamp())
    assert int(make_fixtures(suite, random.Random(1))["t"]) >= before
