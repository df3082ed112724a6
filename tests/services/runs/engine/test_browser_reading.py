from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from services.runs.engine.browser.browsers import Browsers
from services.runs.engine.browser.models import Gone, PageStuck
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
)
from tests.support.shop import serving


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


async def test_roles_names_and_states(stage: Stage, pages: Pages) -> None:
    reading = await shown(
        stage,
        pages,
        """<title>Form</title>
        <main><h1>Sign up</h1><form id=f action=/s>
        <label>E-mail <input type=email name=mail autocomplete=email required></label>
        <label for=pw>Password</label><input id=pw type=password value=hunter22>
        <span id=l>Plan</span><select aria-labelledby=l><option>Free<option selected>Paid</select>
        <input placeholder=Nickname title=Other>
        <label><input type=checkbox checked> I agree</label>
        <input readonly value=C-77 aria-label=Number>
        <button data-testid=go>Sign up</button><button type=button disabled>Later</button>
        </form></main>
        <a href=/help>Help</a><div style="display:none"><a href=/x>Hidden</a></div>""",
    )
    assert (reading.title, reading.truncated) == ("Form", False)
    mail = one(reading, "textbox", "E-mail")
    assert (mail.input_type, mail.autocomplete, mail.required) == ("email", "email", True)
    assert (mail.landmark, mail.heading, mail.editable) == ("main", "Sign up", True)
    secret = one(reading, "textbox", "Password")
    assert (secret.input_type, secret.value) == ("password", "••••")
    plan = one(reading, "combobox", "Plan")
    assert (plan.value, plan.options) == ("Paid", ("Free", "Paid"))
    assert one(reading, "textbox", "Nickname").name_sources["title"] == "Other"
    assert one(reading, "checkbox", "I agree").checked is True
    assert not one(reading, "textbox", "Number").editable
    go = one(reading, "button", "Sign up")
    assert (go.test_id, go.primary, go.form) == ("go", True, mail.form)
    assert go.effect.startswith("submit ")
    assert not one(reading, "button", "Later").enabled
    assert one(reading, "link", "Help").href == f"{pages.url}/help"
    assert not one(reading, "link", "Hidden").visible


async def test_names_come_in_their_order(stage: Stage, pages: Pages) -> None:
    reading = await shown(
        stage,
        pages,
        """<span id=a>First</span>
        <input aria-labelledby=a aria-label=Second placeholder=Third>
        <label>Native<input aria-label=Fourth></label>
        <label>Fifth<input placeholder=Sixth></label>
        <input placeholder=Seventh title=Eighth><input title=Ninth>
        <button aria-label="Close it" title=T>x</button><button title=Tip>Save</button>
        <a href=/ ><img alt=Home src=data:,></a>""",
    )
    names = [each.name for each in reading.candidates if each.role == "textbox"]
    assert names == ["First", "Fourth", "Fifth", "Seventh", "Ninth"]
    assert one(reading, "button", "Close it").name_sources["content"] == "x"
    one(reading, "button", "Save")
    one(reading, "link", "Home")


async def test_rows_regions_and_neighbours(stage: Stage, pages: Pages) -> None:
    reading = await shown(
        stage,
        pages,
        """<header><nav><a href=/1>Cart</a></nav></header>
        <table><tr><td>Ann</td><td><button>Edit</button></td></tr>
        <tr><td>Bob</td><td><button>Edit</button></td></tr></table>
        <fieldset><legend>Billing</legend>Amount: <input></fieldset>
        <aside><a href=/2>Cart</a></aside><footer><a href=/3>Cart</a></footer>""",
    )
    edits = [each for each in reading.candidates if each.name == "Edit" and each.role == "button"]
    assert [each.row_text for each in edits] == ["Ann Edit", "Bob Edit"]
    assert edits[0].row != edits[1].row
    carts = [each.landmark for each in reading.candidates if each.name == "Cart"]
    assert carts == ["nav header", "sidebar", "footer"]
    amount = next(each for each in reading.candidates if each.role == "textbox")
    assert (amount.neighbour, amount.groups) == ("Amount:", ("Billing",))


async def test_the_topmost_dialog_and_what_lies_behind_it(stage: Stage, pages: Pages) -> None:
    reading = await shown(
        stage,
        pages,
        """<button>Behind</button><dialog id=d><button>Inside</button></dialog>
        <script>d.showModal()</script>""",
    )
    assert one(reading, "button", "Inside").in_top_dialog
    behind = one(reading, "button", "Behind")
    assert (behind.in_top_dialog, behind.enabled) == (False, False)


async def test_frames_of_any_origin_and_roots_of_any_kind(browsers: Browsers) -> None:
    async with serving() as served, staged(browsers, served.url) as stage:
        await stage.goto(f"{served.url}/frames")
        mark = await stage.mark()
        await stage.settle(mark)
        reading = await stage.read()
        card, nickname = one(reading, "textbox", "Card number"), one(reading, "textbox", "Nickname")
        assert len({0, card.frame, nickname.frame}) == 3
        assert card.frames[0].startswith(served.other)
        frame = await (await stage.element(card)).bounding_box()
        assert frame is not None
        assert abs(frame["x"] - card.x) < 2
        assert abs(frame["y"] - card.y) < 2
        await (await stage.element(card)).fill("4111")
        assert one(await stage.read(), "textbox", "Card number").value == "4111"

        await stage.goto(f"{served.url}/shadow")
        reading = await stage.read()
        for name in ("Street", "Postcode"):
            await (await stage.element(one(reading, "textbox", name))).fill("Lisbon")
            await (await stage.element(one(reading, "button", f"Store {name.lower()}"))).click()
            outcome = (await stage.visible_text("#outcome")).lower()
            assert "lisbon" in outcome or name.lower() in outcome
        assert "Inside the closed root." in await stage.visible_text()


