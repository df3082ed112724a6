"""What runs cost: ``make bench-runs``.

Drives the tests' own shop in a real Chromium: a suite of 20 steps by the engine, and the same steps
written for Playwright, with and without the pictures that the engine takes, interleaved in one run.
Then how long reading a page and choosing an element take, and how long it takes from a request
until the browser begins, with the service and its worker as processes. Measures, judges nothing:
machines differ, ratios hold. Writes its part of docs/benchmarks/runs.md with ``--page``.

    python -m bench.runs [--rounds 7] [--page]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, Final
from uuid import uuid4

import uvloop
from playwright.async_api import Browser, Error, Page, async_playwright, expect

from bench.figures import with_blocks
from bench.machine import describe
from bench.runs_queue import Waits, measure_queue
from bench.service import database_server, say
from bench.table import Table, number, ratio
from guildhall.embedded.server import EmbeddedPostgres
from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserSettings
from services.runs.engine.language import parse_step
from services.runs.engine.language.models import Click, Target
from services.runs.engine.resolver.choosing import choose
from services.runs.engine.resolver.models import Wanted
from services.runs.engine.running.execution import execute
from services.runs.engine.running.models import Assignment
from shared.targets import TargetPolicy
from tests.support.shop import Served, serving

PAGE: Final = Path(__file__).parent.parent / "docs/benchmarks/runs.md"
LOCAL: Final = TargetPolicy(allow_private=True)
CHROMIUM: Final = "/usr/bin/chromium"
READINGS: Final = 30
TRIES: Final = 5

SUITE: Final = """\
suite: Twenty steps
id: twenty
base_url: {url}
fixtures: {{email: {{gen: unique_email}}}}
retries: 0
cases:
  - id: twenty
    title: A visitor signs up, says who they are and buys a cup
    steps:
      - do: Open /signup
      - do: Enter ${{email}} into "Email"
      - do: Enter "Secret-123!" into "Password"
      - do: Enter "Secret-123!" into "Confirm password"
      - do: Click "Sign up" button
      - do: Click "Edit profile"
      - do: Enter "Grace" into "Display name"
      - do: Enter "Counts" into "Bio"
      - do: Select "Dark" from "Theme"
      - do: Check "Send me the newsletter"
      - do: Click "Save"
      - do: Open /products
      - do: Click "Add to cart" in the card containing "Green Cup"
      - do: Click "Check out"
      - do: Enter "Main Street 1" into "Street"
      - do: Enter "555-0100" into "Phone"
      - do: Click "Place order"
      - do: Open /orders
      - do: Open /fields
      - do: Open /about
    expect:
      - check: {{kind: url, path_is: /about}}
      - check: {{kind: visible_text, contains: Teahouse}}
"""


async def plain(page: Page, url: str, look: Callable[[], Awaitable[object]]) -> None:
    """The same steps, as somebody writes them for Playwright."""
    label, role = page.get_by_label, page.get_by_role
    steps: Sequence[Callable[[], Awaitable[object]]] = (
        lambda: page.goto(f"{url}/signup"),
        lambda: label("Email").fill(f"plain-{uuid4().hex}@example.com"),
        lambda: label("Password", exact=True).fill("Secret-123!"),
        lambda: label("Confirm password").fill("Secret-123!"),
        lambda: role("button", name="Sign up").click(),
        lambda: role("link", name="Edit profile").click(),
        lambda: label("Display name").fill("Grace"),
        lambda: label("Bio").fill("Counts"),
        lambda: label("Theme").select_option("Dark"),
        lambda: label("Send me the newsletter").check(),
        lambda: role("button", name="Save").click(),
        lambda: page.goto(f"{url}/products"),
        lambda: (
            page.locator("article, li, section")
            .filter(has_text="Green Cup")
            .get_by_role("button", name="Add to cart")
            .first.click()
        ),
        lambda: page.get_by_text("Check out").first.click(),
        lambda: label("Street").fill("Main Street 1"),
        lambda: label("Phone").fill("555-0100"),
        lambda: role("button", name="Place order").click(),
        lambda: page.goto(f"{url}/orders"),
        lambda: page.goto(f"{url}/fields"),
        lambda: page.goto(f"{url}/about"),
    )
    for step in steps:
        await step()
        await look()
    await expect(page).to_have_url(f"{url}/about")
    await expect(page.locator("body")).to_contain_text("Teahouse")


class Ignoring:
    """An outlet that keeps nothing but the times of what was said."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}

    def check(self) -> None:
        """Let everything go on."""

    async def cancelled(self) -> None:
        """Never."""
        await asyncio.Event().wait()

    async def say(self, event: Mapping[str, Any]) -> None:
        """Note when a kind of event was said last."""
        self.at[event["kind"]] = time.perf_counter()

    async def store(self, path: str, source: Path) -> None:
        """Drop a file."""

    async def keep(self, case_id: str, entries: Sequence[Any], heals: Sequence[Any]) -> None:
        """Drop what was learned."""

    async def report(self, report: Mapping[str, Any]) -> None:
        """Drop a report."""


