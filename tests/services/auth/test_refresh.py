"""Renewing a session: each refresh token is good once, and a stolen one ends the session."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.auth.refresh_tokens.operations import sweep
from shared.db import Database
from tests.services.auth.conftest import PASSWORD, Auth, Person
from tests.support.postgres import DatabaseUrls

REFUSED = {"detail": "Invalid or expired token"}


async def sign_in(auth: Auth, person: Person) -> dict[str, Any]:
    answer = await auth.post("/v1/auth/token", email=person.email, password=PASSWORD)
    assert answer.status_code == 200, answer.text
    pair: dict[str, Any] = answer.json()
    return pair


async def refresh(auth: Auth, token: str) -> httpx.Response:
    return await auth.post("/v1/auth/refresh", refresh_token=token)


async def person_of(auth: Auth, person: Person, pair: dict[str, Any]) -> Person:
    token = pair["access_token"]
    return Person(person.email, token, await auth.claims_of(token))


async def age(auth: Auth, session: str, seconds: float) -> None:
    """Let time pass for one session: everything it has happened so much earlier."""
    for table, column, moments in (
        ("session", "id", ("created_at", "last_used_at", "expires_at")),
        ("refresh_token", "session_id", ("created_at", "used_at", "expires_at")),
    ):
        moved = ", ".join(f"{one} = {one} - $2 * interval '1 second'" for one in moments)
        await auth.sql.execute(
            f"UPDATE auth.{table} SET {moved} WHERE {column} = $1",  # noqa: S608 - our names
            session,
            seconds,
        )


async def test_a_login_gives_a_pair_and_a_refresh_another(auth: Auth, ada: Person) -> None:
    first = await sign_in(auth, ada)
    answer = await refresh(auth, first["refresh_token"])
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    second = answer.json()
    assert second.keys() == first.keys()
    assert second.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (second["token_type"], second["expires_in"]) == ("bearer", 3600)
    assert second["refresh_token"] != first["refresh_token"]
    old, new = [(await person_of(auth, ada, pair)).claims for pair in (first, second)]
    assert old.sid == new.sid
    assert old.jti != new.jti
    assert new.exp - new.iat == 3600
    assert (await auth.check(await person_of(auth, ada, second)))["active"]


async def test_a_token_is_stored_as_a_hash(auth: Auth, ada: Person) -> None:
    pair = await sign_in(auth, ada)
    rows = await auth.sql.fetch("SELECT * FROM auth.refresh_token")
    assert pair["refresh_token"] not in str(rows)


async def test_a_key_gets_no_refresh_token(auth: Auth, ada: Person) -> None:
    path = f"/v1/admin/organizations/{ada.claims.org}/api-keys"
    key = (await auth.post(path, ada.principal, name="ci")).json()["key"]
    answer = (await auth.post("/v1/auth/token", api_key=key)).json()
    assert answer.keys() == {"access_token", "token_type", "expires_in"}


async def test_two_tabs_may_use_one_token_within_a_moment(auth: Auth) -> None:
    person = await auth.person()
    first = await sign_in(auth, person)
    session = (await person_of(auth, person, first)).claims.sid
    answers = [await refresh(auth, first["refresh_token"]) for _ in range(2)]
    await age(auth, session, 10)
    answers.append(await refresh(auth, first["refresh_token"]))
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    tokens = {answer.json()["refresh_token"] for answer in answers}
    assert len(tokens) == 3
    for token in tokens:
        assert (await refresh(auth, token)).status_code == 200


async def test_a_token_used_again_later_ends_the_session(auth: Auth) -> None:
    person = await auth.person()
    other = await sign_in(auth, person)
    first = await sign_in(auth, person)
    session = (await person_of(auth, person, first)).claims.sid
    second = (await refresh(auth, first["refresh_token"])).json()
    await age(auth, session, 16)
    answer = await refresh(auth, first["refresh_token"])
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    # The one who has the newer token may be the thief, so it is void as well.
    assert (await refresh(auth, second["refresh_token"])).status_code == 401
    assert not (await auth.check(await person_of(auth, person, second)))["active"]
    assert (await refresh(auth, other["refresh_token"])).status_code == 200
    said = [event["session_id"] for event in await auth.events("session.revoked.v1")]
    assert said.count(session) == 1
    rows = await auth.sql.fetch(
        "SELECT action, outcome, actor_kind, org_id, detail FROM auth.audit_event"
        " WHERE target = $1 ORDER BY id",
        session,
    )
    assert [(row["action"], row["outcome"]) for row in rows] == [
        ("session.opened", "done"),
        ("session.reuse_detected", "refused"),
        ("session.ended", "done"),
    ]
    assert rows[1]["org_id"] == person.claims.org
    assert json.loads(rows[1]["detail"]) == {"account_id": person.claims.sub}
    assert json.loads(rows[2]["detail"]) == {"reason": "refresh_token_reused"}


async def test_a_session_slides_by_30_days_and_ends_after_180(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    session = (await person_of(auth, person, pair)).claims.sid
    day = 86_400
    read = "SELECT expires_at - now() FROM auth.session WHERE id = $1"
    for _ in range(6):
        left = await auth.sql.fetchval(read, session)
        assert 29.9 < left.total_seconds() / day <= 30
        await age(auth, session, 29 * day)
        answer = await refresh(auth, pair["refresh_token"])
        assert answer.status_code == 200
        pair = answer.json()
    left = await auth.sql.fetchval(read, session)
    assert 5.9 < left.total_seconds() / day <= 6  # 6 times 29 of 180
    await age(auth, session, 6 * day - 1800)
    answer = await refresh(auth, pair["refresh_token"])
    # The last access token is no longer than the session.
    assert 1790 <= answer.json()["expires_in"] <= 1800
    await age(auth, session, 1801)
    last = await refresh(auth, answer.json()["refresh_token"])
    assert (last.status_code, last.json()) == (401, REFUSED)


async def test_an_unused_session_is_over_after_30_days(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    session = (await person_of(auth, person, pair)).claims.sid
    await age(auth, session, 30 * 86_400 + 1)
    assert (await refresh(auth, pair["refresh_token"])).status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1",
        "DELETE FROM auth.membership WHERE account_id = $1",
        "UPDATE auth.session SET ended_at = now() WHERE account_id = $1",
        "UPDATE auth.session SET expires_at = now() WHERE account_id = $1",
        "UPDATE auth.refresh_token SET expires_at = now() WHERE account_id = $1",
        "DELETE FROM auth.session WHERE account_id = $1",
    ],
)
async def test_what_does_not_hold_is_not_renewed(auth: Auth, change: str) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    await auth.sql.execute(change, person.claims.sub)
    answer = await refresh(auth, pair["refresh_token"])
    assert (answer.status_code, answer.json()) == (401, REFUSED)
    row = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.refresh_token WHERE account_id = $1", person.claims.sub
    )
    assert row <= 2  # nothing was added


async def test_signing_out_ends_the_refresh_token_too(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    signed_in = await person_of(auth, person, pair)
    assert (await auth.post("/v1/auth/logout", signed_in.principal)).status_code == 204
    assert (await refresh(auth, pair["refresh_token"])).status_code == 401


async def test_a_renewed_token_has_the_present_role(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    await auth.sql.execute(
        "UPDATE auth.membership SET role = 'member' WHERE account_id = $1", person.claims.sub
    )
    renewed = (await refresh(auth, pair["refresh_token"])).json()
    assert (await person_of(auth, person, renewed)).claims.role == "member"


async def test_fifty_at_once_all_succeed(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    answers = await asyncio.gather(*(refresh(auth, pair["refresh_token"]) for _ in range(50)))
    assert [answer.status_code for answer in answers] == [200] * 50
    tokens = {answer.json()["refresh_token"] for answer in answers}
    assert len(tokens) == 50
    used = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.refresh_token WHERE account_id = $1 AND used_at IS NOT NULL",
        person.claims.sub,
    )
    assert used == 1


async def test_fifty_thieves_at_once_end_the_session_once(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    session = (await person_of(auth, person, pair)).claims.sid
    newer = (await refresh(auth, pair["refresh_token"])).json()["refresh_token"]
    await age(auth, session, 16)
    answers = await asyncio.gather(*(refresh(auth, pair["refresh_token"]) for _ in range(50)))
    assert [answer.status_code for answer in answers] == [401] * 50
    said = [event["session_id"] for event in await auth.events("session.revoked.v1")]
    assert said.count(session) == 1
    assert (await refresh(auth, newer)).status_code == 401


async def test_an_end_and_many_renewals_at_once_leave_nothing_alive(auth: Auth) -> None:
    person = await auth.person()
    pair = await sign_in(auth, person)
    signed_in = await person_of(auth, person, pair)
    answers = await asyncio.gather(
        *(refresh(auth, pair["refresh_token"]) for _ in range(10)),
        auth.send("DELETE", f"/v1/auth/sessions/{signed_in.claims.sid}", person.principal),
        *(refresh(auth, pair["refresh_token"]) for _ in range(10)),
    )
    assert answers[10].status_code == 204
    assert {answer.status_code for answer in answers} <= {200, 204, 401}
    for answer in answers:
        if answer.status_code == 200:
            again = await refresh(auth, answer.json()["refresh_token"])
            assert again.status_code == 401


@pytest.mark.parametrize(
    "body",
    [{}, {"refresh_token": None}, {"refresh_token": 7}, {"refresh_token": "x" * 129}, []],
)
async def test_a_bad_body_is_named(auth: Auth, body: Any) -> None:
    answer = await auth.send("POST", "/v1/auth/refresh", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"][0] == "body"


@pytest.mark.parametrize("token", ["", "x", "refresh_" + "A" * 43, "ü", "' OR 1=1 --"])
async def test_an_unknown_token_is_refused_in_one_text(auth: Auth, token: str) -> None:
    answer = await refresh(auth, token)
    assert (answer.status_code, answer.json()) == (401, REFUSED)


async def test_an_access_token_and_a_key_are_no_refresh_tokens(auth: Auth, ada: Person) -> None:
    path = f"/v1/admin/organizations/{ada.claims.org}/api-keys"
    key = (await auth.post(path, ada.principal, name="ci")).json()["key"]
    assert (await refresh(auth, key)).status_code == 401
    assert (await refresh(auth, ada.token[:128])).status_code == 401


@dataclass
class Token:
    """A refresh token as the model sees it."""

    text: str
    expires_at: float
    used_at: float | None = None


@dataclass
class Model:
    """A session with its family of refresh tokens."""

    tokens: list[Token]
    now: float = 0.0
    is_live: bool = True
    expires_at: float = 30 * 86_400
    ends: int = field(default=0)

    def use(self, token: Token) -> bool:
        """Tell whether a use must succeed, and what is true afterwards."""
        if not self.is_live or self.now >= self.expires_at:
            return False
        if token.used_at is not None and self.now - token.used_at > 15:
            self.is_live = False
            self.ends += 1
            return False
        if self.now >= token.expires_at:
            return False
        if token.used_at is None:
            token.used_at = self.now
        self.expires_at = min(self.now + 30 * 86_400, 180 * 86_400)
        return True


# Far enough from the edges that the milliseconds of the test itself change nothing.
_PAUSES = st.sampled_from([0.0, 6.0, 30.0, 3_600.0, 86_400.0, 20 * 86_400.0, 29 * 86_400.0])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("use"), st.integers(0, 1_000)),
        st.tuples(st.just("newest"), st.just(0)),
        st.tuples(st.just("wait"), _PAUSES),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=_STEPS)
async def test_any_course_of_renewals_follows_the_model(
    auth: Auth, ada: Person, steps: list[tuple[str, Any]]
) -> None:
    pair = await sign_in(auth, ada)
    signed_in = await person_of(auth, ada, pair)
    session = signed_in.claims.sid
    model = Model([Token(pair["refresh_token"], 30 * 86_400)])
    for what, value in steps:
        if what == "wait":
            await age(auth, session, value)
            model.now += value
            continue
        token = model.tokens[-1] if what == "newest" else model.tokens[value % len(model.tokens)]
        expected = model.use(token)
        answer = await refresh(auth, token.text)
        assert answer.status_code == (200 if expected else 401), (what, model)
        if expected:
            model.tokens.append(Token(answer.json()["refresh_token"], model.expires_at))
    holds = model.is_live and model.now < model.expires_at
    assert (await auth.check(signed_in))["active"] is holds
    said = [event["session_id"] for event in await auth.events("session.revoked.v1")]
    assert said.count(session) == model.ends


async def test_old_tokens_are_swept(database_urls: DatabaseUrls) -> None:
    database = await Database.connect(database_urls.url("auth"), size=2)
    try:
        async with database.connection() as connection:
            await connection.execute(
                """
                INSERT INTO auth.account (id, email, email_key, name) VALUES ('u', 'e', 'e', 'n');
                INSERT INTO auth.organization (id, name, slug) VALUES ('o', 'n', 's');
                INSERT INTO auth.session (account_id, id, org_id, expires_at)
                VALUES ('u', 's', 'o', now() + interval '1 day');
                INSERT INTO auth.refresh_token (digest, account_id, session_id, expires_at)
                VALUES (sha256('old'), 'u', 's', now() - interval '25 hours'),
                       (sha256('over'), 'u', 's', now()),
                       (sha256('live'), 'u', 's', now() + interval '1 hour');
                """
            )
            await sweep(database)
            left = await connection.fetchval("SELECT count(*) FROM auth.refresh_token")
        assert left == 2
    finally:
        await database.close()
