"""Device logins by RFC 8628 (learnings contract, section 3.1)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from services.auth.device_logins import rules
from services.auth.device_logins.operations import sweep
from shared.db import Database
from tests.services.auth.conftest import GATEWAY, PUBLIC_URL, Auth, Person, running
from tests.services.auth.device_support import (
    GRANT,
    USER_CODE,
    approve,
    begin,
    expire,
    new_client,
    poll,
    poll_in_time,
)
from tests.support.postgres import DatabaseServer


async def error_of(auth: Auth, code: dict[str, Any], **changes: str) -> str:
    answer = await poll(auth, code, **changes)
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert set(body) == {"detail", "error"}
    assert body["detail"]
    assert answer.headers["cache-control"] == "no-store"
    return str(body["error"])


async def test_a_login_begins_with_codes_and_pages(auth: Auth) -> None:
    code = await begin(auth)
    assert USER_CODE.fullmatch(code["user_code"])
    assert re.fullmatch(r"[\w-]{43}", code.pop("device_code"))
    assert code == {
        "user_code": code["user_code"],
        "verification_uri": f"{PUBLIC_URL}/device",
        "verification_uri_complete": f"{PUBLIC_URL}/device?code={code['user_code']}",
        "interval": 5,
        "expires_in": 900,
    }


async def test_the_device_code_is_kept_as_a_digest(auth: Auth) -> None:
    code = await begin(auth)
    row = await auth.sql.fetchrow(
        "SELECT * FROM auth.device_login WHERE user_code = $1", code["user_code"]
    )
    assert row is not None
    assert row["digest"] == hashlib.sha256(code["device_code"].encode()).digest()
    assert code["device_code"] not in str(dict(row))


@pytest.mark.parametrize("client_id", ["", "two words", "a" * 65, "<script>", "ä", "a/b", "x\n"])
async def test_a_client_without_a_proper_id_is_refused(auth: Auth, client_id: str) -> None:
    answer = await auth.post("/v1/auth/device/code", client_id=client_id)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_client"


async def test_unknown_fields_change_nothing(auth: Auth) -> None:
    answer = await auth.post(
        "/v1/auth/device/code", client_id="x.Y_z-1", status="approved", account_id="usr_x"
    )
    row = await auth.sql.fetchrow(
        "SELECT * FROM auth.device_login WHERE user_code = $1", answer.json()["user_code"]
    )
    assert row is not None
    assert (row["status"], row["account_id"], row["client_name"]) == ("pending", None, "x.Y_z-1")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"client_id": "another"}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"device_code": "unknown"}, "invalid_grant"),
        ({"device_code": ""}, "invalid_request"),
    ],
)
async def test_a_poll_that_is_none_ends_the_login(
    auth: Auth, changes: dict[str, str], error: str
) -> None:
    assert await error_of(auth, await begin(auth), **changes) == error


async def test_wrong_types_are_named(auth: Auth) -> None:
    answer = await auth.post(
        "/v1/auth/device/token", device_code=5, client_id="c", grant_type=GRANT
    )
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "device_code"]
    assert answer.json()["error"] == "validation_error"


async def test_the_first_poll_is_free_and_faster_ones_slow_the_pace_for_good(auth: Auth) -> None:
    code = await begin(auth)
    assert await error_of(auth, code) == "authorization_pending"
    assert await error_of(auth, code) == "slow_down"

    async def after(seconds: float) -> str:
        await auth.sql.execute(
            "UPDATE auth.device_login SET polled_at = now() - make_interval(secs => $2)"
            " WHERE user_code = $1",
            code["user_code"],
            seconds,
        )
        return await error_of(auth, code)

    assert await after(5.5) == "slow_down"
    assert await after(14.5) == "authorization_pending"
    assert await after(14.5) == "authorization_pending"


async def test_a_poll_half_a_second_early_is_no_offence(auth: Auth) -> None:
    code = await begin(auth)
    await error_of(auth, code)
    await auth.sql.execute(
        "UPDATE auth.device_login SET polled_at = now() - interval '4.5 s' WHERE user_code = $1",
        code["user_code"],
    )
    assert await error_of(auth, code) == "authorization_pending"


async def test_an_approved_device_gets_a_key_once(auth: Auth) -> None:
    person = await auth.person("Ada Lovelace")
    code = await begin(auth)
    assert await error_of(auth, code) == "authorization_pending"
    answer = await approve(auth, person.principal, code["user_code"])
    assert (answer.status_code, answer.json()) == (200, {"approved": True})
    # Faster than the pace, and yet: there is something to give.
    given = await poll(auth, code)
    assert given.status_code == 200, given.text
    body = given.json()
    assert set(body) == {"api_key", "org_name", "user_email", "organizations"}
    assert re.fullmatch(r"trw_dk_[A-Za-z0-9_-]{43}", body["api_key"])
    assert body["user_email"] == person.email
    org = await auth.sql.fetchrow(
        "SELECT id, name, slug FROM auth.organization WHERE id = $1", person.claims.org
    )
    assert org is not None
    assert body["org_name"] == org["name"]
    assert body["organizations"] == [dict(org)]
    assert given.headers["cache-control"] == "no-store"
    digest = hashlib.sha256(body["api_key"].encode()).hexdigest()
    verdict = (await auth.post("/internal/api-keys/check", GATEWAY, digest=digest)).json()
    assert verdict["active"]
    assert (verdict["org_id"], verdict["account_id"]) == (person.claims.org, person.claims.sub)
    assert verdict["scopes"] == ["*"]
    assert await error_of(auth, code) == "invalid_grant"


async def test_of_twenty_polls_at_once_exactly_one_gets_the_key(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    await approve(auth, ada.principal, code["user_code"])
    answers = await asyncio.gather(*(poll(auth, code) for _ in range(20)))
    winners = [answer for answer in answers if answer.status_code == 200]
    assert len(winners) == 1
    errors = {answer.json()["error"] for answer in answers if answer.status_code == 400}
    assert errors == {"invalid_grant"}
    assert len(answers) == 20
    keys = await auth.sql.fetchval(
        "SELECT count(*) FROM auth.api_key WHERE account_id = $1", ada.claims.sub
    )
    assert keys == 1


async def test_a_denied_device_hears_so(auth: Auth, ada: Person) -> None:
    code = await begin(auth)
    answer = await approve(auth, ada.principal, code["user_code"], deny=True)
    assert answer.json() == {"denied": True}
    assert await error_of(auth, code) == "access_denied"
    assert await error_of(auth, code) == "access_denied"


@pytest.mark.parametrize("approved", [False, True])
async def test_an_expired_code_says_so_and_gives_nothing(
    auth: Auth, ada: Person, approved: bool
) -> None:
    code = await begin(auth)
    if approved:
        await approve(auth, ada.principal, code["user_code"])
    await expire(auth, code["user_code"])
    assert await error_of(auth, code) == "expired_token"
    answer = await approve(auth, ada.principal, code["user_code"], new_client())
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1",
        "DELETE FROM auth.membership WHERE account_id = $1",
    ],
)
async def test_one_who_may_not_act_any_more_gives_no_key(auth: Auth, change: str) -> None:
    person = await auth.person()
    code = await begin(auth)
    await approve(auth, person.principal, code["user_code"])
    await auth.sql.execute(change, person.claims.sub)
    assert await error_of(auth, code) == "access_denied"
    assert (
        await auth.sql.fetchval(
            "SELECT count(*) FROM auth.api_key WHERE account_id = $1", person.claims.sub
        )
        == 0
    )


async def test_a_full_installation_takes_no_more(auth: Auth) -> None:
    await auth.sql.execute(
        """
        INSERT INTO auth.device_login (digest, kind, user_code, client_name, client, user_agent,
                                       expires_at)
        SELECT sha256(n::text::bytea), 'api_key', '0000-' || lpad(n::text, 4, '0'), 'flood', '',
               '', now() + interval '1 hour'
          FROM generate_series(0, 9999) AS n
        """
    )
    try:
        answer = await auth.post("/v1/auth/device/code", client_id="trw-cli")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
    finally:
        await auth.sql.execute("DELETE FROM auth.device_login WHERE client_name = 'flood'")
    await begin(auth)


async def test_the_sweep_drops_what_expired_an_hour_ago(
    database_server: DatabaseServer, tmp_path: Path
) -> None:
    async with database_server.clone() as urls, running(urls, tmp_path) as auth:
        fresh, late, old = [await begin(auth) for _ in range(3)]
        await expire(auth, late["user_code"])
        await expire(auth, old["user_code"], "61 minutes")
        database = await Database.connect(urls.url("auth"), size=1)
        try:
            await sweep(database)
        finally:
            await database.close()
        assert await error_of(auth, fresh) == "authorization_pending"
        assert await error_of(auth, late) == "expired_token"
        assert await error_of(auth, old) == "invalid_grant"


def test_user_codes_have_no_look_alikes_and_no_bias() -> None:
    assert len(set(rules.ALPHABET)) == 32
    assert not set(b"IO01") & set(rules.ALPHABET)
    counts = dict.fromkeys(rules.ALPHABET.decode(), 0)
    for byte in range(256):
        counts[rules.user_code(bytes([byte]) * 8)[0]] += 1
    assert set(counts.values()) == {8}


@pytest.mark.parametrize(
    "typed", ["WDJB-MJHT", "wdjb-mjht", "WDJBMJHT", " wd jb mj ht ", "WDJB - MJHT", "w-d-j-b-mjht"]
)
def test_a_code_is_taken_however_it_is_typed(typed: str) -> None:
    assert rules.normal_code(typed) == "WDJB-MJHT"


@pytest.mark.parametrize(
    "typed", ["", "WDJB-MJH", "WDJB-MJHTX", "WDJB-MJH!", "ẞDJB-MJHT", "WDJB_MJHT"]
)
def test_what_is_no_code_is_none(typed: str) -> None:
    assert rules.normal_code(typed) is None


async def test_polling_in_time_never_gets_429(auth: Auth) -> None:
    code = await begin(auth)
    for _ in range(50):
        answer = await poll_in_time(auth, code)
        assert answer.json()["error"] == "authorization_pending"