async def test_text_in_closed_roots_is_read_at_once(stage: Stage, pages: Pages) -> None:
    pages.content["/closed"] = """<x-box></x-box><script>
      customElements.define('x-box', class extends HTMLElement {
        constructor() { super(); this.attachShadow({mode: 'closed'}).innerHTML = '<p>Deep</p>'; }
      });
    </script>"""
    await stage.goto(f"{pages.url}/closed")
    assert await stage.visible_text() == "Deep"


HOSTILE = """<form id=f><input name=tagName><input name=getAttribute><input name=childNodes>
<input name=parentNode><button>Pay now</button></form>
<img name=body><img name=querySelectorAll><img name=activeElement><img name=title>
<a id=__guildhall></a><a id=__guildhall name=names></a><a id=__guildhallWatch></a>
<script>
  Element.prototype.getBoundingClientRect = () => ({x: 0, y: 0, width: 0, height: 0});
  Element.prototype.getAttribute = () => 'lie';
  Element.prototype.checkVisibility = () => false;
  Array.prototype.map = Array.prototype.push = () => { throw new Error('no') };
  JSON.stringify = () => '{"out": "lie"}';
  window.getComputedStyle = () => { throw new Error('no') };
  Object.defineProperty(window, '__guildhall', {value: {nonce: 'x'}});
</script>"""


async def test_a_page_that_patches_everything_deceives_itself_alone(
    stage: Stage, pages: Pages
) -> None:
    reading = await shown(stage, pages, HOSTILE)
    pay = one(reading, "button", "Pay now")
    assert pay.visible
    assert pay.width > 0
    assert "Pay now" in await stage.visible_text()
    mark = await stage.mark()
    await stage.page.set_content("<p id=__guildhallWatch role=alert>Watched</p>")
    await stage.settle(mark)
    assert [each.text for each in await stage.notices(mark)] == ["Watched"]


async def test_a_strict_policy_does_not_blind_us(stage: Stage, pages: Pages) -> None:
    policy = "Content-Security-Policy: default-src 'none'; sandbox allow-scripts\r\n"
    pages.content["/strict"] = page("<button>Only button</button>", fields=policy)
    await stage.goto(f"{pages.url}/strict")
    one(await stage.read(), "button", "Only button")
    assert await stage.visible_text() == "Only button"


async def test_a_page_that_spins_does_not_hang_us(stage: Stage, pages: Pages) -> None:
    pages.content["/spin"] = "<script>setTimeout(() => { for (;;); }, 200)</script>"
    await stage.goto(f"{pages.url}/spin")

    async def read_on() -> None:
        while True:
            await stage.read(seconds=0.5)

    with pytest.raises(PageStuck):
        await asyncio.wait_for(read_on(), 10)
    began = time.monotonic()
    mark = await stage.mark()
    assert not (await stage.settle(mark, seconds=0.5)).navigated
    with pytest.raises(PageStuck):
        await stage.read(seconds=0.5)
    assert time.monotonic() - began < 5


async def test_a_huge_page_is_read_in_bounds(stage: Stage, pages: Pages) -> None:
    script = """<body><script>
      let deep = document.body;
      for (let i = 0; i < 800; i++) deep = deep.appendChild(document.createElement('div'));
      document.body.insertAdjacentHTML('beforeend', '<button>Buy</button>'.repeat(20000));
      document.body.append('x'.repeat(5e6));
    </script>"""
    reading = await shown(stage, pages, script)
    assert reading.truncated
    assert 100 < len(reading.candidates) <= 5000
    assert len(await stage.visible_text()) <= 500_000


async def test_an_element_that_went_away_is_gone(stage: Stage, pages: Pages) -> None:
    reading = await shown(
        stage, pages, "<button onclick=this.remove()>Once</button><a href=/page>Again</a>"
    )
    button, link = one(reading, "button", "Once"), one(reading, "link", "Again")
    await (await stage.element(button)).click()
    with pytest.raises(Gone):
        await stage.element(button)
    await stage.goto(f"{pages.url}/page?2")
    with pytest.raises(Gone):
        await stage.element(link)


async def test_only_what_can_be_read_is_text(stage: Stage, pages: Pages) -> None:
    await shown(
        stage,
        pages,
        """<p>Seen  <b>bold</b>\n text</p><p style="display:none">none</p>
        <p style="visibility:hidden">hidden <span style="visibility:visible">but this</span></p>
        <p style="opacity:0">clear</p><p style="position:absolute;left:-9999px">away</p>
        <p style="position:absolute;width:1px;height:1px;overflow:hidden">clipped</p>
        <textarea>typed</textarea>
        <div id=a><i>One</i><div>Two</div></div><noscript>no</noscript>""",
    )
    assert await stage.visible_text() == "Seen bold text but this One Two"
    assert await stage.visible_text("#a") == "One Two"
    with pytest.raises(Gone):
        await stage.visible_text("#b")
    with pytest.raises(ValueError, match="selector"):
        await stage.visible_text("#b >>>")


async def test_a_toggle_behind_its_label_can_be_seen(stage: Stage, pages: Pages) -> None:
    reading = await shown(
        stage,
        pages,
        """<label><input type=checkbox style="position:absolute;opacity:0;width:0;height:0">
        Dark mode</label><label>Photo <input type=file style="display:none"></label>
        <div style="cursor:pointer">Card <b>two</b></div>""",
    )
    assert one(reading, "checkbox", "Dark mode").visible
    assert one(reading, "file", "Photo").visible
    one(reading, "clickable", "Card two")
