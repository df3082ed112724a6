"""A plan's test account in a real browser: logged in before each suite, and shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.runs.settings import RunsSettings
from services.runs.workers.operations import PROGRAM
from tests.services.runs import workers_support
from tests.services.runs.conftest import Runs
from tests.services.runs.plans_support import everything, save, start
from tests.services.runs.workers_support import Works, limits, none_left
from tests.support.postgres import DatabaseUrls
from tests.support.shop import Shop, serving
from tests.support.shop.state import Account

pytestmark = pytest.mark.slow

EMAIL = "grace@example.com"
PASSWORD = "Hopper-${nobody}-7!"  # reads like a template, and is none
OWN = "ada@example.com"

SUITE = """\
suite: Account
id: account
base_url: {url}
auth: {{username: nobody@example.com, password: wrong-one}}
cases:
  - id: mine
    title: The plan's account is logged in
    steps: [{{do: Open /dashboard}}]
    expect: [{{assert: I am logged in}}, {{assert: 'it says "Welcome, Grace!"'}}]
  - id: again
    title: It still is
    steps: [{{do: Open /dashboard}}]
    expect: [{{assert: 'it says "Welcome, Grace!"'}}]
  - id: own
    title: A case has an account of its own
    auth: {{username: {own}, password: {password}, login_path: /login}}
    steps: [{{do: Open /dashboard}}]
    expect: [{{assert: 'it says "Welcome, Ada Lovelace!"'}}]
"""


async def test_a_plans_account_is_logged_in_and_its_password_shown_nowhere(
    runs: Runs,
    urls: DatabaseUrls,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(workers_support, "STAND_IN", PROGRAM)
    kept = Shop()
    own = kept.accounts[OWN].password
    kept.accounts[EMAIL] = Account(EMAIL, PASSWORD, "Grace")
    works = Works(runs, tmp_path, runs.member())
    async with serving(kept) as shop:
        text = SUITE.format(url=shop.url, own=OWN, password=own)
        await runs.add_suite(works.member.org, "account.tripwire.yaml", text, suite_id="account")
        auth = {"username": EMAIL, "password": PASSWORD, "login_path": "/login"}
        plan = await save(runs, works.member, "account", auth=auth)
        [run_id] = await start(runs, works.member, plan)
        async with works.working(limits(lease_s=15, silence_s=10), urls=urls):
            run = await works.becomes(run_id, "passed", "failed", "broken", "interrupted")
    assert run["status"] == "passed", json.dumps(run["report"]["cases"])
    await none_left(works)
    data = runs.resources[RunsSettings].data_dir
    files = [
        path.read_bytes().decode("latin-1")
        for folder in (data, tmp_path)
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert any("Welcome, Grace!" in text for text in files)
    logged = capfd.readouterr()
    seen = [json.dumps(run), await everything(runs), logged.out, logged.err, *files]
    for text in seen:
        assert PASSWORD not in text
        assert "Hopper" not in text
    # The run again logs in likewise.
    again = (await runs.post(f"runs/{run_id}/rerun", works.member)).json()["run_id"]
    sealed = "SELECT count(*) FROM runs.run WHERE id = ANY ($1) AND login IS NOT NULL"
    assert await runs.sql.fetchval(sealed, [run_id, again]) == 2
