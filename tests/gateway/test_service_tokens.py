"""Tokens that a service signed itself: passed on for reading, without a name, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.route_table import ROUTES, RouteTable
from shared.principal import Kind
from tests.gateway.conftest import House, house

OWN = "art_eyJvIjoib3JnXzEifQ.c2lnbmF0dXJl"
PATH = "/api/v1/artifacts/run_1/a.png"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_the_service_gets_its_own_token_and_nobodys_name(home: House, method: str) -> None:
    target = f"{PATH}?token={OWN}&x=1"
    answer = await home.client.request(method, target)
    assert answer.status_code == 200
    assert home.services["runs"].asked[-1].target == target
    assert home.principal("runs").kind is Kind.ANONYMOUS


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_it_opens_nothing_but_reading(home: House, method: str) -> None:
    assert (await home.client.request(method, f"{PATH}?token={OWN}")).status_code == 401
    assert not home.services["runs"].asked


@pytest.mark.parametrize(
    "target",
    [
        f"{PATH}?token={OWN}&token={OWN}",
        f"{PATH}?token=x{OWN}",
        f"{PATH}?token=ART_x",
        f"{PATH}?Token={OWN}",
        f"{PATH}?ticket={OWN}",
        f"/api/v1/runs?token={OWN}",
        f"/v1/learnings?token={OWN}",
        f"/api/v0/agents?token={OWN}",
    ],
)
async def test_it_opens_no_other_door(home: House, target: str) -> None:
    assert (await home.client.get(target)).status_code == 401


async def test_it_is_no_bearer_token(home: House) -> None:
    headers = {"authorization": f"Bearer {OWN}"}
    assert (await home.client.get(PATH, headers=headers)).status_code == 401


async def test_a_person_keeps_the_name_beside_it(home: House) -> None:
    answer = await home.client.get(f"{PATH}?token={OWN}", headers=home.bearer())
    assert answer.status_code == 200
    assert home.principal("runs").subject == "usr_1"


async def test_it_opens_while_auth_is_away() -> None:
    async with house() as home:
        await home.auth.stop()
        assert (await home.client.get(f"{PATH}?token={OWN}")).status_code == 200


async def test_it_is_counted_by_address(home: House) -> None:
    answer = await home.client.get(f"{PATH}?token={OWN}")
    assert int(answer.headers["x-ratelimit-limit"]) > 0


def test_own_tokens_stand_in_the_query() -> None:
    row = ROUTES.find(PATH)
    assert row is not None
    with pytest.raises(ValueError, match="query"):
        RouteTable((replace(row, takes_query_token=False),), ())
