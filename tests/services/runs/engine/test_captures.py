from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.runs.engine.checks.capturing import capture
from services.runs.engine.language.models import CapturePhrase
from tests.services.runs.engine.acting_support import House, house_in


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def test_what_stands_beside_a_label(house: House) -> None:
    async with house.at("/receipt") as actor:
        taken = {
            label: await capture(actor.stage, CapturePhrase("beside", label), actor.scene)
            for label in (
                "Invoice number",
                "invoice Number:",
                "Tracking code",
                "Booking reference",
                "Grand total",
                "Items",
                "Points earned",
                "Share link",
                "Nothing at all",
                "",
            )
        }
        assert taken == {
            "Invoice number": "INV-2026-0042",
            "invoice Number:": "INV-2026-0042",
            "Tracking code": "TRK-88X1",
            "Booking reference": "BR7Q2Z",
            "Grand total": "$1,234.50",
            "Items": "3",
            "Points earned": "150",
            "Share link": "https://example.com/r/42",
            "Nothing at all": None,
            "": None,
        }


async def test_patterns_near_words(house: House) -> None:
    async with house.at("/orders/ORD-1001") as actor:
        for phrase, value in (
            (CapturePhrase("number", words=("order", "number")), "ORD-1001"),
            (CapturePhrase("number", words=("order",)), "ORD-1001"),
            (CapturePhrase("total", words=("total",)), "$24.50"),
            (CapturePhrase("price", words=("total",)), "$24.50"),
            (CapturePhrase("email", words=("contact",)), None),
        ):
            assert await capture(actor.stage, phrase, actor.scene) == value, phrase


async def test_words_of_a_suite(house: House) -> None:
    async with house.at("/orders/ORD-1001") as actor:
        assert await actor.take("the order number") == "ORD-1001"
        assert await actor.take('the text next to "Total"') == "$24.50"
        assert await actor.take("the page URL") == actor.stage.page.url
        assert await actor.take("the page title") == "Order · Teahouse"


async def test_two_values_are_no_value(house: House) -> None:
    async with house.at("/orders") as actor:
        phrase = CapturePhrase("number", words=("order",))
        assert await capture(actor.stage, phrase, actor.scene) is None


async def test_a_password_is_not_taken_out_of_its_field(house: House) -> None:
    async with house.at("/login") as actor:
        await actor.do('Enter "hunter22" into "Password"')
        phrase = CapturePhrase("beside", "Password")
        assert await capture(actor.stage, phrase, actor.scene) is None


async def test_a_hostile_label_is_only_text(house: House) -> None:
    async with house.at("/receipt") as actor:
        for label in ("a') , html , ('", '"], html', "(((", "\\", "x" * 5000, "\x00"):
            phrase = CapturePhrase("beside", label)
            assert await capture(actor.stage, phrase, actor.scene) is None
