from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runs.engine.actions import perform
from services.runs.engine.actions.locating import by_rules
from services.runs.engine.actions.models import Found, Impossible
from services.runs.engine.browser.models import Reading
from services.runs.engine.language.models import Click, Target
from services.runs.engine.resolver.models import Wanted
from tests.services.runs.engine.acting_support import House, house_in


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


def named(reading: Reading, name: str) -> Found | None:
    found = [one for one in reading.candidates if one.name == name and one.role == "button"]
    return Found(found[0], "cache", 75.0) if found else None


async def test_what_is_remembered_comes_before_the_rules(house: House) -> None:
    async with house.at("/trouble") as actor:
        wanted = Wanted(Target("Throw", quoted=True), "click")
        found = await by_rules(
            actor.stage, wanted, actor.scene, look=lambda reading: named(reading, "Log an error")
        )
        assert (found.candidate.name, found.source) == ("Log an error", "cache")


async def test_weak_signals_wait_for_a_page_that_still_loads(house: House) -> None:
    async with house.at("/late") as actor:
        wanted = Wanted(Target("Late button", quoted=True), "click")
        found = await by_rules(
            actor.stage, wanted, actor.scene, rescue=lambda reading: named(reading, "Load more")
        )
        assert (found.candidate.name, found.source) == ("Late button", "rule")


async def test_weak_signals_are_taken_where_the_rules_find_nothing(house: House) -> None:
    async with house.at("/late") as actor:
        wanted = Wanted(Target("Fetch the rest", quoted=True), "click")
        found = await by_rules(
            actor.stage,
            wanted,
            actor.scene,
            rescue=lambda reading: named(reading, "Load more"),
            patience=0.2,
        )
        assert (found.candidate.name, found.source) == ("Load more", "cache")


async def test_the_second_generation_is_understood(house: House) -> None:
    async with house.at("/signup?gen=2") as actor:
        await actor.do('Enter "new@example.com" into "Email"')
        await actor.do('Enter "Secret-123!" into "Password"')
        await actor.do('Enter "Secret-123!" into "Confirm password"')
        await actor.do('Click the "Sign up" button')
        assert actor.stage.page.url.endswith("/dashboard")


async def test_an_element_that_is_drawn_anew_is_found_again(house: House) -> None:
    async with house.at("/twins") as actor:
        reading = await actor.stage.read()
        (cocoa,) = [one for one in reading.candidates if one.groups[:1] == ("Cocoa",)][-1:]
        await actor.stage.page.evaluate("document.querySelector('main').innerHTML += ' '")

        async def stale(*_: object) -> Found:
            return Found(cocoa, "rule", 100.0)

        actor.scene.locate = stale
        await perform(actor.stage, Click(Target("Order")), actor.scene)
        assert await actor.read() == "cocoa"


async def test_an_element_that_is_gone_is_told(house: House) -> None:
    async with house.at("/twins") as actor:
        found = named(await actor.stage.read(), "Order")
        assert found is not None
        await actor.stage.page.evaluate("document.querySelector('main').innerHTML = ''")

        async def stale(*_: object) -> Found:
            return found

        actor.scene.locate = stale
        with pytest.raises(Impossible) as refused:
            await perform(actor.stage, Click(Target("Order")), actor.scene)
        assert refused.value.reason == "not_found"
