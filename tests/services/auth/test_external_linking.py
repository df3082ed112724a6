"""Linking an identity with an account from its settings, and unlinking it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.services.auth.conftest import new_address
from tests.services.auth.external_support import (
    Traveller,
    World,
    is_refused,
    left_by,
    new_subject,
    trusting_world,
    verified,
)
from tests.support.postgres import DatabaseServer


@pytest.fixture(scope="module")
async def world(
    database_server: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    async with trusting_world(database_server, tmp_path_factory.mktemp("data")) as world:
        yield world


async def _linking(world: World, browser: Traveller) -> str:
    answer = await browser.post("/auth/doubted/link")
    assert answer.status_code == 200, answer.text
    prefix = f'href="{world.fake.url}/authorize'
    assert prefix in answer.text
    start = answer.text.index(prefix) + len('href="')
    return answer.text[start : answer.text.index('"', start)].replace("&amp;", "&")


async def _linked(world: World, browser: Traveller, subject: str) -> Any:
    left = left_by(await _linking(world, browser))
    return await browser.come_back(world.fake, left, "doubted", sub=subject)


async def test_an_identity_is_linked_from_the_settings(world: World) -> None:
    person, subject = await world.auth.person(), new_subject()
    browser = world.browser()
    await browser.log_in(person)
    answer = await _linked(world, browser, subject)
    assert (answer.status_code, answer.headers["location"]) == (303, "/users/settings")
    assert len(await world.auth.letters(person.email, 2)) == 2
    other = world.browser()
    await other.sign_in(world.fake, "doubted", sub=subject)
    assert await other.account() == person.claims.sub
    # Again is no fault, and no second letter.
    assert (await _linked(world, browser, subject)).status_code == 303
    assert len(await world.auth.letters(person.email, 2)) == 2


async def test_an_identity_of_somebody_else_is_not_taken(world: World) -> None:
    subject = new_subject()
    for expected in (303, 409):
        browser = world.browser()
        await browser.log_in(await world.auth.person())
        assert (await _linked(world, browser, subject)).status_code == expected


async def test_linking_needs_a_form_of_ours_and_the_same_person(world: World) -> None:
    person = await world.auth.person()
    browser = world.browser()
    assert (await browser.post("/auth/doubted/link")).status_code == 401
    await browser.log_in(person)
    for origin in (None, "https://evil.example", "null"):
        for verb in ("link", "unlink"):
            answer = await browser.post(f"/auth/doubted/{verb}", origin=origin)
            assert answer.status_code == 403
    assert (await browser.get("/auth/doubted/link")).status_code in (404, 405)

    left = left_by(await _linking(world, browser))
    before = await world.identities()
    await browser.log_in(await world.auth.person())
    answer = await browser.come_back(world.fake, left, "doubted", sub=new_subject())
    assert answer.status_code == 403
    assert await world.identities() == before


async def test_an_issuer_is_unlinked_while_another_way_is_left(world: World) -> None:
    person, subject = await world.auth.person(), new_subject()
    browser = world.browser()
    await browser.log_in(person)
    await _linked(world, browser, subject)
    answer = await browser.post("/auth/doubted/unlink")
    assert (answer.status_code, answer.headers["location"]) == (303, "/users/settings")
    await is_refused(world, "doubted", sub=subject)

    stranger = world.browser()
    await stranger.sign_in(world.fake, **verified(new_address()))
    answer = await stranger.post("/auth/corp/unlink")
    assert answer.status_code == 409
    assert "Set a password first" in answer.text
