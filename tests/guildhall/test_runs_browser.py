"""``guildhall runs`` as a CI job calls it, with a real browser in front of the shop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from services.runs.workers.operations import processes
from tests.services.runs.engine.test_evidence_junit import check
from tests.services.runs.logs_support import TOKEN, Entry, log_services
from tests.support.shop import EMAIL, PASSWORD, Served, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0

GOOD = """\
suite: About
id: about
base_url: ${{SHOP}}
env:
  SHOP: ${{SHOP_URL}}
  USER_PASSWORD: ${{SHOP_PASSWORD}}
cases:
  - id: about
    title: The shop says who it is
    tags: [smoke]
    steps:
      - do: Open /about
    expect:
      - check: {{kind: url, path_is: /about}}
      - check: {{kind: screenshot, name: about, tol: 0.2}}
  - id: log-in
    title: Ada logs in
    steps:
      - do: Open /login
      - do: Enter {email} into "E-mail" and ${{USER_PASSWORD}} into "Password"
      - do: Press Enter
"""
BAD = """\
suite: Bad
id: bad
base_url: {url}
retries: 0
timeout_ms: 700
cases:
  - id: wrong
    title: It expects what is not there
    steps:
      - do: Open /about
    expect:
      - check: {{kind: url, path_is: /elsewhere}}
  - id: pay
    title: Somebody pays
    steps:
      - do: Open /products
      - do: Click "Pay with seashells"
  - id: thanks
    title: They are thanked
    depends_on: pay
    steps:
      - do: Open /orders
"""
SLOW = """\
suite: Slow
id: slow
base_url: {url}
cases:
  - id: quick
    title: Begins
    steps: [{{do: Open /about}}]
  - id: patience
    title: Waits
    steps: [{{do: Wait 9 seconds}}, {{do: Wait 9 seconds}}, {{do: Wait 9 seconds}}]
