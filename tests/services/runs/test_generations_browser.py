"""A suite of a site that a real browser of a real worker looked at, and a plan of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.grammar.parsing import parse
from services.runs.settings import RunsSettings
from services.runs.workers.models import Place
from services.runs.workers.operations import PROGRAM
from services.runs.workers.operations.errands import ErrandWorker
from shared.vault import Vault
from tests.services.runs.conftest import Runs
from tests.services.runs.workers_support import ROOT, limits
from tests.support.shop import EMAIL, PASSWORD, serving

pytestmark = pytest.mark.slow


async def test_a_site_becomes_a_suite_and_a_plan(runs: Runs, tmp_path: Path) -> None:
    member = runs.member()
    settings: RunsSettings = runs.resources[RunsSettings]
    place = Place(PROGRAM, tmp_path / "errands", ROOT)
    slow = limits(lease_s=15, silence_s=10)
    worker = ErrandWorker(runs.database, runs.resources[Vault], settings, place, slow)
    auth = {"username": EMAIL, "password": PASSWORD, "login_path": "/login"}
    async with serving() as shop, worker:
        answer = await runs.post("generate", member, {"url": shop.url, "save_as": "shop"})
        assert answer.status_code == 200, answer.text
        planned = await runs.post("generate/plan", member, {"url": shop.url, "auth": auth})
        assert planned.status_code == 200, planned.text
        gone = await runs.post("generate", member, {"url": "http://127.0.0.1:9/"})
    assert (gone.status_code, gone.json()["type"]) == (502, "generation_error")
    assert answer.json()["saved_as"] == "shop.tripwire.yaml"
    suite = parse(answer.json()["yaml"]).suite
    assert suite is not None
    assert suite.base_url == shop.url
    ids = {case.id for case in suite.cases}
    assert {"home-opens", "products-opens", "signup-sign-up-without-email"} <= ids
    assert "settings-opens" not in ids
    # Nobody was signed up, logged in or out, and nothing was bought, by looking.
    assert {path for path, _ in shop.shop.received} <= {"/login"}
    await assert_planned(runs, member, planned.json())


async def assert_planned(runs: Runs, member: Any, made: dict[str, Any]) -> None:
    """See that the plan logs in, and that no suite holds the password."""
    plan = (await runs.get(f"plans/{made['plan_id']}", member)).json()
    assert plan["auth"]["username"] == EMAIL
    items = [item["suite"] for item in plan["items"]]
    texts = {}
    for file in made["suites"]:
        texts[file] = (await runs.get(f"suites/{file}", member)).json()["yaml"]
    assert not [file for file, text in texts.items() if PASSWORD in text]
    beside = [file for file in made["suites"] if file not in items]
    assert len(beside) == 1
    assert "${LOGIN_PASSWORD}" in texts[beside[0]]
    assert any("settings-opens" in text for file, text in texts.items() if file in items)
