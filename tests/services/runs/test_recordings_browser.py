"""Recordings in real browsers: over HTTP, and on the page of one."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

from services.runs.engine.browser import programs
from services.runs.engine.grammar.parsing import parse
from services.runs.settings import RunsSettings
from services.runs.workers.models import Place
from services.runs.workers.operations import PROGRAM
from services.runs.workers.operations.errands import ErrandWorker
from shared.principal import ANONYMOUS, Principal
from shared.vault import Vault
from tests.services.runs.conftest import Runs, running
from tests.services.runs.runs_support import until
from tests.services.runs.workers_support import ROOT, limits, processes_of
from tests.support.postgres import DatabaseUrls
from tests.support.shop import serving

pytestmark = pytest.mark.slow

SELF_RELOADING = (
    b"<!doctype html><title>Again</title><h1>Again</h1>"
    b"<script>setTimeout(() => location.reload(), 300)</script>"
)


@asynccontextmanager
async def working(runs: Runs, folder: Path) -> AsyncIterator[None]:
    """Do errands in real browsers."""
    settings: RunsSettings = runs.resources[RunsSettings]
    place = Place(PROGRAM, folder / "errands", ROOT)
    quick = limits(lease_s=15, silence_s=15)
    async with ErrandWorker(runs.database, runs.resources[Vault], settings, place, quick):
        yield


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(
            executable_path=programs.chosen(None), args=["--no-sandbox"]
        )
        yield launched
        await launched.close()


class Recording:
    """One recording, as somebody has it over HTTP."""

    def __init__(self, runs: Runs, member: Principal, begun: dict[str, Any]) -> None:
        self.runs = runs
        self.member = member
        self.id: str = begun["record_id"]
        self.live_url: str = begun["live_url"]

    @classmethod
    async def begun(cls, runs: Runs, url: str) -> Recording:
        member = runs.member()
        body = {"base_url": url, "mode": "remote"}
        answer = await runs.post("record/start", member, body)
        assert answer.status_code == 200, answer.text
        return cls(runs, member, answer.json())

    async def state(self) -> dict[str, Any]:
        found: dict[str, Any] = (
            await self.runs.get(f"record/sessions/{self.id}", self.member)
        ).json()
        return found

    async def becomes(self, status: str, actions: int = 0) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            found = await self.state()
            is_there = found["status"] == status and found["action_count"] >= actions
            return found if is_there else None

        found: dict[str, Any] = await until(there, f"never {status} with {actions}")
        return found

    async def picture(self, after: int) -> dict[str, Any]:
        query = {"after": after, "wait": 10}
        answer = await self.runs.get(
            f"record/sessions/{self.id}/picture", self.member, params=query
        )
        found: dict[str, Any] = answer.json()
        return found

    async def do(self, do: str, **more: Any) -> None:
        answer = await self.runs.post(
            f"record/sessions/{self.id}/input", self.member, {"do": do, **more}
        )
        assert answer.status_code == 200, answer.text

    async def stop(self, **more: Any) -> dict[str, Any]:
        answer = await self.runs.post("record/stop", self.member, {"record_id": self.id, **more})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def middle(page: Page, css: str) -> dict[str, float]:
    """Say where an element is in a window like the recorded one."""
    box = await page.locator(css).bounding_box()
    assert box is not None
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


async def test_a_recording_over_http_becomes_one_suite_however_often_it_is_stopped(
    runs: Runs, tmp_path: Path, browser: Browser
) -> None:
    async with serving() as shop, working(runs, tmp_path):
        like = await browser.new_page(viewport={"width": 1280, "height": 800})
        await like.goto(f"{shop.url}/signup")
        recording = await Recording.begun(runs, f"{shop.url}/signup")
        first = await recording.picture(0)
        assert base64.b64decode(first["jpeg"]).startswith(b"\xff\xd8")
        before = (await recording.becomes("recording"))["action_count"]
        await recording.do("click", **await middle(like, "#email"))
        await recording.do("text", text="ada@example.com")
        await recording.becomes("recording", before + 1)
        assert (await recording.picture(first["n"]))["n"] > first["n"]
        await recording.do("click", **await middle(like, "#password"))
        await recording.do("text", text="Correct-horse-9!")
        await like.close()
        wanted = {"title": "Sign up", "save_as": "sign-up"}
        made, again = await asyncio.gather(recording.stop(**wanted), recording.stop(**wanted))
        assert made == again == await recording.stop(**wanted)
        assert made["saved_as"] == "sign-up.tripwire.yaml"
        assert '"ada@example.com"' in made["yaml"]
        assert "Correct-horse" not in str(made)
        assert parse(made["yaml"]).suite is not None
        listed = (await runs.get("suites", recording.member)).json()
        assert listed["total"] == 1
        assert (await recording.state())["status"] == "stopped"


async def test_nobody_there_ends_a_recording_and_a_killed_browser_fails_it(
    urls: DatabaseUrls, tmp_path: Path
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n"
        writer.write(head % len(SELF_RELOADING) + b"connection: close\r\n\r\n" + SELF_RELOADING)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with (
        server,
        running(urls, GUILDHALL_RUNS_RECORDING_IDLE_SECONDS=2) as runs,
        working(runs, tmp_path),
    ):
        recording = await Recording.begun(runs, url)
        await recording.becomes("stopped")
        made = await recording.stop()
        assert len(made["actions"]) <= 4
        assert "Open /" in made["yaml"]
    async with running(urls) as runs, working(runs, tmp_path), serving() as shop:
        killed = await Recording.begun(runs, shop.url)
        await killed.becomes("recording")
        for pid in processes_of(f"{tmp_path}/errands"):
            os.kill(pid, signal.SIGKILL)
        assert (await killed.becomes("error"))["error"]


def passing_on(runs: Runs, asked: list[str]) -> Callable[[Route], Awaitable[None]]:
    """Let a page reach the service as the gateway would pass a stranger on."""

    async def pass_on(route: Route) -> None:
        request = route.request
        asked.append(request.url)
        path = "/" + request.url.split("/", 3)[3]
        headers = {
            name: value
            for name, value in request.headers.items()
            if name in ("content-type", "x-recording-ticket")
        }
        answer = await runs.send(
            *(request.method, path, ANONYMOUS), content=request.post_data_buffer, headers=headers
        )
        headers = dict(answer.headers)
        await route.fulfill(status=answer.status_code, headers=headers, body=answer.content)

    return pass_on


async def test_somebody_clicks_and_types_on_the_page_of_a_recording(
    runs: Runs, tmp_path: Path, browser: Browser
) -> None:
    asked: list[str] = []
    async with serving() as shop, working(runs, tmp_path):
        like = await browser.new_page(viewport={"width": 1280, "height": 800})
        await like.goto(f"{shop.url}/signup")
        recording = await Recording.begun(runs, f"{shop.url}/signup")
        page = await browser.new_page(viewport={"width": 1400, "height": 1000})
        faults: list[str] = []
        page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        await page.route("**/*", passing_on(runs, asked))
        answer = await page.goto(recording.live_url)
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        ticket = urlsplit(recording.live_url).fragment
        assert urlsplit(page.url).fragment == ""
        screen = page.locator("#screen")
        await screen.wait_for()
        box = await screen.bounding_box()
        assert box is not None
        where = await middle(like, "#email")
        scale = box["width"] / 1280
        await screen.click(position={"x": where["x"] * scale, "y": where["y"] * scale})
        await page.keyboard.type("grace@example.com")
        await page.locator("#count", has_text=re.compile("[2-9] actions")).wait_for()
        if folder := os.environ.get("SCREENSHOTS"):
            await page.screenshot(path=f"{folder}/live.png")
        await page.locator("#stop").click()
        text = await page.locator("#yaml").text_content() if await shown(page) else ""
        assert text is not None
        assert '"grace@example.com"' in text
        if folder := os.environ.get("SCREENSHOTS"):
            await page.emulate_media(color_scheme="dark")
            await page.screenshot(path=f"{folder}/stopped.png")
        await page.locator("#name").fill("Joined")
        await page.locator("#save").click()
        await page.get_by_text("Saved as joined.tripwire.yaml").wait_for()
        assert not faults
        assert not [url for url in asked if ticket in url]
        await page.close()
        await like.close()
    await refuses_others(runs, recording, ticket)


async def refuses_others(runs: Runs, recording: Recording, ticket: str) -> None:
    """See that a ticket opens its own recording alone."""
    other = await Recording.begun(runs, "http://127.0.0.1:9/")
    for shown_ticket, record in ((ticket, other.id), ("", recording.id), ("x.y", recording.id)):
        refused = await runs.get(
            f"record/sessions/{record}/live/picture",
            ANONYMOUS,
            headers={"x-recording-ticket": shown_ticket},
        )
        assert refused.status_code == 401
    await runs.post("record/stop", other.member, {"record_id": other.id})


async def shown(page: Page) -> bool:
    """Wait until the suite is shown."""
    await page.locator("#yaml").wait_for()
    return True