"""


@dataclass
class Desk:
    """Where commands are typed."""

    folder: Path
    shop: Served

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text.format(url=self.shop.url, email=EMAIL))

    async def start(self, *arguments: str, **more: str) -> asyncio.subprocess.Process:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(ROOT),
            "SHOP_URL": self.shop.url,
            "SHOP_PASSWORD": PASSWORD,
            **more,
        }
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "guildhall", "runs", *arguments),
            cwd=self.folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def call(self, *arguments: str, **more: str) -> tuple[int | None, str]:
        """Call a command; give its exit status and all that it said."""
        process = await self.start(*arguments, **more)
        async with asyncio.timeout(LIMIT):
            out, error = await process.communicate()
        return process.returncode, out.decode() + error.decode()

    def report(self, place: str) -> dict[str, Any]:
        """Read a report, and hold what stands beside it against what it should be."""
        folder = self.folder / place
        found: dict[str, Any] = json.loads((folder / "report.json").read_text())
        check(ElementTree.fromstring((folder / "junit.xml").read_bytes()))  # noqa: S314 - ours
        assert (folder / "report.html").read_text().startswith("<!doctype html>")
        for case in found["cases"]:
            assert all((folder / shot["path"]).stat().st_size > 0 for shot in case["shots"])
        assert not list(folder.rglob(".*"))
        return found


@pytest.fixture(scope="module")
async def shop() -> AsyncIterator[Served]:
    async with serving() as served:
        yield served


@pytest.fixture
def desk(tmp_path: Path, shop: Served) -> Desk:
    return Desk(tmp_path, shop)


async def test_suites_are_run_and_the_worst_decides(desk: Desk) -> None:
    desk.write("suites/about.tripwire.yaml", GOOD)
    desk.write("suites/more/bad.upliftr.yml", BAD)
    status, said = await desk.call(
        *("run", "suites/**", "--jobs", "2", "--out", "out"),
        CI="true",
        GITHUB_REPOSITORY="ada/shop",
        GITHUB_SHA="abc123",
        GITHUB_RUN_ID="7",
    )
    assert status == 2, said
    lines = said.splitlines()
    assert "PASSED About (about.tripwire.yaml): 2 passed, 0 failed, 0 broken, 0 skipped" in said
    assert "  failed   wrong - It expects what is not there: assertion: expected" in said
    assert "  broken   pay - Somebody pays: not_found: " in said
    assert "  skipped  thanks - They are thanked: depends_on: pay did not pass" in lines
    assert lines[-3:] == [
        "TOTAL 2 passed, 1 failed, 1 broken, 1 skipped",
        "Reports: out",
        "::tripwire-output:: passed=2 failed=1 broken=1 skipped=1",
    ]
    about, bad = desk.report("out/about"), desk.report("out/bad")
    assert [one["status"] for one in (about, bad)] == ["passed", "broken"]
    assert about["env"]["git_sha"] == "abc123"
    assert about["env"]["ci_url"] == "https://github.com/ada/shop/actions/runs/7"
    # A password of the environment stands nowhere.
    written = [path.read_bytes() for path in (desk.folder / "out").rglob("*") if path.is_file()]
    assert not any(PASSWORD.encode() in content for content in [*written, said.encode()])
    baselines = list((desk.folder / ".tripwire-baselines").iterdir())
    assert [path.name.partition("-")[0] for path in baselines] == ["about"]

    # Another picture than the last time, and one case only: it has failed, and says how.
    baselines[0].write_bytes(
        (desk.folder / "out/bad" / bad["cases"][1]["shots"][0]["path"]).read_bytes()
    )
    status, said = await desk.call(
        "run",
        "suites/about.tripwire.yaml",
        "--case",
        "about",
        "--out",
        "one/out",
        "--baselines",
        ".tripwire-baselines",
        "-v",
    )
    assert status == 1, said
    assert "    ok  Open /about" in said
    assert said.splitlines()[-2:] == [
        "Reports: one/out/report.html",
        "::tripwire-output:: passed=0 failed=1 broken=0 skipped=0",
    ]
    desk.report("one/out")
    compared = sorted(path.name for path in (desk.folder / "one/out/compared").iterdir())
    assert [name.partition(".")[2] for name in compared] == ["difference.png", "png"]


async def test_instructions_are_tried_on_an_address(desk: Desk) -> None:
    status, said = await desk.call(
        "test-url", desk.shop.url, 'Open /products then click "Blue Teapot"; Open /about'
    )
    assert status == 0, said
    assert "    ok  click “Blue Teapot”" in said or '    ok  click "Blue Teapot"' in said
    assert f"URL: {desk.shop.url}/about" in said
    assert "Text: Teahouse" in said
    assert "We have sold teapots since 1987." in said
    status, said = await desk.call(
        "test-url", desk.shop.url, "Open /about; Frobnicate the whatsit", "--out", "tried"
    )
    assert status == 2, said
    assert "no model is configured" in said
    assert f"URL: {desk.shop.url}/about" in said
    assert desk.report("tried")["status"] == "broken"


async def test_ctrl_c_cancels_and_reports_and_leaves_nothing(desk: Desk) -> None:
    desk.write("slow.tripwire.yaml", SLOW)
    process = await desk.start("run", "slow.tripwire.yaml", GUILDHALL_TEST_MARK=desk.folder.name)
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(LIMIT):
        while b"Begins (" not in said:
            said += await process.stdout.readline()
        before = {one.session for one in processes.living() if one.parent == process.pid}
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
    assert process.returncode == 130
    lines = (said + out).decode().splitlines()
    assert lines[-1] == "::tripwire-output:: passed=1 failed=0 broken=1 skipped=1"
    report = desk.report("artifacts")
    assert (report["status"], report["cases"][0]["verdict"]) == ("cancelled", "passed")
    assert before
    assert not [one for one in processes.living() if one.session in before]


FAULTY = """\
suite: Contact
id: contact
base_url: {url}
retries: 0
cases:
  - id: message
    title: Somebody writes
    steps:
      - do: Open /contact
      - do: Enter Ada into "Name"
      - do: Enter {email} into "E-mail"
      - do: Enter "Where is my teapot?" into "Message"
      - do: Click "Send message"
    expect:
      - check: {{kind: url, path_is: /thanks}}
"""


async def test_a_failure_is_joined_to_the_applications_log(desk: Desk) -> None:
    desk.write("contact.tripwire.yaml", FAULTY)
    shop = desk.shop.shop
    shop.faults.add("message fails")
    shop.log.clear()
    shop.headers.clear()
    async with log_services() as logs:
        logs.entries = ShopLog(shop.log)
        try:
            status, said = await desk.call(
                *("run", "contact.tripwire.yaml"),
                LOG_BACKEND="http",
                LOG_HTTP_URL=f"{logs.url}/find?source=shop",
                LOG_HTTP_TOKEN=TOKEN,
            )
        finally:
            shop.faults.clear()
    assert status == 1, said
    (case,) = desk.report("artifacts")["cases"]
    assert case["root_cause"]["category"] == "backend_error"
    told = "LookupError: no such mailbox at send (/srv/shop/contacting.py:31)"
    assert case["root_cause"]["server_error"] == told
    assert case["root_cause"]["confidence"] == 0.95
    (trace,) = {headers.get("traceparent", "--").split("-")[1] for _, headers in shop.headers}
    assert case["network_errors"][-1]["trace_id"] == trace
    assert trace in logs.asked
    assert f"{desk.shop.url}/contact answered 500, because the server failed: {told}" in said
    for name in ("report.html", "junit.xml"):
        assert "contacting.py:31" in (desk.folder / "artifacts" / name).read_text()
    assert TOKEN not in said


class ShopLog(list[Entry]):
    """What the shop logs, as a log service has it at any moment."""

    def __init__(self, written: list[str]) -> None:
        super().__init__()
        self._written = written

    def __iter__(self) -> Iterator[Entry]:
        """Give what was logged until now."""
        return iter([Entry(time.time(), text, "error") for text in self._written])
