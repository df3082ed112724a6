from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.runs.engine.checks.judging import holds_now, judge
from services.runs.engine.checks.models import Undecidable
from services.runs.engine.grammar.models import Check, UnknownName
from shared.targets import TargetPolicy
from tests.services.runs.engine.acting_support import Actor, House, house_in
from tests.support.shop import EMAIL, PASSWORD


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def holds(actor: Actor, kind: str, **parameters: Any) -> bool:
    """Judge at once, and see that its opposite is judged the other way round."""
    passed = (await actor.judge(kind, 0.0, **parameters)).passed
    if kind != "absent_text":
        turned = (await actor.judge(kind, 0.0, **parameters, **{"not": True})).passed
        assert turned != passed
    return passed


async def test_addresses(house: House) -> None:
    async with house.at("/products/cup?x=1") as actor:
        assert await holds(actor, "url", path_is="/products/cup")
        assert await holds(actor, "url", path_is="/products/cup/")
        assert await holds(actor, "url", path_is="/products/cup?x=1")
        assert not await holds(actor, "url", path_is="/products")
        assert not await holds(actor, "url", path_is="/Products/cup")
        assert await holds(actor, "url", contains="cup?x")
        assert not await holds(actor, "url", contains="cup", path_is="/cup")
        assert await holds(actor, "url", equals=f"{house.served.url}/products/cup?x=1")
        assert await holds(actor, "title", contains="Product")
        assert not await holds(actor, "title", equals="Product")


async def test_texts_are_compared_by_case_with_blanks_collapsed(house: House) -> None:
    async with house.at("/hidden") as actor:
        assert await holds(actor, "visible_text", contains="Two words over lines")
        assert await holds(actor, "visible_text", contains="Two  words\nover")
        assert not await holds(actor, "visible_text", contains="two words")
        assert await holds(actor, "visible_text", contains="two words", ignore_case=True)
        assert await holds(actor, "visible_text", all_of=("Plainly", "Two words"))
        assert not await holds(actor, "visible_text", all_of=("Plainly", "Three words"))
        assert await holds(actor, "visible_text", any_of=("Plainly", "Three words"))


async def test_hidden_text_never_counts(house: House) -> None:
    async with house.at("/hidden") as actor:
        assert not await holds(actor, "visible_text", contains="Secret by")
        assert await holds(actor, "absent_text", any_of=("secret by", "SECRET"))
        assert not await holds(actor, "absent_text", any_of=("nothing", "PLAINLY HERE"))
        assert not await holds(actor, "element_visible", selector_hint="#later")
        hidden = await actor.judge("visible_text", contains="Now", selector_hint="#later")
        assert (hidden.passed, hidden.observed) == (False, "#later was not found")
        await actor.do('Click "Reveal"')
        assert await holds(actor, "element_visible", selector_hint="#later")
        assert await holds(actor, "visible_text", equals="Now you see it.", selector_hint="#later")


async def test_the_text_beside_a_label(house: House) -> None:
    async with house.at("/orders/ORD-1001") as actor:
        hint = 'the text next to "total"'
        assert await holds(actor, "visible_text", selector_hint=hint, equals="$24.50")
        assert not await holds(actor, "visible_text", selector_hint=hint, equals="$24")
        with pytest.raises(Undecidable) as refused:
            await actor.judge(
                "visible_text", 0.0, selector_hint='the text next to "Tax"', equals="1"
            )
        assert refused.value.reason == "not_found"


async def test_text_in_another_region_does_not_count(house: House) -> None:
    async with house.at("/regions") as actor:
        assert await holds(actor, "visible_text", contains="Balance", selector_hint="sidebar")
        assert not await holds(actor, "visible_text", contains="Balance", selector_hint="#content")
        assert await holds(actor, "visible_text", contains="Balance", selector_hint="aside")
        assert not await holds(actor, "visible_text", contains="Nothing due", selector_hint="aside")
        assert await holds(actor, "absent_text", any_of=("Balance",), selector_hint="#content")
        missing = await actor.judge("visible_text", contains="Lisbon", selector_hint="#nowhere")
        assert not missing.passed
        # What is not there proves nothing about its text.
        absent = await actor.judge("absent_text", any_of=("x",), selector_hint="#nowhere")
        assert not absent.passed


async def test_a_check_waits_for_what_is_about_to_come(house: House) -> None:
    async with house.at("/late") as actor:
        judged = await actor.judge("visible_text", 5.0, contains="Late button")
        assert judged.passed


