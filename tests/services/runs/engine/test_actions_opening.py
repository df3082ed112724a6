from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runs.engine.actions import log_in, open_address
from services.runs.engine.actions.concepts import address_in, concept_of, is_at
from services.runs.engine.actions.models import Impossible
from services.runs.engine.grammar.models import Login
from tests.services.runs.engine.acting_support import House, house_in
from tests.support.shop import EMAIL, PASSWORD


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def test_paths_and_addresses_are_gone_to(house: House) -> None:
    async with house.at() as actor:
        await actor.do("Open /products")
        assert actor.stage.page.url == f"{house.served.url}/products"
        await actor.do(f"Go to {house.served.other}/about")
        assert actor.stage.page.url == f"{house.served.other}/about"
        assert [done.tool for done in actor.done] == ["goto", "goto"]


async def test_only_web_addresses_are_opened(house: House) -> None:
    async with house.at() as actor:
        for address in ("file:///etc/passwd", "javascript:alert(1)", "data:text/html,hi"):
            with pytest.raises(Impossible) as refused:
                await open_address(actor.stage, address, actor.scene)
            assert refused.value.reason == "url_not_allowed"


async def test_a_page_cannot_say_where_a_step_goes(house: House) -> None:
    async with house.at() as actor:
        actor.captures["link"] = f"{house.served.other}/about"
        assert (await actor.refuses('Open "${link}"')).reason == "url_not_allowed"
        actor.captures["link"] = f"{house.served.url}/about"
        await actor.do('Open "${link}"')
        assert actor.stage.page.url.endswith("/about")


async def test_the_author_may_name_another_site_by_a_variable(house: House) -> None:
    async with house.at(env={"DOCS": house.served.other}) as actor:
        await actor.do("Open ${DOCS}/about")
        assert actor.stage.page.url == f"{house.served.other}/about"


async def test_an_address_without_an_answer_is_told(house: House) -> None:
    async with house.at() as actor:
        refusal = await actor.refuses("Open http://127.0.0.1:1/")
        assert refusal.reason == "unreachable"


async def test_where_we_are_already_nothing_is_done(house: House) -> None:
    async with house.at("/signup") as actor:
        await actor.do("Open the sign-up page", "Open the registration page")
        assert {done.tool for done in actor.done} == {"read_dom"}


async def test_words_lead_by_a_link(house: House) -> None:
    async with house.at() as actor:
        await actor.do("Open the sign up page")
        assert actor.stage.page.url.endswith("/signup")
        assert [done.tool for done in actor.done] == ["click_element"]
        await actor.do("Go to the cart")
        assert actor.stage.page.url.endswith("/cart")


async def test_words_lead_through_a_closed_menu(house: House) -> None:
    async with house.at("/tabs") as actor:
        await actor.do("Open the receipts page")
        assert actor.stage.page.url.endswith("/receipt")
        assert actor.done[0].text.startswith("Open the menu")


async def test_words_lead_by_a_link_of_the_start_page(house: House) -> None:
    async with house.at("/inner") as actor:
        await actor.do("Open the orders page")
        assert actor.stage.page.url.endswith("/orders")


async def test_words_lead_to_a_usual_path(house: House) -> None:
    async with house.at("/inner") as actor:
        await actor.do("Open the downloads page")
        assert actor.stage.page.url.endswith("/downloads")


async def test_words_that_lead_nowhere_leave_us_where_we_were(house: House) -> None:
    async with house.at("/products", seconds=0.4) as actor:
        refusal = await actor.refuses("Open the warp drive page")
        assert refusal.reason == "not_found"
        assert actor.stage.page.url.endswith("/products")


async def test_a_step_logs_in_from_anywhere(house: House) -> None:
    async with house.at(env={"email": EMAIL, "password": PASSWORD}) as actor:
        await actor.do("Log in with ${email} and ${password}")
        assert actor.stage.page.url.endswith("/dashboard")
        assert await actor.sees("The user is logged in")
        await actor.do('Click "Log out"')
        assert not await actor.sees("The user is logged in", 0.3)


async def test_a_wrong_log_in_of_a_step_is_no_obstacle(house: House) -> None:
    async with house.at("/login", env={"email": EMAIL, "password": "wrong-1"}) as actor:
        await actor.do("Log in with ${email} and ${password}")
        assert await actor.sees("An error is shown")


async def test_the_account_of_a_suite_must_be_taken(house: House) -> None:
    async with house.at(seconds=1.0) as actor:
        await log_in(actor.stage, Login(EMAIL, PASSWORD), actor.scene)
        assert actor.stage.page.url.endswith("/dashboard")
    async with house.at(seconds=1.0) as actor:
        with pytest.raises(Impossible) as refused:
            await log_in(actor.stage, Login(EMAIL, "wrong-1", "/login"), actor.scene)
        assert refused.value.reason == "login_failed"
        assert "wrong-1" not in refused.value.message


async def test_search_and_submit(house: House) -> None:
    async with house.at() as actor:
        await actor.do('Search for "teapot"')
        assert actor.stage.page.url.endswith("/search?q=teapot")
        assert await actor.sees('"Blue Teapot" is shown')


async def test_the_policy_closes_addresses(house: House) -> None:
    async with house.at() as actor:
        refusal = await actor.refuses("Open http://169.254.169.254/latest/meta-data/")
        assert refusal.reason == "url_not_allowed"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("/a/b?c", "http://shop.test/a/b?c"),
        ("https://x.test/", "https://x.test/"),
        ("sign up", None),
        ("the home page", None),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("localhost:3000/x", "http://localhost:3000/x"),
    ],
)
def test_addresses_are_told_from_words(text: str, address: str | None) -> None:
    assert address_in(text, "http://shop.test") == address


def test_a_page_is_known_by_path_or_title() -> None:
    sign_up = concept_of("the sign-up page")
    assert is_at(sign_up, "http://shop.test/register", "", ())
    assert is_at(sign_up, "http://shop.test/x", "Create account · Shop", ())
    assert not is_at(sign_up, "http://shop.test/", "Shop", ())
