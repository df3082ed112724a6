"""``guildhall runs run --server``: the whole system runs the suites of a checkout."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.guildhall.test_runs_browser import GOOD, LIMIT, SLOW, Desk
from tests.support.shop import PASSWORD, Served, serving
from tests.support.stack import Stack
from tests.system.people import Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

WRONG = """\
  - id: wrong
    title: It expects what is not there
    retries: 0
    steps:
      - do: Open /about
    expect:
      - check: {{kind: url, path_is: /elsewhere}}
"""


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@pytest.fixture
def desk(tmp_path: Path, shop: Served) -> Desk:
    return Desk(tmp_path, shop)


@pytest.fixture(scope="module")
async def ada(stack: Stack) -> AsyncIterator[Person]:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client:
        yield await joined(client, stack.mail_directory, "ada@checkout.example")


async def test_a_server_runs_suites_and_their_reports_come_home(
    stack: Stack, desk: Desk, ada: Person
) -> None:
    desk.write("shop.tripwire.yaml", GOOD + WRONG)
    server = {"GUILDHALL_SERVER": stack.base_url, "GUILDHALL_TOKEN": ada.token, "CI": "true"}
    status, said = await desk.call(
        *("run", "shop.tripwire.yaml", "--out", "out", "--file-issues", "tripwire"),
        GIT_SHA="abc123",
        **server,
    )
    assert status == 1, said
    assert "  passed   Ada logs in" in said
    assert said.splitlines()[-1] == "::tripwire-output:: passed=2 failed=1 broken=0 skipped=0"
    report = desk.report("out")
    assert (report["status"], report["env"]["git_sha"]) == ("failed", "abc123")
    # Failures are filed on the server's board, and the command says where.
    assert f"[{report['cases'][2]['issue']['id']}]" in said
    written = [path.read_bytes() for path in (desk.folder / "out").rglob("*") if path.is_file()]
    secrets = (PASSWORD.encode(), ada.token.encode())
    assert not [one for one in secrets for content in [*written, said.encode()] if one in content]
    kept = await ada.client.get("/api/v1/suites/shop.tripwire.yaml", headers=ada.headers)
    assert kept.json()["yaml"] == (desk.folder / "shop.tripwire.yaml").read_text()
    run = await ada.client.get(f"/api/v1/runs/{report['run_id']}", headers=ada.headers)
    assert (run.json()["trigger"], run.json()["status"]) == ("ci", "failed")


async def test_ctrl_c_cancels_the_run_on_the_server(stack: Stack, desk: Desk, ada: Person) -> None:
    desk.write("slow.tripwire.yaml", SLOW)
    process = await desk.start(
        "run", "slow.tripwire.yaml", "--server", stack.base_url, GUILDHALL_TOKEN=ada.token
    )
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(LIMIT):
        while b"Begins (" not in said:
            said += await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130
    report = desk.report("artifacts")
    assert report["status"] == "cancelled"
    run = await ada.client.get(f"/api/v1/runs/{report['run_id']}", headers=ada.headers)
    assert (run.json()["status"], run.json()["events"][-1]["kind"]) == ("cancelled", "done")
