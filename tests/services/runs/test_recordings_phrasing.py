"""A model's words for recorded steps, which count only where they mean the same."""

from __future__ import annotations

import json

import pytest

from services.runs.engine.grammar.parsing import parse
from services.runs.engine.recording.phrasing import is_same
from tests.gateway.fake_service import FakeService
from tests.gateway.fake_service import answering as fixed
from tests.gateway.fake_service import running as faking
from tests.services.runs.conftest import running
from tests.services.runs.engine.model_support import saying
from tests.support.postgres import DatabaseServer

SECRET = "Hunter22-horse"
RULES = ["Open /login", 'Enter "${password}" into "Password"', 'Click "Log in"']
BODY = {
    "base_url": "http://127.0.0.1:9",
    "actions": [
        {"type": "goto", "url": "/login"},
        {"type": "fill", "text": "Password", "value": SECRET, "secret": True},
        {"type": "click", "text": "Log in"},
    ],
}


@pytest.mark.parametrize(
    ("step", "words", "same"),
    [
        ('Click "Log in"', 'Click on "Log in"', True),
        ('Enter "a" into "E-mail"', 'Type "a" into "E-mail"', True),
        ('Click "Log in"', 'Click on "Log out"', False),
        ('Click "Log in"', 'Double-click "Log in"', False),
        ('Click "Log in"', 'Click "Log in" and click "Delete"', False),
        ('Enter "a" into "E-mail"', 'Enter "b" into "E-mail"', False),
        ('Click "Log in"', "Log in as somebody nice", False),
        ('Click "Log in"', 'Click "Log in"\n', False),
        ("Open /login", "Open https://example.com/login", False),
    ],
)
def test_words_count_where_action_and_target_stay(step: str, words: str, same: bool) -> None:
    assert is_same(step, words) is same


async def test_a_model_phrases_what_it_may_and_is_not_needed(
    database_server: DatabaseServer,
) -> None:
    async with (
        database_server.clone() as urls,
        faking(FakeService()) as model,
        running(
            urls, GUILDHALL_RUNS_ANTHROPIC_URL=model.url, GUILDHALL_RUNS_MODEL_RETRIES=0
        ) as runs,
    ):
        member = runs.member()

        async def steps(**more: bool) -> list[str]:
            answer = await runs.post("record/convert", member, {**BODY, **more})
            assert answer.status_code == 200, answer.text
            suite = parse(answer.json()["yaml"]).suite
            assert suite is not None
            return [step.do for step in suite.cases[0].steps]

        words = ["Go to /login", 'Type "${password}" into "Password"', 'Click "Delete all"']
        model.behave = saying("anthropic", json.dumps(words))
        assert await steps() == [*words[:2], RULES[2]]
        assert SECRET not in model.asked[-1].body.decode()
        asked = len(model.asked)
        assert await steps(humanize=False) == RULES
        assert len(model.asked) == asked
        for nonsense in ("I would rather not", "[]", "[1, 2, 3]", "[" * 10_000):
            model.behave = saying("anthropic", nonsense)
            assert await steps() == RULES
        model.behave = fixed(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
        assert await steps() == RULES
