from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runs.engine.actions.models import Impossible
from tests.services.runs.engine.acting_support import House, house_in


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def test_dialogs_are_answered_as_the_next_step_says(house: House) -> None:
    async with house.at("/dialogs") as actor:
        await actor.do('Click "Delete order"', "Accept the dialog")
        assert await actor.read() == "deleted"
        await actor.do('Click "Delete order"', "Dismiss the dialog")
        assert await actor.read() == "kept"
        await actor.do('Click "Ask my name"', 'Accept the dialog with "Ada"')
        assert await actor.read() == "named Ada"
        assert [done.text for done in actor.done if done.tool == "press_key"] == [
            "Accept “Delete the order?”",
            "Dismiss “Delete the order?”",
            "Accept “Your name?”",
        ]


async def test_a_dialog_may_be_answered_ahead(house: House) -> None:
    async with house.at("/dialogs") as actor:
        await actor.do("Accept the dialog", 'Click "Delete order"')
        assert await actor.read() == "deleted"


async def test_a_dialog_that_nobody_expects_is_dismissed(house: House) -> None:
    async with house.at("/dialogs") as actor:
        await actor.do('Click "Delete order"')
        assert await actor.read() == "kept"
        assert (await actor.refuses("Accept the dialog")).reason == "not_found"


async def test_a_dialog_that_does_not_come_is_told(house: House) -> None:
    async with house.at("/dialogs") as actor:
        with pytest.raises(Impossible) as refused:
            await actor.do('Click "Close"', "Accept the dialog")
        assert refused.value.reason == "not_found"
        assert await actor.read() == "outer close"


async def test_what_lies_in_the_open_dialog_is_meant(house: House) -> None:
    async with house.at("/dialogs") as actor:
        await actor.do('Click "Open dialog"', 'Enter "a@b.c" into "Your e-mail"')
        await actor.do('Click "Close"')
        assert await actor.read() == "dialog closed"
        await actor.do('Click "Open modal"', 'Click "Continue"')
        assert await actor.read() == "went on"


async def test_new_tabs_are_followed_and_left(house: House) -> None:
    async with house.at("/popups") as actor:
        await actor.do('Click "Open help in a new tab"')
        assert await actor.sees('"Pour, wait, drink." is shown')
        await actor.do("Switch to tab 1")
        assert actor.stage.page.url.endswith("/popups")
        await actor.do('Switch to the "Help" tab')
        assert actor.stage.page.url.endswith("/popup")
        await actor.do("Close the tab")
        assert actor.stage.page.url.endswith("/popups")
        assert len(actor.stage.pages) == 1


async def test_a_window_that_closes_itself_gives_way(house: House) -> None:
    async with house.at("/popups") as actor:
        await actor.do('Click "Open chat"', 'Click "Close window"')
        assert actor.stage.page.url.endswith("/popups")


async def test_a_page_that_is_alone_may_have_tabs_itself(house: House) -> None:
    async with house.at("/tabs") as actor:
        await actor.do('Switch to the "Reviews" tab')
        assert (await actor.judge("visible_text", contains="Five stars.")).passed


async def test_a_tab_that_is_not_there_is_told(house: House) -> None:
    async with house.at("/popups", seconds=0.3) as actor:
        assert (await actor.refuses("Switch to tab 5")).reason == "not_found"


async def test_history(house: House) -> None:
    async with house.at("/about") as actor:
        await actor.do("Open /products", "Go back")
        assert actor.stage.page.url.endswith("/about")
        await actor.do("Go forward")
        assert actor.stage.page.url.endswith("/products")
        await actor.do("Reload the page")
        assert actor.stage.page.url.endswith("/products")


async def test_waiting(house: House) -> None:
    async with house.at("/late", seconds=1.0) as actor:
        await actor.do('Wait for "Late button"')
        await actor.do('Wait for "Loading"')
        assert (await actor.refuses("Wait 100 seconds")).reason == "not_supported"
    async with house.at("/late", seconds=0.1) as actor:
        refusal = await actor.refuses('Wait for "Godot"')
        assert refusal.reason == "timeout"
        assert "Godot" in refusal.message


async def test_waiting_for_the_end_of_something(house: House) -> None:
    async with house.at("/overlay", seconds=2.0) as actor:
        await actor.stage.page.evaluate(
            "setTimeout(() => document.getElementById('cookies').remove(), 300)"
        )
        await actor.do('Wait until "We use cookies." disappears')
        await actor.do('Click "Buy tea"')
        assert await actor.read() == "bought"
