from __future__ import annotations

import asyncio
import io
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image

from services.runs.engine.browser import browsers as starting
from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import BrowserGone, BrowserSettings, Gone
from services.runs.engine.browser.stage import Stage
from shared.targets import TargetPolicy
from tests.services.runs.engine.browser_support import (
    Pages,
    browsers_for,
    one,
    page,
    pages_served,
    shown,
    staged,
    until,
)


@pytest.fixture(scope="module")
async def browsers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browsers]:
    async with browsers_for(TargetPolicy(True), tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="module")
async def pages() -> AsyncIterator[Pages]:
    async with pages_served() as found:
        yield found


@pytest.fixture
async def stage(browsers: Browsers, pages: Pages) -> AsyncIterator[Stage]:
    async with staged(browsers, pages.url) as found:
        yield found


async def clicked(stage: Stage, name: str, role: str = "button") -> None:
    reading = await stage.read()
    await (await stage.element(one(reading, role, name))).click()


async def test_nothing_to_wait_for_is_not_waited_for(stage: Stage, pages: Pages) -> None:
    await shown(stage, pages, "<button>Idle</button>")
    mark = await stage.mark()
    await clicked(stage, "Idle")
    began = time.monotonic()
    settled = await stage.settle(mark)
    assert (settled.changed, settled.requests, settled.in_time) == (False, 0, True)
    assert time.monotonic() - began < 3


async def test_requests_and_changes_are_awaited(stage: Stage, pages: Pages) -> None:
    pages.content["/data"] = "fresh"
    await shown(
        stage,
        pages,
        """<p id=o>old</p><button onclick="setTimeout(async () => {
        const r = await fetch('/data'); const t = await r.text();
        setTimeout(() => o.textContent = t, 60)}, 0)">Load</button>""",
    )
    mark = await stage.mark()
    await clicked(stage, "Load")
    settled = await stage.settle(mark)
    assert settled.requests == 1
    assert settled.in_time
    assert await stage.visible_text("#o") == "fresh"


async def test_what_a_frame_of_another_site_begins_is_awaited(stage: Stage, pages: Pages) -> None:
    pages.content["/inner"] = "<form action=/paid><button>Pay</button></form>"
    pages.content["/paid"] = "<p>Paid</p>"
    await shown(stage, pages, f'<iframe src="{pages.other}/inner"></iframe>')
    mark = await stage.mark()
    await clicked(stage, "Pay")
    assert (await stage.settle(mark)).requests == 1
    assert await stage.visible_text() == "Paid"


async def test_a_request_without_end_is_awaited_to_the_cap_alone(
    stage: Stage, pages: Pages
) -> None:
    await shown(stage, pages, "<button onclick=\"fetch('/hang')\">Hang</button>")
    mark = await stage.mark()
    await clicked(stage, "Hang")
    assert not (await stage.settle(mark, seconds=0.5)).in_time
    later = await stage.mark()
    assert (await stage.settle(later, seconds=5)).in_time


async def test_animations_are_not_awaited(stage: Stage, pages: Pages) -> None:
    await shown(
        stage,
        pages,
        """<div id=d>x</div><script>setInterval(() => { d.style.left = Math.random() + 'px' }, 10)
        </script><button onclick="d.append('!')">Go</button>""",
    )
    mark = await stage.mark()
    await clicked(stage, "Go")
    assert (await stage.settle(mark)).in_time


async def test_a_navigation_is_awaited(stage: Stage, pages: Pages) -> None:
    pages.content["/next"] = "<h1>There</h1><script>document.body.append('!')</script>"
    await shown(stage, pages, "<a href=/next>Next</a>")
    mark = await stage.mark()
    await clicked(stage, "Next", "link")
    assert (await stage.settle(mark)).navigated
    assert stage.page.url.endswith("/next")
    assert "There" in await stage.visible_text()


async def test_new_tabs_are_followed_and_left(stage: Stage, pages: Pages) -> None:
    pages.content["/tab"] = "<h1>Tab</h1><button onclick=window.close()>Done</button>"
    await shown(stage, pages, "<a href=/tab target=_blank>Open</a>")
    mark = await stage.mark()
    await clicked(stage, "Open", "link")
    settled = await stage.settle(mark)
    assert settled.new_tab
    assert await stage.visible_text("h1") == "Tab"
    assert len(stage.pages) == 2
    await clicked(stage, "Done")
    await until(lambda: len(stage.pages) == 1)
    assert stage.page.url.endswith("/page")
    await stage.close_tab()
    assert stage.page.url == "about:blank"