async def by_engine(url: str) -> tuple[float, float]:
    """Run the suite; give the seconds of its case, and those of all of it."""
    with tempfile.TemporaryDirectory(prefix="gh-") as folder:
        scratch = Path(folder)
        text = SUITE.format(url=url)
        outlet = Ignoring()
        started = time.perf_counter()
        ending = await execute(
            Assignment("run_bench", 1, "twenty.tripwire.yaml", text, None, scratch),
            BrowserSettings(targets=LOCAL, scratch=scratch),
            outlet,
            None,
        )
        took = time.perf_counter() - started
    if ending.status != "passed":
        raise RuntimeError(json.dumps(ending.report)[:4000])
    return outlet.at["case_end"] - outlet.at["case_start"], took


async def by_playwright(url: str, *, with_pictures: bool) -> tuple[float, float]:
    """Do the same with Playwright alone; likewise.

    A busy Chromium now and then gives no picture; then it is all done again, and that alone counts.
    """
    for _ in range(TRIES):
        with suppress(Error):
            return await _by_playwright(url, with_pictures=with_pictures)
    raise RuntimeError("Playwright gets no pictures here")


async def _by_playwright(url: str, *, with_pictures: bool) -> tuple[float, float]:
    started = time.perf_counter()
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = await browser.new_page(viewport={"width": 1280, "height": 800})

        async def look() -> None:
            if with_pictures:
                await page.screenshot()

        began = time.perf_counter()
        await page.goto(url)
        await plain(page, url, look)
        ended = time.perf_counter()
        await browser.close()
    return ended - began, time.perf_counter() - started


async def reading_times(url: str) -> dict[str, float]:
    """Give milliseconds: reading a page, choosing in it, parsing a step."""
    times: dict[str, list[float]] = {"read": [], "choose": [], "parse": []}
    with tempfile.TemporaryDirectory(prefix="gh-") as folder:
        settings = BrowserSettings(targets=LOCAL, scratch=Path(folder))
        async with Browsers.opened(settings) as browsers:
            stage = await browsers.stage(width=1280, height=800, tested_origin=url)
            await stage.goto(f"{url}/fields")
            for _ in range(READINGS):
                started = time.perf_counter()
                reading = await stage.read()
                read = time.perf_counter()
                choose(reading.candidates, Wanted(Target("Send", quoted=True), "click"))
                chosen = time.perf_counter()
                assert isinstance(parse_step('Click "Send"') or (Click(Target("")),), tuple)
                parsed = time.perf_counter()
                times["read"].append(read - started)
                times["choose"].append(chosen - read)
                times["parse"].append(parsed - chosen)
            await stage.close()
    return {name: median(found) * 1000 for name, found in times.items()}


async def _measure(server: EmbeddedPostgres, rounds: int, *, as_page: bool) -> None:
    found: dict[str, list[tuple[float, float]]] = {"engine": [], "pictures": [], "bare": []}
    async with serving() as served:
        for turn in range(rounds + 1):
            times = await _round(served)
            if turn:  # the first warms everything
                for name, time_ in times.items():
                    found[name].append(time_)
            say(", ".join(f"{name} {time_[0]:.2f} s" for name, time_ in times.items()))
        parts = await reading_times(served.url)
        waits = await measure_queue(server, served.url)
    _report(found, parts, waits, as_page=as_page)


async def _round(served: Served) -> dict[str, tuple[float, float]]:
    return {
        "engine": await by_engine(served.url),
        "pictures": await by_playwright(served.url, with_pictures=True),
        "bare": await by_playwright(served.url, with_pictures=False),
    }


def _report(
    found: Mapping[str, Sequence[tuple[float, float]]],
    parts: Mapping[str, float],
    waits: Waits,
    *,
    as_page: bool,
) -> None:
    names = {
        "pictures": "Playwright, a picture after each step",
        "bare": "Playwright, no pictures",
        "engine": "the engine: English, pictures, events, evidence",
    }
    table = Table(("20 steps", "steps s", "of Playwright", "with the browser's start s", "of it"))
    middle = {
        name: tuple(median(time_[part] for time_ in times) for part in (0, 1))
        for name, times in found.items()
    }
    for name, title in names.items():
        steps, whole = middle[name]
        base = middle["pictures"]
        table.rows.append(
            (
                title,
                number(steps, 2),
                ratio(steps, base[0]),
                number(whole, 2),
                ratio(whole, base[1]),
            )
        )
    lines = (
        f"reading a page of every kind of field {parts['read']:.1f} ms, choosing an element in it "
        f"{parts['choose']:.2f} ms, reading a step's English {parts['parse'] * 1000:.0f} us",
        f"from the request until the browser begins: p50 {waits.at(50):.0f} ms, "
        f"p95 {waits.at(95):.0f} ms; until the run was claimed: p50 {waits.claimed_at(50):.0f} ms",
    )
    say(table.text())
    for line in lines:
        say(line)
    if as_page:
        intro = f"`make bench-runs` on {describe()}."
        bullets = "".join(f"- {line}\n" for line in lines)
        shown = f"{intro}\n\n{table.markdown()}\n\n{bullets}"
        PAGE.write_text(with_blocks(PAGE.read_text(), {"steps": shown}))


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.runs")
    parser.add_argument("--rounds", type=int, default=7, help="of all three, interleaved")
    parser.add_argument("--page", action="store_true", help="write it into docs/benchmarks/runs.md")
    arguments = parser.parse_args()
    with database_server() as server:
        uvloop.run(_measure(server, arguments.rounds, as_page=arguments.page))


if __name__ == "__main__":
    main()
