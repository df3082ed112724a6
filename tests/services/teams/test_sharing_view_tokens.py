"""Tokens to look at a team's page (teams contract, sections 4 and 4.3)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.teams.app import SERVICE
from services.teams.settings import TeamsSettings
from services.teams.sharing import rules
from services.teams.sharing.operations import read_view_token
from shared.secret import decode_base64url, encode_base64url
from tests.services.teams.conftest import FakeAuth, Machine, teams_settings
from tests.services.teams.sharing_support import (
    MANY,
    NO_MEMBER,
    NOT_OBJECTS,
    UNKNOWN_TEAM,
    Sql,
    delete_softly,
    twin_of,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

PATH = "/api/teams/view-token"
KEY = bytes(range(32))
NOW = 1_800_000_000
GOOD = rules.view_token(KEY, UNKNOWN_TEAM, NOW + 60)


@pytest.fixture(scope="module")
async def replica(urls: DatabaseUrls, auth_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A second process' worth of the service, on the same database."""
    async with client_of(SERVICE, teams_settings(urls, auth_url)) as client:
        yield client


@pytest.fixture(scope="module")
def key(urls: DatabaseUrls, auth_url: str) -> bytes:
    """Under which the running service signs."""
    settings = teams_settings(urls, auth_url)
    assert isinstance(settings, TeamsSettings)
    return settings.key_for_view_tokens()


def signed(text: str, key: bytes = KEY) -> str:
    signature = encode_base64url(hmac.digest(key, text.encode(), hashlib.sha256))
    return encode_base64url(f"{text}|{signature}".encode())


async def test_a_token_is_made_as_the_contract_has_it(machine: Machine, key: bytes) -> None:
    made = await machine.make()
    answer = await machine.post(PATH, {"token": machine.token, "ttl_hours": 2})
    told = answer.json()
    assert (answer.status_code, set(told)) == (200, {"view_token", "team_id", "expires_at"})
    assert answer.headers["cache-control"] == "no-store"
    assert told["team_id"] == made["id"]
    team_id, expires, signature = decode_base64url(told["view_token"]).decode().split("|")
    assert team_id == made["id"]
    assert abs(int(expires) - time.time() - 7200) < 60
    assert told["expires_at"].endswith("Z")
    assert datetime.fromisoformat(told["expires_at"]) == datetime.fromtimestamp(int(expires), UTC)
    mac = hmac.digest(key, f"{team_id}|{expires}".encode(), hashlib.sha256)
    assert decode_base64url(signature) == mac
    assert read_view_token(key, told["view_token"], time.time()) == made["id"]


@pytest.mark.parametrize(
    ("ttl", "hours"), [({"ttl_hours": 999}, 168), ({}, 24), ({"ttl_hours": "x"}, 24)]
)
async def test_hours_are_read_as_for_invitations(
    machine: Machine, ttl: dict[str, Any], hours: int
) -> None:
    await machine.make()
    told = (await machine.post(PATH, ttl)).json()
    left = datetime.fromisoformat(told["expires_at"]).timestamp() - time.time()
    assert abs(left - hours * 3600) < 60


async def test_only_members_get_one(machine: Machine, stranger: Machine, sql: Sql) -> None:
    made = await machine.make()
    bodies: list[dict[str, Any]] = [{}, {"team_id": made["id"]}, {"team_id": UNKNOWN_TEAM}]
    for body in bodies:
        refused = await stranger.post(PATH, body)
        assert (refused.status_code, refused.json()) == (403, NO_MEMBER)
    odd: list[Any] = ["nonsense", 7, [], {}]
    for team_id in odd:
        refused = await machine.post(PATH, {"team_id": team_id})
        assert (refused.status_code, refused.json()) == (404, {"error": "not_found"})
    two = await machine.make("Two")
    refused = await machine.post(PATH, {})
    assert (refused.status_code, refused.json()) == (409, MANY)
    assert (await machine.post(PATH, {"team_id": two["id"]})).json()["team_id"] == two["id"]
    await delete_softly(sql, two["id"])
    assert (await machine.post(PATH, {"team_id": two["id"]})).json() == NO_MEMBER


async def test_no_question_is_asked_of_auth(machine: Machine, auth: FakeAuth) -> None:
    await machine.make()
    auth.is_away = True
    try:
        assert (await machine.post(PATH, {})).status_code == 200
    finally:
        auth.is_away = False


async def test_a_repeat_is_answered_the_same(machine: Machine, replica: httpx.AsyncClient) -> None:
    await machine.make()
    signature = machine.signature()
    first = await machine.post(PATH, {}, signature=signature)
    again = await twin_of(machine, replica).post(PATH, {}, signature=signature)
    assert again.headers["idempotent-replay"] == "true"
    assert again.content == first.content


@pytest.mark.parametrize("body", NOT_OBJECTS, ids=lambda body: repr(body[:12]))
async def test_what_is_no_object_is_refused(machine: Machine, body: bytes) -> None:
    assert (await machine.send("POST", PATH, content=body)).status_code == 400


def test_a_token_ends_at_its_second() -> None:
    assert read_view_token(KEY, GOOD, NOW) == UNKNOWN_TEAM
    assert read_view_token(KEY, GOOD, NOW + 59.9) == UNKNOWN_TEAM
    assert read_view_token(KEY, GOOD, NOW + 60) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        GOOD + "=",
        GOOD + "A",
        GOOD[:-1],
        GOOD + "\n",
        " " + GOOD,
        "\u0661" + GOOD,
        "\ud800",
        "A" * 1_000_000,
        encode_base64url(b"\xff|1|x"),
        encode_base64url(b"||"),
        encode_base64url(b"a|b|c|d"),
        signed(f"{UNKNOWN_TEAM}|0{NOW + 60}"),
        signed(f"{UNKNOWN_TEAM}|+{NOW + 60}"),
        signed(f"{UNKNOWN_TEAM}| {NOW + 60}"),
        signed(f"{UNKNOWN_TEAM}|{NOW + 60}.0"),
        signed(f"{UNKNOWN_TEAM}|-1"),
        signed(f"{UNKNOWN_TEAM}|inf"),
        signed(f"{UNKNOWN_TEAM}|{'9' * 100}"),
        signed(f"{UNKNOWN_TEAM.upper()}|{NOW + 60}"),
        signed(f"{{{UNKNOWN_TEAM}}}|{NOW + 60}"),
        signed(f"nonsense|{NOW + 60}"),
        signed(f"{UNKNOWN_TEAM}|{NOW + 60}", bytes(32)),
        signed(f"{UNKNOWN_TEAM}|{NOW + 60}") + ".",
    ],
    ids=lambda text: ascii(text)[:30],
)
def test_what_is_no_token_shows_nothing(text: str) -> None:
    assert read_view_token(KEY, text, NOW) is None


@given(st.integers(0, len(decode_base64url(GOOD)) - 1), st.integers(1, 255))
def test_no_byte_of_a_token_can_be_another(place: int, by: int) -> None:
    raw = bytearray(decode_base64url(GOOD))
    raw[place] ^= by
    assert read_view_token(KEY, encode_base64url(bytes(raw)), NOW) is None


@given(st.text(max_size=300))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    assert read_view_token(KEY, text, NOW) is None