async def test_ten_tabs_are_enough(stage: Stage, pages: Pages) -> None:
    pages.content["/tab"] = "<h1>Tab</h1>"
    await shown(
        stage,
        pages,
        "<button onclick=\"for (let i = 0; i < 13; i++) window.open('/tab')\">Flood</button>",
    )
    mark = await stage.mark()
    await clicked(stage, "Flood")
    await stage.settle(mark)
    await until(lambda: len(pages.saw("/tab")) >= 9 and len(stage.pages) <= 10)
    await stage.switch_to(stage.pages[0])
    assert stage.page.url.endswith("/page")


async def test_dialogs_are_answered_as_said_and_else_dismissed(stage: Stage, pages: Pages) -> None:
    await shown(
        stage,
        pages,
        """<p id=o></p><button onclick="o.textContent = confirm('Sure?')">Ask</button>
        <button onclick="o.textContent = prompt('Name?', 'x')">Name</button>""",
    )
    mark = await stage.mark()
    await clicked(stage, "Ask")
    settled = await stage.settle(mark)
    assert settled.dialogs == ("Sure?",)
    assert await stage.visible_text("#o") == "false"
    stage.expect_dialog(True, "Ann")
    await clicked(stage, "Name")
    assert await stage.visible_text("#o") == "Ann"
    assert [(each.kind, each.accepted, each.expected) for each in stage.dialogs] == [
        ("confirm", False, False),
        ("prompt", True, True),
    ]


async def test_notices_are_kept_when_they_vanish(stage: Stage, pages: Pages) -> None:
    await shown(
        stage,
        pages,
        """<div role=alert id=early>At once</div><script>early.remove()</script>
        <div id=host></div><button onclick="
          host.innerHTML = '<div class=toast>Saved</div>';
          setTimeout(() => host.innerHTML = '', 20);
        ">Save</button>
        <div id=hidden role=status style="display:none">Never seen</div>""",
    )
    mark = await stage.mark()
    await clicked(stage, "Save")
    await stage.settle(mark)
    found = await stage.notices(mark)
    assert [(each.text, each.role, each.gone) for each in found] == [("Saved", "toast", True)]
    assert "Never seen" not in [each.text for each in await stage.notices()]


async def test_a_page_cannot_forge_or_flood_notices(stage: Stage, pages: Pages) -> None:
    await shown(
        stage,
        pages,
        """<div id=h></div><script>
        for (const name of Object.getOwnPropertyNames(window)) {
          const message = '{"k":"n","i":1,"t":"forged","r":"alert"}';
          if (/^g[0-9a-f]{16}$/.test(name)) window[name](message);
        }
        for (let i = 0; i < 5000; i++) h.insertAdjacentHTML('beforeend', '<p role=alert>' + i);
        </script>""",
    )
    found = await stage.notices()
    assert len(found) <= 300
    assert "forged" not in [each.text for each in found]


async def test_the_console_and_its_exceptions_in_bounds(stage: Stage, pages: Pages) -> None:
    await shown(
        stage,
        pages,
        """<script>for (let i = 0; i < 700; i++) console.log('line ' + i);
        console.error('x'.repeat(9999)); setTimeout(() => { throw new Error('boom') })</script>""",
    )
    await until(lambda: any(each.level == "exception" for each in stage.console()))
    lines = stage.console()
    assert len(lines) == 500
    assert max(len(each.text) for each in lines) == 2000
    assert "boom" in next(each.text for each in lines if each.level == "exception")


async def test_the_network_record(stage: Stage, pages: Pages) -> None:
    pages.content["/fail"] = page("no", "503 Down", "X-Request-Id: r-1\r\n")
    await shown(stage, pages, "<button onclick=\"fetch('/fail', {method: 'POST'})\">Go</button>")
    mark = await stage.mark()
    await clicked(stage, "Go")
    await stage.settle(mark)
    (failed,) = stage.network_errors(mark)
    assert (failed.method, failed.status, failed.kind) == ("POST", 503, "fetch")
    assert (failed.url, failed.trace_id) == (f"{pages.url}/fail", "r-1")


async def test_downloads_come_into_the_scratch_folder(stage: Stage, pages: Pages) -> None:
    fields = 'Content-Disposition: attachment; filename="../../x/report 1.csv"\r\n'
    pages.content["/file"] = page("a,b", fields=fields)
    await shown(stage, pages, "<a href=/file>Report</a>")
    await clicked(stage, "Report", "link")
    await until(lambda: bool(stage.downloads))
    (found,) = stage.downloads
    assert found.path is not None
    assert found.path.read_text() == "a,b"
    assert "/" not in found.name
    assert (found.size, found.failure) == (3, "")


def colours(picture: bytes, box: tuple[float, float, float, float]) -> int:
    x, y, width, height = box
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    part = image.crop((int(x) + 3, int(y) + 3, int(x + width) - 3, int(y + height) - 3))
    return len(part.getcolors(100_000) or [])


