"""A person acts in a browser through us; what comes of it is a suite that passes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.errands.models import Failed
from services.runs.engine.recording import convert
from services.runs.engine.recording import recorder as subject
from services.runs.engine.recording.recorder import Recorder, record
from shared.targets import TargetPolicy
from tests.services.runs.engine.browser_support import pages_served
from tests.services.runs.engine.running_support import LOCAL, run_suite
from tests.support.shop import serving

pytestmark = pytest.mark.slow

SECRET = "Correct-horse-9!"


class Person:
    """The other side of a recording."""

    def __init__(self) -> None:
        self.wishes: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.told: dict[str, Mapping[str, Any]] = {}

    def check(self) -> None:
        """Nothing is to end."""

    async def cancelled(self) -> None:
        await asyncio.Event().wait()

    async def wish(self) -> Mapping[str, Any]:
        found = await self.wishes.get()
        self.wishes.task_done()
        return found

    async def tell(self, content: Mapping[str, Any], slot: str = "") -> None:
        self.told[slot] = content


async def test_a_sign_up_that_was_clicked_and_typed_becomes_a_suite_that_passes(
    tmp_path: Path,
) -> None:
    person = Person()
    async with serving() as shop:
        origin = shop.url
        async with Browsers.opened(BrowserSettings(LOCAL, tmp_path)) as browsers:
            stage = await browsers.stage(width=1280, height=800, tested_origin=origin)
            recorder = Recorder(stage, person, f"{origin}/signup")
            await recorder.begin()
            running = asyncio.create_task(recorder.run(60))

            async def click(css: str) -> None:
                box = await stage.page.locator(css).bounding_box()
                assert box is not None
                at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
                await person.wishes.put({"do": "click", **at})

            for css, text in (
                ("#email", "ada@example.com"),
                ("#password", SECRET),
                ("#confirm", SECRET),
            ):
                await click(css)
                await person.wishes.put({"do": "text", "text": text})
            await click("form:has(#confirm) button")
            with suppress(TimeoutError):
                async with asyncio.timeout(10):
                    while stage.page.url.endswith("/signup"):
                        await asyncio.sleep(0.05)
            await person.wishes.put({"do": "stop"})
            await running
            await recorder.close()
            await stage.close()
        made = convert(recorder.actions, origin, "Sign up")
        assert SECRET not in repr((made, recorder.actions, person.told["state"]))
        assert person.told["picture"]["jpeg"].startswith("/9j/")
    assert '"${password}" into "Confirm password"' in made.yaml
    async with serving() as shop:
        text = made.yaml.replace(origin, shop.url)
        ending, _ = await run_suite(text, tmp_path / "again")
        assert ending.status == "passed", (made.yaml, ending.report)


async def test_an_address_that_may_not_be_reached_is_refused(tmp_path: Path) -> None:
    settings = BrowserSettings(TargetPolicy(allow_private=False), tmp_path)
    with pytest.raises(Failed) as failed:
        await record({"base_url": "http://127.0.0.1:8123/"}, settings, Person(), 30)
    assert failed.value.code == "url_not_allowed"


RESTLESS = "<!doctype html><title>Again</title><h1>Again</h1><script>location.reload()</script>"


async def test_a_page_that_never_rests_is_stopped_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "OPENING", 1.0)
    person = Person()
    person.wishes.put_nowait({"do": "stop"})
    async with pages_served() as pages, asyncio.timeout(25):
        pages.content["/"] = RESTLESS
        order = {"base_url": f"{pages.url}/"}
        made = await record(order, BrowserSettings(LOCAL, tmp_path), person, 60)
    assert made["actions"][0] == {"type": "goto", "url": order["base_url"]}
    assert {action["type"] for action in made["actions"]} <= {"goto", "navigate", "heading"}


async def test_a_page_that_does_not_come_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "OPENING", 1.0)
    async with pages_served() as pages:
        pages.content["/"] = b""
        with pytest.raises(Failed, match="could not be reached"):
            await record(
                {"base_url": f"{pages.url}/"}, BrowserSettings(LOCAL, tmp_path), Person(), 60
            )
