"""Exported suites under the real compiler and the real test runner, against the tests' shop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.runs.engine.grammar.models import (
    Capture,
    Case,
    Check,
    Expectation,
    Fixture,
    Login,
    Step,
    Suite,
)
from services.runs.engine.spec import write
from tests.services.runs.engine.spec_support import (
    CHAIN,
    FORMS,
    HONEST,
    TABLES,
    WINDOWS,
    exported,
)
from tests.services.runs.engine.test_spec_writing import HOSTILE
from tests.support import chromium, playwright_runner
from tests.support.playwright_runner import Outcome
from tests.support.shop import serving

pytestmark = pytest.mark.skipif(
    not playwright_runner.PACKAGES.is_installed() or chromium.program() is None,
    reason="Playwright's test runner or Chromium is not installed; see tests/prepare.py",
)

GREEN = {"chain": CHAIN, "forms": FORMS, "tables": TABLES, "windows": WINDOWS}


def hostile() -> Suite:
    """A suite whose every text tries to get out of its place."""
    bad = " ".join(HOSTILE)
    cases = [
        Case(
            id=f"{number} {text}",
            title=text + bad,
            steps=(
                Step(text, f'Click "{text}"'),
                Step("s" + text, f'Enter "{text}" into "{bad}"', secret=number == 3),
                Step("t", bad),
            ),
            expect=(
                Expectation("a" + text, bad, None),
                Expectation("b", text, Check("visible_text", {"contains": text})),
                Expectation("c", None, Check("element_visible", {"selector_hint": "#a" + text})),
                Expectation("d", None, Check("url", {"path_is": bad, "contains": text})),
            ),
            capture=(Capture(text + "name", f'the text beside "{bad}"'),),
            row={text: bad},
            skip=text if number % 2 else None,
        )
        for number, text in enumerate(HOSTILE)
    ]
    first = replace(cases[0], id="first", depends_on=(), skip="by itself" + bad)
    return Suite(
        name=bad,
        id=bad,
        base_url="http://127.0.0.1:9/" + bad,
        fixtures={text: Fixture("literal", {"value": bad}) for text in HOSTILE},
        env={f"x{text}": bad for text in HOSTILE},
        cases=(first, *(replace(case, depends_on=("first",)) for case in cases)),
        login=Login(bad, bad, bad),
    )


@pytest.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Outcome]]:
    """One run for all specs, because a runner and its browsers take long to start."""
    folder: Path = tmp_path_factory.mktemp("specs")
    for name, text in {**GREEN, "honest": HONEST}.items():
        (folder / f"{name}.spec.ts").write_text(exported(text))
    (folder / "hostile.spec.ts").write_text(write(hostile()))
    assert await playwright_runner.compiled(folder) == ""
    async with serving() as served:
        environment = {"SHOP_URL": served.url, "SECRET_WRONG_S2": "not-the-password"}
        # The hostile suite has no address that could be written.
        environment["BASE_URL"] = served.url
        yield await playwright_runner.tested(folder, environment)


def of(results: list[Outcome], name: str) -> list[Outcome]:
    return [each for each in results if each.file == f"{name}.spec.ts"]


@pytest.mark.parametrize("name", GREEN)
def test_a_suite_runs_green_under_plain_playwright(results: list[Outcome], name: str) -> None:
    found = of(results, name)
    assert found
    assert [(each.title, each.status, each.said) for each in found if each.status != "passed"] == []


def test_what_cannot_be_said_passes_nowhere(results: list[Outcome]) -> None:
    found = {each.title: each for each in of(results, "honest")}
    assert {title: each.status for title, each in found.items()} == {
        "An unreadable step": "skipped",
        "After it": "skipped",
        "An unreadable claim": "skipped",
        "A name that nothing binds": "skipped",
        "Left out": "skipped",
        "A false claim": "failed",
    }
    assert "Make the page feel welcoming" in found["An unreadable step"].said
    assert "The page radiates calm" in found["An unreadable claim"].said
    assert "${nobody} is not known" in found["A name that nothing binds"].said


def test_a_hostile_suite_stays_in_its_place(results: list[Outcome]) -> None:
    # Had any of its texts been code, the runner would have ended with 3 and reported nothing.
    found = of(results, "hostile")
    assert len(found) == len(HOSTILE) + 1
    assert {each.status for each in found} == {"skipped"}
