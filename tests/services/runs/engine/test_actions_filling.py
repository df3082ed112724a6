from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from services.runs.engine.grammar.models import UnknownName
from tests.services.runs.engine.acting_support import House, house_in


@pytest_asyncio.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with house_in(tmp_path_factory.mktemp("scratch")) as opened:
        yield opened


async def test_every_kind_of_field_takes_its_value(house: House) -> None:
    async with house.at("/fields") as actor:
        await actor.do(
            'Enter "Ada Lovelace" into "Full name"',
            'Fill "E-mail" with "ada@example.com"',
            'Enter "42" into "Age"',
            'Enter "31.12.1990" into "Birthday"',
            'Type "two lines" into "Notes"',
            'Enter "ab-12" into "Plate"',
            'Select "Portugal" from "Country"',
            'Select "In the shop"',
            'Check "I accept the terms"',
            'Toggle "Gift wrap"',
            'Enter "7" into "Volume"',
            'Enter "With love" into "Message"',
            'Select "Lisbon" from "City"',
            'Select "Medium" from "Size"',
            'Select "Red" from "Colours"',
            'Select "Blue" from "Colours"',
            'Click "Send"',
        )
        assert actor.received() == {
            "full_name": "Ada Lovelace",
            "mail": "ada@example.com",
            "tel": "",
            "age": "42",
            "born": "1990-12-31",
            "site": "",
            "code": "",
            "plate": "AB-12",
            "notes": "two lines",
            "country": "pt",
            "delivery": "shop",
            "terms": "on",
            "wrap": "true",
            "volume": "7",
            "message": "With love",
            "city": "Lisbon",
            "size": "Medium",
            "colours": "Red, Blue",
            "fixed": "C-77",
        }


async def test_values_find_their_fields_by_where_they_come_from(house: House) -> None:
    values = {"email": "grace@example.com", "password": "Hopper-1906!"}
    async with house.at(
        "/signup",
        fixtures=values,
        generators={"email": "unique_email", "password": "password"},
    ) as actor:
        await actor.do("Enter ${email} and ${password}", "Submit the form")
        assert actor.received() == {
            "email": values["email"],
            "password": values["password"],
            "confirm": values["password"],
        }
        assert actor.stage.page.url.endswith("/dashboard")


async def test_values_and_fields_that_do_not_come_out_even_are_refused(house: House) -> None:
    async with house.at("/about", seconds=0.4) as actor:
        refusal = await actor.refuses('Enter "one" and "two" and "three"')
        assert refusal.reason in ("not_found", "ambiguous")
        assert actor.done == []


async def test_a_field_that_does_not_keep_its_value_is_told(house: House) -> None:
    async with house.at("/fields", seconds=1.0) as actor:
        refusal = await actor.refuses('Enter "123456" into "Access code"')
        assert refusal.reason == "not_accepted"
        assert "123456" not in refusal.message
        assert (await actor.refuses('Enter "soon" into "Birthday"')).reason == "not_accepted"
        ambiguous = await actor.refuses('Enter "01/02/1990" into "Birthday"')
        assert ambiguous.reason == "not_accepted"


async def test_fields_that_take_nothing_are_told(house: House) -> None:
    async with house.at("/fields", seconds=0.4) as actor:
        assert (await actor.refuses('Enter "x" into "Voucher"')).reason == "disabled"
        readonly = await actor.refuses('Enter "x" into "Customer number"')
        assert readonly.reason in ("disabled", "not_editable")


async def test_options_that_are_not_offered_are_told(house: House) -> None:
    async with house.at("/fields", seconds=0.5) as actor:
        refusal = await actor.refuses('Select "Atlantis" from "Country"')
        assert refusal.reason == "not_found"
        assert "Portugal" in refusal.message
        assert (await actor.refuses('Select "Gigantic" from "Size"')).reason == "not_found"
        assert (await actor.refuses('Select "Atlantis"')).reason == "not_found"


async def test_a_switch_that_is_as_wanted_is_left_alone(house: House) -> None:
    async with house.at("/fields") as actor:
        await actor.do('Check "I accept the terms"', 'Check "I accept the terms"')
        assert await actor.sees('checkbox "I accept the terms" is checked')
        await actor.do('Uncheck "I accept the terms"')
        assert await actor.sees('checkbox "I accept the terms" is unchecked')
        assert [done.text for done in actor.done] == [
            "Switch “I accept the terms” on",
            "“I accept the terms” is already on",
            "Switch “I accept the terms” off",
        ]


async def test_a_field_is_emptied(house: House) -> None:
    async with house.at("/fields") as actor:
        await actor.do('Enter "Ada" into "Full name"', 'Clear "Full name"')
        assert await actor.sees('field "Full name" is empty')


async def test_a_value_never_becomes_a_command(house: House) -> None:
    hostile = '"Full name" and click "Send"'
    async with house.at("/fields", env={"name": hostile}) as actor:
        await actor.do('Enter ${name} into "Full name"')
        assert [done.tool for done in actor.done] == ["set_field"]
        assert (await actor.judge("value", selector_hint="#full", equals=hostile)).passed


async def test_an_unknown_name_is_never_typed(house: House) -> None:
    async with house.at("/fields") as actor:
        with pytest.raises(UnknownName):
            await actor.do('Enter ${nobody} into "Full name"')
        assert actor.done == []


async def test_secret_values_are_covered_in_pictures(house: House) -> None:
    async with house.at("/fields") as actor:
        actor.scene.secret = True
        await actor.do('Enter "4111 1111" into "Notes"')
        box = await actor.stage.page.locator("#notes").bounding_box()
        assert box is not None
        with Image.open(io.BytesIO(await actor.stage.screenshot())) as picture:
            shown = picture.convert("RGB").getpixel((int(box["x"]) + 15, int(box["y"]) + 15))
        assert shown == (0x7F, 0x7F, 0x7F)
        assert all("4111" not in done.text for done in actor.done)
