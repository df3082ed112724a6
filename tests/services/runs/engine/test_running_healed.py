"""What a run remembers, and what becomes of it when the application changes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.model import (
    Action,
    ClaimQuestion,
    ModelFailed,
    Opinion,
    ProposedActions,
    StepQuestion,
)
from services.runs.engine.running.models import Ending
from tests.services.runs.engine.running_support import Recorder, case_of, run_suite
from tests.support.shop import EMAIL, PASSWORD, Served, serving


@pytest.fixture(scope="module")
async def served() -> AsyncIterator[Served]:
    async with serving() as shop:
        yield shop


def suite(served: Served) -> str:
    return f"""\
suite: Settings
id: settings
base_url: {served.url}
auth: {{username: {EMAIL}, password: {PASSWORD}, login_path: /login}}
retries: 0
timeout_ms: 4000
cases:
  - id: save
    title: Settings are saved
    steps:
      - do: Open /checkout
      - do: Click "Place order"
    expect:
      - assert: '"Order received" is shown'
"""


@pytest.fixture(scope="module")
async def first(
    served: Served, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Ending, Recorder]:
    return await run_suite(suite(served), tmp_path_factory.mktemp("first"))


async def in_the_next_generation(
    served: Served, scratch: Path, **more: Any
) -> tuple[Ending, Recorder]:
    served.shop.generation = 2
    try:
        return await run_suite(suite(served), scratch, **more)
    finally:
        served.shop.generation = 1


def entry_of(first: tuple[Ending, Recorder]) -> dict[str, Any]:
    return next(
        dict(entry) for entry in first[1].entries if entry["target"]["name"] == "Place order"
    )


def test_where_elements_were_is_kept_after_a_pass(first: tuple[Ending, Recorder]) -> None:
    assert first[0].status == "passed", first[0].report
    entry = entry_of(first)
    assert entry["template"] == 'Click "Place order"'
    assert entry["path"] == "/checkout"
    assert entry["target"]["test_id"] == "place-order"
    assert first[1].heals == []


async def test_a_renamed_button_is_found_again_and_said_so(
    served: Served, first: tuple[Ending, Recorder], tmp_path: Path
) -> None:
    ending, recorder = await in_the_next_generation(served, tmp_path, entries=first[1].entries)
    assert ending.status == "passed", ending.report
    (heal,) = recorder.heals
    assert heal["before"]["name"] == "Place order"
    assert heal["after"]["name"] == "Buy it now"
    assert 0 < heal["confidence"] <= 1
    assert ending.report["summary"]["healed"] == 1
    assert len(recorder.of("healed")) == 1


async def test_what_a_person_refused_is_not_taken_again(
    served: Served, first: tuple[Ending, Recorder], tmp_path: Path
) -> None:
    entry = entry_of(first)
    refused = {
        "case_id": entry["case_id"],
        "step_id": entry["step_id"],
        "part": entry["part"],
        "target": entry["target"] | {"name": "Buy it now"},
    }
    ending, recorder = await in_the_next_generation(
        served, tmp_path, entries=first[1].entries, refused=[refused]
    )
    assert case_of(ending, "save")["verdict"] == "broken"
    assert recorder.heals == []
    assert recorder.entries == []


async def test_a_readonly_run_adds_nothing(
    served: Served, first: tuple[Ending, Recorder], tmp_path: Path
) -> None:
    ending, recorder = await in_the_next_generation(
        served, tmp_path, entries=first[1].entries, keeps=False
    )
    assert ending.status == "passed"
    assert recorder.entries == recorder.heals == []


UNREAD = """\
suite: Unread
id: unread
base_url: {url}
retries: 0
cases:
  - id: odd
    title: A step that no rule reads
    steps:
      - do: Kindly have a look at whatever tea things there are
    expect:
      - check: {{kind: url, path_is: /products}}
"""


class Guide:
    """A model that names one link by its words; ``reads`` counts how often it was asked."""

    def __init__(self, name: str, *, open_url: str = "") -> None:
        self.name = name
        self.open_url = open_url
        self.asked: list[StepQuestion] = []

    async def steps(self, question: StepQuestion) -> ProposedActions:
        self.asked.append(question)
        if self.open_url:
            return ProposedActions((Action("open", value=self.open_url),))
        found = [choice.ref for choice in question.choices if choice.name == self.name]
        return ProposedActions((Action("click", found[0]),) if found else ())

    async def judge(self, question: ClaimQuestion) -> Opinion:
        raise ModelFailed("It has no opinion.")


async def test_a_model_does_what_no_rule_reads_and_is_not_needed_again(
    served: Served, tmp_path: Path
) -> None:
    text, guide = UNREAD.format(url=served.url), Guide("Browse products")
    ending, recorder = await run_suite(text, tmp_path, model=guide)
    assert ending.status == "passed", ending.report
    assert recorder.of("action")[-1]["source"] == "model"
    again, _ = await run_suite(text, tmp_path, entries=recorder.entries)
    assert again.status == "passed", again.report


async def test_a_model_cannot_lead_elsewhere(served: Served, tmp_path: Path) -> None:
    guide = Guide("", open_url=f"{served.other}/about")
    ending, _ = await run_suite(UNREAD.format(url=served.url), tmp_path, model=guide)
    assert case_of(ending, "odd")["reason"].startswith("refused")
    assert not [path for path, headers in served.shop.headers if "localhost" in headers["host"]]


async def test_a_model_without_an_idea_breaks_the_case(served: Served, tmp_path: Path) -> None:
    ending, _ = await run_suite(
        UNREAD.format(url=served.url), tmp_path, model=Guide("no such link")
    )
    assert case_of(ending, "odd")["reason"].startswith("model_failed")


SECRET = """\
suite: Secret
id: secret
base_url: {url}
cases:
  - id: typed
    title: A literal secret
    steps:
      - do: Open /login
      - do: Enter "hunter2-{word}" into "Password"
        secret: true
"""


async def test_a_secret_in_a_steps_text_is_not_remembered(served: Served, tmp_path: Path) -> None:
    ending, recorder = await run_suite(SECRET.format(url=served.url, word="xyz"), tmp_path)
    assert ending.status == "passed", ending.report
    assert [entry["target"]["name"] for entry in recorder.entries] == ["Password"]
    assert "hunter2" not in str([recorder.entries, recorder.events, ending.report])
