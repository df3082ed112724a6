from __future__ import annotations

from typing import Any

import pytest

from shared.principal import Kind, Principal
from tests.services.auth.conftest import PASSWORD, Auth, Person, new_address
from tests.services.auth.people_support import BASE, as_person, log_in
from tests.services.auth.two_factor_support import enrol

DAY = 86_400


@pytest.fixture(autouse=True)
async def _forgiven(auth: Auth) -> None:
    """All tests come from one network address, whose failures count together."""
    await auth.sql.execute("DELETE FROM auth.throttle")


async def test_a_login_gives_a_token_for_a_day_and_the_user(auth: Auth, ada: Person) -> None:
    answer = await log_in(auth, ada.email, PASSWORD)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"token", "user"}
    claims = await auth.claims_of(body["token"])
    assert (claims.sub, claims.org, claims.role) == (ada.claims.sub, ada.claims.org, "owner")
    left = await auth.sql.fetchval(
        "SELECT extract(epoch FROM expires_at - now())::int FROM auth.session WHERE id = $1",
        claims.sid,
    )
    assert DAY - 60 < left <= DAY
    user = body["user"]
    assert user.pop("created_at").endswith("Z")
    assert user == {
        "id": ada.claims.sub,
        "email": ada.email,
        "role": "owner",
        "org_id": ada.claims.org,
        "org_name": "Ada Lovelace",
        "name": "Ada Lovelace",
        "verified": True,
    }
    me = await auth.send("GET", f"{BASE}/me", (await as_person(auth, answer)).principal)
    assert me.json()["id"] == ada.claims.sub


async def test_case_and_width_of_the_address_do_not_matter(auth: Auth, ada: Person) -> None:
    assert (await log_in(auth, f" {ada.email.upper()} ", PASSWORD)).status_code == 200


async def test_unknown_and_wrong_are_told_alike(auth: Auth, ada: Person) -> None:
    wrong = await log_in(auth, ada.email, "no")
    unknown = await log_in(auth, new_address(), "no")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json() == {
        "type": "unauthorized",
        "detail": "Invalid email or password",
        "error": {"type": "unauthorized", "message": "Invalid email or password"},
    }
    assert wrong.headers["www-authenticate"] == "Bearer"
    assert set(wrong.headers) == set(unknown.headers)


async def test_an_unverified_address_is_told_only_to_who_knows_the_password(auth: Auth) -> None:
    address = new_address()
    await auth.register(address)
    answer = await log_in(auth, address, PASSWORD)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Email not verified"
    assert (await log_in(auth, address, "guess")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@mail.example"},
        {"email": 1, "password": "x"},
        {"email": "a@mail.example", "password": None},
        {"email": "a@mail.example", "password": "x" * 1025},
        {"email": "x" * 321, "password": "x"},
        {"email": "a@mail.example", "password": "x", "code": 5},
        {"email": "a\x00@mail.example", "password": "x"},
    ],
)
async def test_a_bad_body_is_named(auth: Auth, body: dict[str, Any]) -> None:
    answer = await auth.post(f"{BASE}/login", **body)
    assert answer.status_code == 422
    assert answer.json()["type"] == "validation_error"
    assert answer.json()["error"]["details"][0]["path"].startswith("body.")


async def test_a_disabled_account_is_told_nothing(auth: Auth) -> None:
    person = await auth.person()
    await auth.sql.execute(
        "UPDATE auth.account SET disabled_at = now() WHERE id = $1", person.claims.sub
    )
    answer = await log_in(auth, person.email, PASSWORD)
    assert answer.status_code == 401
    assert answer.json()["detail"] == "Invalid email or password"


async def test_logging_out_ends_the_session_on_every_surface(auth: Auth) -> None:
    person = await auth.person()
    runs = await as_person(auth, await log_in(auth, person.email, PASSWORD))
    assert (await auth.check(runs))["active"]
    answer = await auth.post(f"{BASE}/logout", runs.principal)
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert not (await auth.check(runs))["active"]
    assert (await auth.check(person))["active"]
    ended = await auth.events("session.revoked.v1")
    assert runs.claims.sid in {event["session_id"] for event in ended}


async def test_what_has_no_session_cannot_log_out(auth: Auth, ada: Person) -> None:
    key = Principal(Kind.API_KEY, "key_x", ada.claims.org, "owner", ("*",), "key_x", ada.claims.sub)
    assert (await auth.post(f"{BASE}/logout", key)).status_code == 403
    assert (await auth.post(f"{BASE}/logout")).status_code == 401


async def test_failures_count_with_those_of_the_learnings_surface(auth: Auth) -> None:
    person = await auth.person()
    for surface in ("/api/v1/auth/login", "/v1/auth/token") * 5:
        answer = await auth.post(surface, email=person.email, password="wrong")
        assert answer.status_code == 401
    answer = await log_in(auth, person.email, PASSWORD)
    assert answer.status_code == 429
    assert answer.json()["type"] == "rate_limited"
    assert 0 < int(answer.headers["retry-after"]) <= 300


async def test_a_second_factor_holds_here_too(auth: Auth) -> None:
    device = await enrol(auth)
    address = device.person.email
    answer = await log_in(auth, address, PASSWORD)
    assert answer.status_code == 401
    body = answer.json()
    assert (body["detail"], body["type"]) == ("2FA required", "unauthorized")
    assert body["challenge_token"]
    assert "token" not in body
    wrong = await log_in(auth, address, PASSWORD, code=device.wrong_code())
    assert (wrong.status_code, wrong.json()["detail"]) == (401, "Invalid code")
    code = device.code()
    assert (await log_in(auth, address, PASSWORD, code=code)).status_code == 200
    assert (await log_in(auth, address, PASSWORD, code=code)).status_code == 401, "used once"
