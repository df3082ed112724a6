from __future__ import annotations

import math
from typing import Any

import pytest

from gateway.credentials.eviction import subscriptions
from gateway.credentials.memory import Credential, Credentials
from shared.bus import Event, connect
from shared.bus.events import encode
from shared.contracts.auth import (
    AccountDeleted,
    AccountDisabled,
    ApiKeyRevoked,
    MachineRevoked,
    MembershipChanged,
    ServiceAccountChanged,
    SessionRevoked,
)
from shared.principal import Kind, Principal
from tests.gateway.conftest import House, house, until
from tests.support.postgres import DatabaseUrls

EVENTS: dict[str, Event] = {
    "session": SessionRevoked(session_id="ses_1", account_id="usr_1"),
    "account disabled": AccountDisabled(account_id="usr_1"),
    "account deleted": AccountDeleted(account_id="usr_1"),
    "membership": MembershipChanged(org_id="org_1", account_id="usr_1", role="", version=2),
    "role in an organization": MembershipChanged(
        org_id="org_1", account_id="usr_1", role="admin", version=3
    ),
    "service account": ServiceAccountChanged(
        service_account_id="sva_1", name="builder", active=False, deleted=False, version=1
    ),
}


async def _listening(home: House) -> None:
    listener = home.gateway.listener
    assert listener is not None
    await listener.listening()


@pytest.mark.parametrize("kind", [*EVENTS, "key", "account of a key"])
async def test_event_ends_a_credential(database_urls: DatabaseUrls, kind: str) -> None:
    url = database_urls.url("bus")
    async with house(broker_url=url) as home:
        await _listening(home)
        key = home.auth.api_key("key_1")
        token = key if "key" in kind else home.auth.token("ses_1")
        if kind == "service account":
            token = home.auth.token("sas_1", sub="sva_1", org="")
        other = home.auth.token("ses_2", sub="usr_2")
        for one in (token, other):
            answer = await home.client.get("/v1/learnings", headers=home.bearer(one))
            assert answer.status_code == 200
        for sid in ("ses_1", "sas_1"):
            home.auth.sessions[sid] = {"active": False, "role": "", "scopes": []}
        for entry in home.auth.keys.values():
            entry["active"] = False
        event = EVENTS.get(kind, ApiKeyRevoked(key_id="key_1", org_id="org_1"))
        if kind == "account of a key":
            event = AccountDisabled(account_id="usr_1")
        transport = await connect(url)
        try:
            await transport.publish([encode(event)])
        finally:
            await transport.close()
        await until(lambda: len(home.gateway.credentials) == 1, 5)
        answer = await home.client.get("/v1/learnings", headers=home.bearer(token))
        assert answer.status_code == 401
        home.auth.looked_up.clear()
        answer = await home.client.get("/v1/learnings", headers=home.bearer(other))
        assert answer.status_code == 200
        assert home.auth.looked_up == [], "others are not asked about again"


async def test_machine_is_evicted_by_its_token() -> None:
    memory = Credentials()
    machine = Credential("x", Principal(Kind.MACHINE, "trc_ak_1"), math.inf, ("trc_ak_1",))

    async def question() -> Credential:
        return machine

    await memory.learn(b"a", question)
    handlers = {one.event: one.handler for one in subscriptions(memory)}
    await handlers[MachineRevoked](MachineRevoked(token="trc_ak_2", account_id="a", version=1))
    assert len(memory) == 1
    await handlers[MachineRevoked](MachineRevoked(token="trc_ak_1", account_id="a", version=1))
    assert len(memory) == 0


async def test_gap_forgets_everything(home: House) -> None:
    await home.client.get("/v1/learnings", headers=home.bearer())
    assert len(home.gateway.credentials) > 0
    home.gateway.credentials.clear()
    assert len(home.gateway.credentials) == 0


async def test_broker_that_is_away_stops_nothing() -> None:
    async with house(broker_url="postgres://nobody:x@127.0.0.1:1/none") as home:
        answer: Any = await home.client.get("/v1/learnings", headers=home.bearer())
        assert answer.status_code == 200
