"""Suites through the whole system: gateway, worker, a real Chromium, and a shop that is tested.

The runs contract's sections 7, 8, 18.8 and 19, as a dashboard and a CI job meet them.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.support.shop import Served, serving
from tests.support.stack import Stack, running_stack
from tests.system.people import PASSWORD, Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

API: Final = "/api/v1"
PATIENCE: Final = 90.0
ENDED: Final = {"passed", "failed", "broken", "cancelled", "interrupted"}

SUITE: Final = """\
suite: Shop
id: {id}
base_url: {url}
retries: 0
timeout_ms: 700
cases:
  - id: about
    title: The shop says who it is
    tags: [quick]
    steps:
      - do: Open /about
    expect:
      - check: {{kind: url, path_is: /about}}
  - id: pay
    title: Somebody pays
    tags: [p0]
    steps:
      - do: Open /products
      - do: Click "Pay with seashells"
  - id: thanks
    title: They are thanked
    depends_on: pay
    steps:
      - do: Open /orders
"""
"""One case that passes, one that cannot be carried out, and one that depends on it."""

SLOW: Final = """\
suite: Slow
id: slow
base_url: {url}
cases:
  - id: quick
    title: Begins
    steps:
      - do: Open /about
  - id: patience
    title: Waits
    steps:
      - do: Wait 9 seconds
      - do: Wait 9 seconds
      - do: Wait 9 seconds
      - do: Wait 9 seconds
      - do: Wait 9 seconds
