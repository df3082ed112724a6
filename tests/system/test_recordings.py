"""Recording through the whole system: a page of ours at the gateway, a browser of a worker's."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import async_playwright

from services.runs.engine.browser import programs
from services.runs.engine.grammar.parsing import parse
from tests.services.runs.test_recordings_browser import middle
from tests.support.shop import serving
from tests.support.stack import Stack
from tests.system.people import joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]


async def test_somebody_records_at_the_gateway(stack: Stack) -> None:
    async with (
        serving() as shop,
        httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client,
        async_playwright() as playwright,
    ):
        ada = await joined(client, stack.mail_directory, "ada@recording.example")
        wanted = {"base_url": f"{shop.url}/signup", "mode": "remote"}
        answer = await client.post("/api/v1/record/start", json=wanted, headers=ada.headers)
        assert answer.status_code == 200, answer.text
        live_url = answer.json()["live_url"]
        assert live_url.startswith(f"{stack.base_url}/api/v1/record/")
        launched = await playwright.chromium.launch(
            executable_path=programs.chosen(None), args=["--no-sandbox"]
        )
        try:
            like = await launched.new_page(viewport={"width": 1280, "height": 800})
            await like.goto(f"{shop.url}/signup")
            page = await launched.new_page(viewport={"width": 1400, "height": 1000})
            faults: list[str] = []
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.on("console", lambda s: faults.append(s.text) if s.type == "error" else None)
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            await page.goto(live_url)
            screen = page.locator("#screen")
            await screen.wait_for()
            box = await screen.bounding_box()
            assert box is not None
            where, scale = await middle(like, "#email"), box["width"] / 1280
            await screen.click(position={"x": where["x"] * scale, "y": where["y"] * scale})
            await page.keyboard.type("grace@example.com")
            await page.locator("#count", has_text=re.compile("[2-9] actions")).wait_for()
            await page.locator("#stop").click()
            await page.locator("#yaml").wait_for()
            await page.locator("#name").fill("Joined")
            await page.locator("#save").click()
            await page.get_by_text("Saved as joined.tripwire.yaml").wait_for()
        finally:
            await launched.close()
        kept = await client.get("/api/v1/suites/joined.tripwire.yaml", headers=ada.headers)
    suite = parse(kept.json()["yaml"]).suite
    assert suite is not None
    assert any('"grace@example.com"' in step.do for step in suite.cases[0].steps)
    assert not faults
    ticket = urlsplit(live_url).fragment
    assert ticket
    assert not [url for url in asked if ticket in url.partition("#")[0]]