async def test_secrets_are_covered_in_screenshots(stage: Stage, pages: Pages) -> None:
    html = """<style>input, p { font: 30px serif; width: 400px; display: block }</style>
    <input aria-label=P type=password value=hunter22>
    <input aria-label=T value="token hunter22!"><input aria-label=O value=plain-text>
    <p>You typed hunter22</p><p>Harmless words</p>"""
    stage.keep_secret("hunter22")
    reading = await shown(stage, pages, html)
    picture = await stage.screenshot()
    boxes = {each.name: (each.x, each.y, each.width, each.height) for each in reading.candidates}
    for name in ("P", "T", "You typed hunter22"):
        assert colours(picture, boxes[name]) == 1, name
    for name in ("O", "Harmless words"):
        assert colours(picture, boxes[name]) > 1, name


async def test_a_secret_in_a_frame_is_covered_too(stage: Stage, pages: Pages) -> None:
    inner = "<body style='margin:0'><input type=password style='width:200px;height:60px' value=abc>"
    frame = f'<iframe srcdoc="{inner}" style="border:0;width:300px;height:100px"></iframe>'
    await shown(stage, pages, f"<body style='margin:0'>{frame}<p>Words</p>")
    assert colours(await stage.screenshot(), (2, 2, 190, 50)) == 1


async def test_a_picture_leaves_the_page_as_it_is(stage: Stage, pages: Pages) -> None:
    html = """<p style="transition: opacity 99s; opacity: 1">Fading</p><output></output><script>
    const fading = document.querySelector('p');
    fading.ontransitionend = () => document.querySelector('output').append('hurried');
    requestAnimationFrame(() => { fading.style.opacity = 0 })</script>"""
    await shown(stage, pages, html)
    await stage.screenshot()
    assert "hurried" not in await stage.visible_text()
    await stage.screenshot(still=True)
    assert "hurried" in await stage.visible_text()


async def test_a_trace_is_written(stage: Stage, pages: Pages, tmp_path: Path) -> None:
    await stage.start_trace()
    await shown(stage, pages, "<p>traced</p>")
    await stage.stop_trace(tmp_path / "trace.zip")
    assert (tmp_path / "trace.zip").stat().st_size > 1000


async def test_stages_share_nothing(browsers: Browsers, pages: Pages) -> None:
    pages.content["/set"] = page("set", fields="Set-Cookie: who=ann\r\n")
    async with staged(browsers, pages.url) as first, staged(browsers, pages.url) as second:
        await first.goto(f"{pages.url}/set")
        await second.goto(f"{pages.url}/get")
        await first.goto(f"{pages.url}/get")
    cookies = [each.headers.get("cookie") for each in pages.saw("/get")]
    assert cookies == [None, "who=ann"]


async def test_a_closed_last_tab_is_said(stage: Stage, pages: Pages) -> None:
    await shown(stage, pages, "<p>x</p>")
    await stage.page.close()
    with pytest.raises(Gone):
        await stage.read()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
@pytest.mark.parametrize("program", [b"chrom", b"run-driver"])
async def test_a_killed_browser_is_gone_at_once(
    program: bytes, pages: Pages, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    token = f"killed-{uuid4().hex}"
    os.environ["GUILDHALL_ENGINE_RUN"] = token
    try:
        async with (
            Browsers.opened(BrowserSettings(TargetPolicy(True), folder)) as browsers,
            staged(browsers, pages.url) as stage,
        ):
            await shown(stage, pages, "<button onclick=\"fetch('/hang')\">x</button>")
            mark = await stage.mark()
            await clicked(stage, "x")
            waiting = asyncio.create_task(stage.settle(mark, seconds=60))
            await asyncio.sleep(0)
            for process in marked(program, f"GUILDHALL_ENGINE_RUN={token}".encode()):
                os.kill(process, signal.SIGKILL)
            began = time.monotonic()
            with pytest.raises(BrowserGone):
                await waiting
            for work in (stage.read(), stage.visible_text(), stage.screenshot()):
                with pytest.raises(BrowserGone):
                    await work
            assert time.monotonic() - began < 10
            assert browsers.is_gone
    finally:
        del os.environ["GUILDHALL_ENGINE_RUN"]


def marked(program: bytes, token: bytes) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_it = program in (entry / "cmdline").read_bytes()
            if is_it and token in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


async def test_what_does_not_start_says_so(tmp_path: Path) -> None:
    settings = BrowserSettings(TargetPolicy(True), tmp_path, executable="/nonexistent/chromium")
    with pytest.raises(BrowserGone, match="no program"):
        async with Browsers.opened(settings):
            pass


def test_root_gets_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not starting.may_sandbox()