"""


@dataclass
class Lab:
    """The system, its first administrator, somebody of another organization, and the shop."""

    stack: Stack
    client: httpx.AsyncClient
    shop: Served
    ada: Person
    bob: Person

    async def send(
        self, method: str, path: str, body: Any = None, who: Person | None = None, **more: Any
    ) -> httpx.Response:
        headers = (who or self.ada).headers | more.pop("headers", {})
        options = {} if body is None else {"json": body}
        return await self.client.request(
            method, f"{API}/{path}", headers=headers, **options, **more
        )

    async def get(self, path: str, **more: Any) -> Any:
        """Give what a path shows."""
        answer = await self.send("GET", path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any, **more: Any) -> Any:
        """Give what a request was answered with."""
        answer = await self.send("POST", path, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def add(self, suite: str = SUITE, name: str = "") -> str:
        """Save a suite under a name of its own, and give the name."""
        name = name or f"s{uuid4().hex}.tripwire.yaml"
        text = suite.format(url=self.shop.url, id=name.partition(".")[0])
        answer = await self.send("PUT", f"suites/{name}", {"yaml": text})
        assert answer.status_code == 200, answer.text
        return name

    async def ended(self, run_id: str) -> dict[str, Any]:
        """Wait for a run's end, polling as dashboards do, and give it."""
        found: dict[str, Any] = {}

        async def is_over() -> bool:
            seen = [event["seq"] for event in found.get("events", [])]
            found.update(await self.get(f"runs/{run_id}"))
            assert [event["seq"] for event in found["events"]][: len(seen)] == seen
            return found["status"] in ENDED

        await until(is_over, f"{run_id} ends")
        return found

    async def streamed(self, run_id: str) -> list[dict[str, Any]]:
        """Follow a run from its first event until the stream closes."""
        found = []
        path = f"{API}/runs/{run_id}/events"
        async with (
            asyncio.timeout(PATIENCE),
            self.client.stream("GET", path, headers=self.ada.headers) as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    found.append(json.loads(line.removeprefix("data: ")))
        return found


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE
    while not await condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def lab() -> AsyncIterator[Lab]:
    with running_stack(GUILDHALL_URL_ALLOW="127.0.0.1", GUILDHALL_RUNS_LEASE_SECONDS="8") as stack:
        async with (
            serving() as shop,
            httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client,
        ):
            assert (await client.get(f"{API}/auth/setup")).json() == {"needs_setup": True}
            first = {"email": "ada@runs.example", "password": PASSWORD}
            made = await client.post(f"{API}/auth/setup", json=first)
            assert made.status_code == 200, made.text
            told = (await client.post(f"{API}/auth/login", json=first)).json()
            ada = Person(client, first["email"], told["token"], told["user"]["org_id"])
            bob = await joined(client, stack.mail_directory, "bob@runs.example")
            yield Lab(stack, client, shop, ada, bob)


async def test_suites_are_kept_and_never_overwritten_by_chance(lab: Lab) -> None:
    again = await lab.client.post(
        f"{API}/auth/setup", json={"email": "eve@runs.example", "password": PASSWORD}
    )
    assert (again.status_code, again.json()["type"]) == (409, "setup_done")
    text = SUITE.format(url=lab.shop.url, id="shop")
    files = [(await lab.post("suites", {"yaml": text}))["file"] for _ in range(2)]
    assert files == ["shop.tripwire.yaml", "shop-2.tripwire.yaml"]
    bad = await lab.send("PUT", f"suites/{files[0]}", {"yaml": "suite: [\n"})
    assert (bad.status_code, bad.json()["type"]) == (400, "invalid_yaml")
    assert bad.json()["detail"] == bad.json()["error"]["message"]
    assert bad.json()["error"]["details"]
    assert (await lab.get(f"suites/{files[0]}"))["yaml"] == text
    spec = await lab.send("GET", f"suites/{files[0]}/export")
    assert spec.headers["content-type"] == "text/plain; charset=utf-8"
    assert re.search(r"test\(.The shop says who it is.", spec.text)
    for path in ("nothing", "record", "integrations", "plans/a/run/b"):
        unknown = await lab.send("GET", path)
        assert (unknown.status_code, unknown.json()["type"]) == (404, "not_found"), path


async def test_a_token_may_do_what_its_scopes_say(lab: Lab) -> None:
    made = await lab.post("auth/tokens", {"name": "ci", "scopes": ["runs:read"]})
    assert re.fullmatch(r"tw_[\w-]{43}", made["token"])
    reader = Person(lab.client, lab.ada.email, made["token"])
    assert (await lab.get("suites", who=reader))["total"] >= 0
    refused = await lab.send("POST", "runs", {"suite": "shop.tripwire.yaml"}, who=reader)
    assert (refused.status_code, refused.json()["type"]) == (403, "forbidden")
    assert (await lab.send("DELETE", f"auth/tokens/{made['id']}")).status_code == 200

    async def is_refused() -> bool:
        return (await lab.send("GET", "suites", who=reader)).status_code == 401

    await until(is_refused, "a deleted token opens nothing")


async def test_a_run_from_its_queue_to_its_second_try(lab: Lab) -> None:
    name = await lab.add()
    queued = await lab.post("runs", {"suite": name})
    run_id = queued["run_id"]
    assert queued == {"run_id": run_id, "run_ids": [run_id], "queued": 1}
    events, run = await asyncio.gather(lab.streamed(run_id), lab.ended(run_id))
    assert events == (await lab.get(f"runs/{run_id}"))["events"] == run["events"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["kind"] for event in events]
    assert kinds[-1] == "done"
    assert kinds.count("done") == 1
    assert kinds.index("case_start") < kinds.index("action") < kinds.index("case_end")
    verdicts = {case["id"]: case["verdict"] for case in run["report"]["cases"]}
    assert verdicts == {"about": "passed", "pay": "broken", "thanks": "skipped"}
    assert run["report"]["cases"][1]["reason"].startswith("not_found")
    await _see_artifacts(lab, run)
    await _see_nothing_elsewhere(lab, run, name)
    await _file_again(lab, run_id, name)


async def _see_artifacts(lab: Lab, run: dict[str, Any]) -> None:
    """Load a picture in all three ways, and the run's reports."""
    folder = f"artifacts/{run['run_id']}"
    picture = f"{folder}/{run['report']['cases'][0]['shots'][0]['path']}"
    named = await lab.send("GET", picture)
    assert (named.status_code, named.headers["content-type"]) == (200, "image/png")
    link = await lab.post("artifacts/token", {"path": picture.removeprefix("artifacts/")})
    assert link["expires_in"] == 300
    for token in (lab.ada.token, link["token"]):
        shown = await lab.client.get(f"{API}/{picture}", params={"token": token})
        assert shown.content == named.content
    elsewhere = await lab.client.get(f"{API}/{folder}/report.json", params={"token": link["token"]})
    assert elsewhere.status_code == 403
    assert (await lab.client.get(f"{API}/{picture}")).status_code == 401
    report = await lab.get(f"{folder}/report.json")
    assert report["summary"] == run["report"]["summary"]
    junit = await lab.send("GET", f"{folder}/junit.xml")
    assert 'name="Somebody pays"' in junit.text
    page = await lab.send("GET", f"{folder}/report.html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert "Somebody pays" in page.text
    assert link["token"] not in lab.stack.log
    assert lab.ada.token not in lab.stack.log


async def _see_nothing_elsewhere(lab: Lab, run: dict[str, Any], name: str) -> None:
    """Somebody of another organization finds nothing of it."""
    run_id = run["run_id"]
    shot = run["report"]["cases"][0]["shots"][0]["path"]
    for path in (f"runs/{run_id}", f"runs/{run_id}/events", f"artifacts/{run_id}/{shot}"):
        answer = await lab.send("GET", path, who=lab.bob)
        assert (answer.status_code, answer.json()["type"]) == (404, "not_found"), path
    for path in (f"runs/{run_id}/cancel", f"runs/{run_id}/rerun"):
        assert (await lab.send("POST", path, {}, who=lab.bob)).status_code == 404
    assert (await lab.send("POST", "runs", {"suite": name}, who=lab.bob)).status_code == 404
    for path in ("runs", "issues", "suites"):
        assert (await lab.get(path, who=lab.bob))["items"] == []


async def _file_again(lab: Lab, run_id: str, name: str) -> None:
    """The same failure is the same issue, and ``none`` files nothing."""
    issue = await lab.get("issues/TW-1")
    assert (issue["case_id"], issue["occurrences"], issue["severity"]) == ("pay", 1, "critical")
    filed = (await lab.get(f"runs/{run_id}"))["report"]
    assert filed["cases"][1]["issue"] == {
        "id": "TW-1",
        "fingerprint": issue["fingerprint"],
        "created": True,
    }
    again = await lab.post(f"runs/{run_id}/rerun", {"failed_only": True})
    silent = await lab.post("runs", {"suite": name, "cases": ["pay"], "file_issues": "none"})
    second, third = await asyncio.gather(lab.ended(again["run_id"]), lab.ended(silent["run_id"]))
    assert (second["cases"], second["trigger"]) == (["pay"], "rerun")
    assert third["status"] == "broken"
    assert third["report"]["issues_filed"] == []
    issue = await lab.get("issues/TW-1")
    assert (issue["occurrences"], len(issue["comments"])) == (2, 1)
    assert (await lab.get("issues"))["total"] == 1
    told = await lab.get("analytics")
    cases = {case["case_id"]: case for case in told["cases"]}
    assert told["total_runs"] == 3
    assert (cases["pay"]["runs"], cases["pay"]["passed"], cases["about"]["runs"]) == (3, 0, 1)
    compared = await lab.get(f"runs/{second['run_id']}/compare", params={"with": run_id})
    assert compared


async def test_five_runs_outlive_their_worker(lab: Lab) -> None:
    name = await lab.add(SLOW, "slow.tripwire.yaml")
    answers = await asyncio.gather(*(lab.send("POST", "runs", {"suite": name}) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {200}  # none is 409
    run_ids = {answer.json()["run_id"] for answer in answers}

    async def running(among: set[str]) -> set[str]:
        queue = await lab.get("runs/queue")
        found = {each["id"] for each in queue["running"]}
        assert len(found) <= 2
        assert queue["busy"]
        assert queue["running_suites"] == [name] * len(found)
        return found & among

    async def have_begun(among: set[str]) -> bool:
        found = await running(among)
        runs = [await lab.get(f"runs/{each}") for each in found]
        kinds = [[event["kind"] for event in run["events"]] for run in runs]
        return len(found) == 2 and all("case_end" in each for each in kinds)

    await until(lambda: have_begun(run_ids), "two runs have browsers")
    first = await running(run_ids)
    queue = await lab.get("runs/queue")
    assert {each["id"] for each in queue["pending"]} == run_ids - first
    assert queue["pending"][0]["suite"] == queue["active_suite"] == name
    assert queue["active"] in first

    worker = lab.stack.child("runs work")
    family = worker.children(recursive=True)
    assert any("chrom" in each.name() for each in family), family
    worker.kill()
    psutil.wait_procs(family, timeout=30)
    assert [each for each in family if each.is_running()] == []

    interrupted = [await lab.ended(run_id) for run_id in first]
    for run in interrupted:
        assert run["status"] == "interrupted"
        assert [event["kind"] for event in run["events"]].count("done") == 1
        assert run["events"][-1]["kind"] == "done"
        assert run["report"]["cases"][0]["verdict"] == "passed"
    await until(lambda: have_begun(run_ids - first), "the next two are executed")
    second = await running(run_ids - first)
    (last,) = run_ids - first - second
    assert [each["id"] for each in (await lab.get("runs/queue"))["pending"]] == [last]

    began = time.monotonic()
    answers = await asyncio.gather(
        *(lab.send("POST", f"runs/{run_id}/cancel", {}) for run_id in (last, *second))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert (await lab.get(f"runs/{last}"))["status"] == "cancelled"
    for run_id in second:
        run = await lab.ended(run_id)
        assert (run["status"], run["events"][-1]["kind"]) == ("cancelled", "done")
        assert run["report"]["cases"][0]["verdict"] == "passed"
    assert time.monotonic() - began < 30  # ten seconds are promised; the machine may be busy
    queue = await lab.get("runs/queue")
    assert (queue["running"], queue["pending"], queue["busy"]) == ([], [], False)
    assert queue["active"] is None