async def test_notices_that_vanished_still_count_as_shown(house: House) -> None:
    async with house.at("/toasts") as actor:
        await actor.do('Click "Save draft"', 'Click "Copy link"', 'Click "Break it"')
        gone = "(document.querySelectorAll('.toast').length === 0)"
        await actor.stage.page.wait_for_function(gone)
        assert await actor.sees('A toast says "Draft saved"', 0.0)
        assert await actor.sees('"Link copied" is shown', 0.0)
        assert await actor.sees("An error is shown", 0.0)
        assert (await actor.judge("absent_text", any_of=("Draft saved",))).passed
        assert not (await actor.judge("visible_text", contains="Draft deleted")).passed


async def test_notices_of_an_earlier_case_do_not_count(house: House) -> None:
    async with house.at("/toasts") as actor:
        await actor.do('Click "Save draft"')
        assert await actor.sees('"Draft saved" is shown')
        actor.scene.mark = await actor.stage.mark()
        await actor.stage.page.wait_for_function("!document.querySelector('.toast')")
        assert not await actor.sees('"Draft saved" is shown', 0.0)


async def test_states_of_elements(house: House) -> None:
    async with house.at("/fields") as actor:
        assert await holds(actor, "value", selector_hint="Customer number", equals="C-77")
        assert await holds(actor, "value", selector_hint="#full", equals="")
        assert await holds(actor, "value", selector_hint="Country", equals="Choose…")
        assert await holds(actor, "disabled", selector_hint='the "Archive" button')
        assert not await holds(actor, "enabled", selector_hint="#closed")
        assert await holds(actor, "enabled", selector_hint='the "Send" button')
        assert not await holds(actor, "checked", selector_hint="I accept the terms")
        assert not await holds(actor, "checked", selector_hint="#wrap")
        await actor.do('Toggle "Gift wrap"', 'Select "France" from "Country"')
        assert await holds(actor, "checked", selector_hint="#wrap")
        assert await holds(actor, "value", selector_hint="Country", equals="France")
        assert await holds(actor, "value", selector_hint="#country", equals="fr")
        assert await holds(actor, "attribute", selector_hint="#full", name="required")
        assert not await holds(actor, "attribute", selector_hint="#mail", name="required")


async def test_what_is_missing_has_no_state_either_way(house: House) -> None:
    async with house.at("/about") as actor:
        for kind in ("enabled", "disabled", "checked"):
            for turned in (False, True):
                more = {"not": True} if turned else {}
                assert not (await actor.judge(kind, 0.0, selector_hint="#gone", **more)).passed
        assert not await holds(actor, "element_visible", selector_hint="#gone")


async def test_equal_elements_are_never_guessed_between(house: House) -> None:
    async with house.at("/twins") as actor:
        with pytest.raises(Undecidable) as undecided:
            await actor.judge("enabled", 0.0, selector_hint='the "Order" button')
        assert undecided.value.reason == "ambiguous"
        assert await holds(actor, "element_visible", selector_hint='the "Order" button')
        assert await holds(actor, "count", selector_hint='the "Order" button', equals=2)


async def test_counting(house: House) -> None:
    async with house.at("/orders") as actor:
        shown = len(house.served.shop.orders)
        assert await holds(actor, "count", selector_hint="rows", equals=shown)
        assert await holds(actor, "count", selector_hint="tbody tr", at_least=shown)
        assert not await holds(actor, "count", selector_hint="tbody tr", at_most=shown - 1)
        assert await holds(actor, "count", selector_hint="#nothing", equals=0)
        assert (await actor.judge("count", selector_hint="rows", equals=str(shown))).passed
        open_ones = sum(order.status == "Open" for order in house.served.shop.orders)
        assert await holds(actor, "count", selector_hint='rows containing "Open"', equals=open_ones)
        assert await holds(actor, "count", selector_hint='row for "ORD-1001"', equals=1)
        assert not await holds(actor, "count", selector_hint='row for "ORD-1001"', equals=0)
        assert await holds(actor, "count", selector_hint='row for "ORD-9"', equals=0)
        within = 'rows containing "ORD-1001" in the "Orders" table'
        assert await holds(actor, "count", selector_hint=within, equals=1)
        with pytest.raises(Undecidable):
            await actor.judge("count", selector_hint="rows", equals="many")


async def test_links(house: House) -> None:
    async with house.at("/about") as actor:
        hint = "footer a"
        assert await holds(actor, "attribute", selector_hint=hint, name="href", equals="/about")
        whole = f"{house.served.url}/about"
        assert await holds(actor, "attribute", selector_hint=hint, name="href", equals=whole)


