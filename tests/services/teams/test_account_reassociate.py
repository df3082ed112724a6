"""``POST /api/account/reassociate`` (teams contract, sections 1.1 and 8)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from tests.services.teams.account_support import PUBLIC_URL, new_account, placed, signed_in
from tests.services.teams.conftest import FakeAuth, Machine
from tests.services.teams.sharing_support import Sql, delete_softly
from tests.support.service import asserting, person

PATH = "/api/account/reassociate"
NOT_LINKED = {"error": "new_token must be a non-revoked token linked to your account"}


class Owner:
    """Somebody with an old machine that has teams, and a new one that has none."""

    def __init__(self, client: httpx.AsyncClient, auth: FakeAuth) -> None:
        self.account = new_account()
        self.old, self.new = Machine(client), Machine(client)
        for machine in (self.old, self.new):
            auth.link(machine.token, self.account)
        self.headers = signed_in(auth, self.account)

    async def move(
        self, new: Any = None, by: Machine | None = None, **options: Any
    ) -> httpx.Response:
        by = by or self.old
        body = {"token": by.token, "new_token": new or self.new.token}
        return await by.post(PATH, body, **({"headers": self.headers} | options))


@pytest.fixture
def ada(client: httpx.AsyncClient, auth: FakeAuth) -> Owner:
    return Owner(client, auth)


@pytest.mark.parametrize("signer", ["old", "new"])
async def test_a_new_machine_comes_to_all_teams(
    client: httpx.AsyncClient, auth: FakeAuth, ada: Owner, sql: Sql, signer: str
) -> None:
    third = Machine(client)
    auth.link(third.token, ada.account)
    made = await placed(ada.old, sql, 2)
    made.append((await third.make("Third"))["id"])
    known = await ada.new.make("Known")
    await sql.execute("UPDATE teams.membership SET scope = 'user', project_name = 'p'"
                      " WHERE token = $1", ada.old.token)  # fmt: skip
    (gone,) = await placed(ada.old, sql, 1)
    await delete_softly(sql, gone)
    answer = await ada.move(by=getattr(ada, signer))
    assert (answer.status_code, answer.json()) == (200, {"reassociated": 3}), answer.text
    assert answer.headers["x-pii-access"] == "true"
    rows = await sql.fetch(
        "SELECT team_id, scope, project_name FROM teams.membership WHERE token = $1", ada.new.token
    )
    found = {str(row["team_id"]): (row["scope"], row["project_name"]) for row in rows}
    assert found == {
        made[0]: ("user", "p"),
        made[1]: ("user", "p"),
        made[2]: ("project", None),
        known["id"]: ("project", None),
    }
    assert (await ada.new.team(made[0]))["name"] == "T0"
    said = await sql.fetchval(
        "SELECT count(*) FROM teams.outbox WHERE kind = 'team.joined.v1'"
        " AND payload::text LIKE '%' || $1 || '%'",
        ada.new.token,
    )
    assert said == 4
    again = await ada.move()
    assert again.json() == {"reassociated": 0}


async def test_an_access_token_does_as_well_and_needs_no_origin(auth: FakeAuth, ada: Owner) -> None:
    await ada.old.make()
    auth.sign_in("Bearer of-ada", ada.account)
    answer = await ada.move(headers={"authorization": "Bearer of-ada"})
    assert answer.json() == {"reassociated": 1}


@pytest.mark.parametrize(
    ("origin", "word"),
    [
        (None, "missing_origin"),
        ("https://evil.example", "origin_mismatch"),
        ("null", "origin_mismatch"),
        (PUBLIC_URL + ".evil.example", "origin_mismatch"),
    ],
)
async def test_a_browsers_cookie_needs_our_own_page(
    ada: Owner, origin: str | None, word: str
) -> None:
    await ada.old.make()
    headers = {"cookie": ada.headers["cookie"]} | ({} if origin is None else {"origin": origin})
    answer = await ada.move(headers=headers)
    assert (answer.status_code, answer.json()) == (403, {"error": word})
    assert answer.headers["x-pii-access"] == "true"
    assert (await ada.move()).json() == {"reassociated": 1}


@pytest.mark.parametrize(
    "headers",
    [{}, {"cookie": "x"}, {"authorization": "Bearer no"}, {"cookie": "a" * 20_000}],
)
async def test_without_a_session_nothing_is_moved(ada: Owner, headers: dict[str, str]) -> None:
    await ada.old.make()
    answer = await ada.move(headers=headers | {"origin": PUBLIC_URL})
    assert (answer.status_code, answer.json()) == (401, {"error": "authentication required"})
    assert answer.headers["x-pii-access"] == "true"


async def test_a_bad_access_token_is_not_made_good_by_a_cookie(ada: Owner) -> None:
    answer = await ada.move(headers=ada.headers | {"authorization": "Bearer no"})
    assert answer.status_code == 401


async def test_without_a_signature_nothing_is_moved(client: httpx.AsyncClient, ada: Owner) -> None:
    body = {"token": ada.old.token, "new_token": ada.new.token}
    headers = asserting("teams", person(account=ada.account)) | ada.headers
    answer = await client.post(PATH, headers=headers, json=body)
    assert answer.status_code == 401
    assert answer.headers["x-pii-access"] == "true"


async def test_only_ones_own_unrevoked_machine_is_a_new_one(
    client: httpx.AsyncClient, auth: FakeAuth, ada: Owner
) -> None:
    await ada.old.make()
    revoked, foreign = Machine(client), Machine(client)
    auth.link(revoked.token, ada.account)
    auth.revoke(revoked.token)
    auth.link(foreign.token, new_account())
    tries: list[Any] = [
        revoked.token,
        foreign.token,
        Machine(client).token,
        "",
        "x",
        7,
        [],
        {"a": 1},
    ]
    for new in tries:
        body = {"token": ada.old.token, "new_token": new}
        answer = await ada.old.post(PATH, body, headers=ada.headers)
        assert (answer.status_code, answer.json()) == (400, NOT_LINKED), new
    missing = await ada.old.post(PATH, {"token": ada.old.token}, headers=ada.headers)
    assert (missing.status_code, missing.json()) == (400, NOT_LINKED)
    # Also when it signs itself.
    answer = await ada.move(new=revoked.token, by=revoked)
    assert (answer.status_code, answer.json()) == (400, NOT_LINKED)


async def test_a_strangers_signature_moves_nothing(ada: Owner, stranger: Machine) -> None:
    await ada.old.make()
    answer = await ada.move(by=stranger)
    assert answer.status_code == 403
    assert answer.json() == {"error": "token must be a non-revoked token linked to your account"}


async def test_teams_of_others_and_of_revoked_machines_stay_where_they_are(
    client: httpx.AsyncClient, auth: FakeAuth, ada: Owner
) -> None:
    foreign, revoked = Machine(client), Machine(client)
    auth.link(foreign.token, new_account())
    auth.link(revoked.token, ada.account)
    await foreign.make()
    await revoked.make()
    auth.revoke(revoked.token)
    assert (await ada.move()).json() == {"reassociated": 0}


async def test_a_repeat_is_answered_and_not_applied_twice(ada: Owner, sql: Sql) -> None:
    await ada.old.make()
    signature = ada.old.signature()
    first = await ada.move(signature=signature)
    await sql.execute("DELETE FROM teams.membership WHERE token = $1", ada.new.token)
    repeat = await ada.move(signature=signature)
    assert repeat.json() == first.json() == {"reassociated": 1}
    assert repeat.headers["idempotent-replay"] == "true"
    assert repeat.headers["x-pii-access"] == "true"
    assert (await ada.new.send("GET", f"/api/teams/{ada.new.token}")).status_code == 404
    other = await ada.old.post(
        "/api/teams/knowledge", {"token": ada.old.token, "content": "x"}, signature=signature
    )
    assert other.status_code == 401


async def test_many_at_once_join_once(ada: Owner, sql: Sql) -> None:
    await placed(ada.old, sql, 3)
    answers = await asyncio.gather(*(ada.move() for _ in range(10)))
    assert sorted(answer.json()["reassociated"] for answer in answers) == [0] * 9 + [3]


async def test_while_auth_is_away_nothing_is_moved(auth: FakeAuth, ada: Owner) -> None:
    await ada.old.make()
    auth.is_away = True
    try:
        answer = await ada.move()
    finally:
        auth.is_away = False
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["x-pii-access"] == "true"
    assert (await ada.move()).json() == {"reassociated": 1}


@pytest.mark.parametrize("raw", [b"[]", b"{", b"7", b'{"new_token":"\\u0000"}', b"\xff"])
async def test_a_body_that_is_none_is_a_400(ada: Owner, raw: bytes) -> None:
    answer = await ada.old.send("POST", PATH, content=raw, headers=ada.headers)
    assert answer.status_code == 400
    assert isinstance(json.loads(answer.content)["error"], str)
    assert answer.headers["x-pii-access"] == "true"
