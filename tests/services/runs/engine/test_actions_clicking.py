from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runs.engine.actions import perform
from services.runs.engine.actions.models import MOST_ACTIONS, Found, Impossible, Scene
from services.runs.engine.browser.stage import Stage
from services.runs.engine.language.models import Press
from services.runs.engine.resolver.models import Wanted
from tests.services.runs.engine.acting_support import House, house_in


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def test_a_quoted_button_is_clicked_and_told(house: House) -> None:
    async with house.at("/late") as actor:
        await actor.do('Click "Load more"')
        assert await actor.read("#state") == "Loaded"
        (done,) = actor.done
        assert (done.tool, done.text, done.ok) == ("click_element", "Click “Load more”", True)
        assert done.candidate is not None
        assert done.candidate.role == "button"


async def test_what_is_not_there_yet_is_waited_for(house: House) -> None:
    async with house.at("/late") as actor:
        await actor.do('Click "Late button"')
        assert await actor.read("#state") == "Late click"


async def test_two_equal_buttons_are_ambiguous_and_neither_is_clicked(house: House) -> None:
    async with house.at("/twins", seconds=0.5) as actor:
        refusal = await actor.refuses('Click "Order"')
        assert refusal.reason == "ambiguous"
        assert [one.candidate.name for one in refusal.candidates[:2]] == ["Order", "Order"]
        assert actor.done == []
        assert await actor.read() == "nothing yet"


async def test_what_stands_around_tells_equal_buttons_apart(house: House) -> None:
    async with house.at("/twins") as actor:
        await actor.do('Click "Order" under "Cocoa"')
        assert await actor.read() == "cocoa"
    async with house.at("/orders") as actor:
        await actor.do('Click "Details" in the row containing "ORD-1002"')
        assert await actor.read("#shown") == "Details of ORD-1002"


async def test_an_overlay_that_takes_the_click_is_named(house: House) -> None:
    async with house.at("/overlay", seconds=1.0) as actor:
        refusal = await actor.refuses('Click "Buy tea"')
        assert refusal.reason == "covered"
        assert "Cookies" in refusal.message
        assert await actor.read() == "nothing yet"
        assert [one.ok for one in actor.done] == [False]
        await actor.do('Click "Accept cookies"', 'Click "Buy tea"')
        assert await actor.read() == "bought"


async def test_what_is_disabled_or_absent_is_said_so(house: House) -> None:
    async with house.at("/fields", seconds=0.4) as actor:
        assert (await actor.refuses('Click "Archive"')).reason == "disabled"
        missing = await actor.refuses('Click "Launch the rocket"')
        assert missing.reason == "not_found"
        assert "Launch the rocket" in missing.message


async def test_pointer_and_keys(house: House) -> None:
    async with house.at("/pointer") as actor:
        await actor.do('Hover over "Tea leaf"')
        assert await actor.read() == "hovered"
        await actor.do('Double-click "Tea leaf"')
        assert await actor.read() == "double"
        await actor.do('Right-click "Tea leaf"')
        assert await actor.read() == "context"
        await actor.do('Focus the "Keys" field', "Press Escape")
        assert await actor.read() == "key Escape"
        await actor.do("Press Ctrl+A")
        assert await actor.read() == "key Ctrl+A"
        await actor.do('Drag "Stone" to "Pot"')
        assert await actor.read() == "dropped stone"


async def test_scrolling(house: House) -> None:
    async with house.at("/long") as actor:
        await actor.do("Scroll down")
        assert await actor.stage.page.evaluate("scrollY") > 100
        await actor.do("Scroll to the top")
        assert await actor.stage.page.evaluate("scrollY") == 0
        await actor.do("Scroll to the bottom")
        assert await actor.stage.page.evaluate("scrollY") > 3000
        await actor.do("Scroll to the top", 'Click "At the end"')
        assert await actor.read() == "reached the end"


async def test_frames_and_shadow_roots(house: House) -> None:
    async with house.at("/frames") as actor:
        await actor.do('Enter "Ada" into "Nickname"', 'Click "Keep"')
        assert actor.received() == {"nickname": "Ada"}
        await actor.do('Enter "4111" into "Card number"', 'Click "Pay"')
        await actor.has_received({"card": "4111"})
    async with house.at("/shadow") as actor:
        await actor.do('Enter "Rua 1" into "Street"', 'Click "Store street"')
        assert await actor.read() == "open: Rua 1"
        await actor.do('Enter "1100" into "Postcode"', 'Click "Store postcode"')
        assert await actor.read() == "closed: 1100"


async def test_a_step_has_twelve_actions(house: House) -> None:
    async with house.at("/late") as actor:
        actor.scene.actions = MOST_ACTIONS - 1
        await perform(actor.stage, Press("Escape"), actor.scene)
        with pytest.raises(Impossible) as refused:
            await perform(actor.stage, Press("Escape"), actor.scene)
        assert refused.value.reason == "too_many_actions"
        assert len(actor.done) == 1


async def test_whoever_stops_the_run_stops_it_before_the_next_action(house: House) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    async with house.at("/late") as actor:
        actor.scene.check = stop
        with pytest.raises(Stopped):
            await actor.do('Click "Load more"')
        assert actor.done == []
        assert await actor.read("#state") == "Loading"


async def test_finding_goes_through_the_hook(house: House) -> None:
    async with house.at("/twins") as actor:
        asked: list[tuple[str, str]] = []

        async def first(stage: Stage, wanted: Wanted, scene: Scene) -> Found:
            asked.append((wanted.verb, wanted.target.text))
            reading = await stage.read()
            named = [one for one in reading.candidates if one.name == "Order"]
            return Found(named[0], "cache", 100.0)

        actor.scene.locate = first
        await actor.do('Click "Order"')
        assert asked == [("click", "Order")]
        assert await actor.read() == "coffee"
        assert actor.done[0].source == "cache"