async def test_requests_and_console(house: House) -> None:
    async with house.at("/trouble") as actor:
        assert await holds(actor, "no_console_errors")
        assert not await holds(actor, "request", url="/api/fail")
        await actor.do('Click "Ask the broken server"')
        assert await holds(actor, "request", method="post", url="/api/fail", status=500)
        assert not await holds(actor, "request", method="GET", url="/api/fail")
        assert not await holds(actor, "request", url="/api/fail", status=200)
        await actor.do('Click "Log an error"')
        assert not await holds(actor, "no_console_errors")
        assert await actor.sees("An error is shown")


async def test_who_is_logged_in(house: House) -> None:
    values = {"email": EMAIL, "password": PASSWORD}
    async with house.at("/login", env=values) as actor:
        assert not await holds(actor, "logged_in")
        assert not await holds(actor, "error_shown")
        await actor.do('Enter "${email}" into "Email" and "wrong" into "Password"')
        await actor.do("Submit the form")
        assert await holds(actor, "error_shown")
        await actor.do("Log in with ${email} and ${password}")
        assert await holds(actor, "logged_in")


async def test_texts_in_frames_and_shadow_roots(house: House) -> None:
    async with house.at("/frames") as actor:
        assert (await actor.judge("visible_text", 5.0, contains="Inner text of the far")).passed
    async with house.at("/shadow") as actor:
        assert await actor.sees('"Inside the open root." is shown')
        assert await actor.sees('"Inside the closed root." is shown')


async def test_values_are_put_in_and_unknown_names_are_told(house: House) -> None:
    async with house.at("/hidden", env={"word": "Plainly", "css": "#later"}) as actor:
        assert await holds(actor, "visible_text", contains="${word} here")
        assert not await holds(actor, "element_visible", selector_hint="${css}")
        with pytest.raises(UnknownName):
            await actor.judge("visible_text", contains="${nobody}")


async def test_a_selector_that_is_none_is_told(house: House) -> None:
    async with house.at("/hidden") as actor:
        for hint in ("#a >> text=Plainly", "div:::nonsense"):
            with pytest.raises(Undecidable) as undecided:
                await actor.judge("element_visible", 0.0, selector_hint=hint)
            assert undecided.value.reason == "not_readable"


async def test_an_api_is_asked_within_the_policy(house: House) -> None:
    async with house.at() as actor:
        asked: dict[str, Any] = {"url": "/api/ok", "json_path": "$.method", "method": "POST"}
        assert (await actor.judge("api", **asked, equals="POST")).passed
        assert not (await actor.judge("api", **asked, equals="GET")).passed
        assert not (await actor.judge("api", url="/api/fail")).passed
        assert (await actor.judge("api", url="/api/fail", status=500)).passed
    async with house.at(policy=TargetPolicy(allow_private=False)) as actor:
        with pytest.raises(Undecidable) as undecided:
            await actor.judge("api", url="/api/ok")
        assert undecided.value.reason == "url_not_allowed"


async def test_pictures_need_somewhere_to_be_kept(house: House) -> None:
    class Kept:
        def __init__(self) -> None:
            self.pictures: dict[str, bytes] = {}

        async def compare(self, name: str, picture: bytes, tol: float | None) -> tuple[bool, str]:
            return self.pictures.setdefault(name, picture) == picture, f"tol {tol}"

    async with house.at("/about") as actor:
        check = Check("screenshot", {"name": "about", "tol": 0.5})
        with pytest.raises(Undecidable) as undecided:
            await judge(actor.stage, check, actor.scene)
        assert undecided.value.reason == "no_baselines"
        judged = await judge(actor.stage, check, actor.scene, baselines=Kept())
        assert (judged.passed, judged.observed) == (True, "tol 0.5")


async def test_what_holds_already(house: House) -> None:
    async with house.at("/hidden") as actor:

        async def already(kind: str, **parameters: Any) -> bool:
            return await holds_now(actor.stage, Check(kind, parameters), actor.scene)

        assert await already("visible_text", contains="Plainly")
        assert not await already("visible_text", contains="Nowhere")
        assert not await already("api", url="/api/ok")
        assert not await already("element_visible", selector_hint="a >> b")


async def test_what_was_expected_and_seen_is_said(house: House) -> None:
    async with house.at("/hidden", env={"word": "Plums"}) as actor:
        judged = await actor.judge("visible_text", contains="${word}", selector_hint="h1")
        assert (judged.expected, judged.observed) == ("the text “Plums” in h1", "the text “Hidden”")
        judged = await actor.judge("visible_text", contains="Hidden", **{"not": True})
        assert judged.expected == "not: the text “Hidden”"
        judged = await actor.judge("absent_text", any_of=("plainly here",))
        assert "Plainly here" in judged.observed or "plainly here" in judged.observed
