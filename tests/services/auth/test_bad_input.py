"""Whatever is sent, the answer is a clear error in the surface's shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.auth.app import SERVICE
from tests.services.auth.conftest import GATEWAY, PASSWORD, Auth, Person, new_address

GOOD = {"email": "ada@mail.example", "password": PASSWORD, "name": "Ada"}
BAD_EMAILS = [
    "",
    "ada",
    "ada@",
    "@mail.example",
    "ada@mail",
    "ada@mail..example",
    "ada@mail.example\r\nBcc: grace@mail.example",
    "ada@@mail.example",
    "ada lovelace@mail.example",
    "Ada <ada@mail.example>",
    "ada@[127.0.0.1]",
    "a" * 65 + "@mail.example",
    "ada@" + "x" * 250 + ".example",
    "ada\u0000@mail.example",
    "\u202eada@mail.example",
]
NOT_TEXT = [None, 7, 1.5, True, [], ["a@mail.example"], {}, {"a": 1}]


def names(answer: Any) -> list[list[Any]]:
    return [fault["loc"] for fault in answer.json()["detail"]]


@pytest.mark.parametrize("email", BAD_EMAILS)
@pytest.mark.parametrize("path", ["register", "resend-verification"])
async def test_a_bad_address_is_named(auth: Auth, path: str, email: str) -> None:
    answer = await auth.send("POST", f"/v1/auth/{path}", json=GOOD | {"email": email})
    assert answer.status_code == 422, answer.text
    assert {tuple(loc) for loc in names(answer)} == {("body", "email")}


@pytest.mark.parametrize(
    "email",
    ["root@localhost", "ops@intranet.local", "o'hara+tag@mail.example", "zoë@bücher.example"],
)
async def test_an_unusual_address_is_good(auth: Auth, email: str) -> None:
    answer = await auth.register(email)
    assert answer.status_code == 201, answer.text
    assert answer.json()["email"] == email


async def test_the_message_is_the_pages(auth: Auth) -> None:
    answer = await auth.register("nobody")
    assert answer.json()["detail"] == [
        {
            "loc": ["body", "email"],
            "msg": "value is not a valid email address",
            "type": "value_error",
        }
    ]


@pytest.mark.parametrize(
    "password", ["", "eleven char", "x" * 1025, "ab\u0000" * 5, "e\u0301" * 11]
)
async def test_a_bad_password_is_named_and_not_repeated(auth: Auth, password: str) -> None:
    answer = await auth.register(new_address(), password=password)
    assert answer.status_code == 422
    assert names(answer) == [["body", "password"]]
    assert len(password) < 11 or password not in answer.text


async def test_twelve_and_1024_characters_are_good(auth: Auth) -> None:
    for password in ("twelve chars", "long enough " * 85 + "abcd"):
        assert (await auth.register(new_address(), password=password)).status_code == 201


@pytest.mark.parametrize("value", NOT_TEXT)
@pytest.mark.parametrize("field", ["email", "password", "name"])
async def test_a_wrong_type_is_named(auth: Auth, field: str, value: Any) -> None:
    answer = await auth.post("/v1/auth/register", **(GOOD | {field: value}))
    assert answer.status_code == 422
    assert names(answer) == [["body", field]]


async def test_all_faults_are_named_at_once(auth: Auth) -> None:
    answer = await auth.post("/v1/auth/register", password="short", name="")
    assert answer.status_code == 422
    assert sorted(loc[1] for loc in names(answer)) == ["email", "name", "password"]


@pytest.mark.parametrize("token", ["", "x", "x" * 129, "ä" * 43, 7, None, ["x"]])
async def test_a_bad_verification_token(auth: Auth, token: Any) -> None:
    answer = await auth.post("/v1/auth/verify-email", token=token)
    expected = 400 if isinstance(token, str) and len(token) <= 128 else 422
    assert answer.status_code == expected


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff\xfe", b'{"email":"\\ud800"}', b"[" * 5000],
)
async def test_a_body_that_is_no_object(auth: Auth, body: bytes) -> None:
    for path in ("register", "token", "verify-email", "resend-verification"):
        answer = await auth.send("POST", f"/v1/auth/{path}", content=body)
        assert answer.status_code in (400, 422), (path, answer.text)
        assert "detail" in answer.json()


async def test_other_doors_are_closed_politely(auth: Auth, ada: Person) -> None:
    answer = await auth.send(
        "POST",
        "/v1/auth/register",
        content=b"a=b",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 415
    assert (await auth.send("GET", "/v1/auth/register")).status_code == 405
    assert (await auth.send("GET", "/v1/auth/nothing")).status_code == 404
    big = await auth.send("POST", "/v1/auth/register", content=b"x" * 3_000_000)
    assert big.status_code == 413
    odd = await auth.send("DELETE", "/v1/admin/organizations/%00/api-keys/%00", ada.principal)
    assert odd.status_code == 422


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    sorted({name for row in SERVICE.operations if row.body for name in row.body.model_fields})
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=st.dictionaries(FIELDS, JSON, max_size=6))
async def test_no_body_is_too_odd(auth: Auth, ada: Person, body: dict[str, Any]) -> None:
    for operation in SERVICE.operations:
        if operation.body is None:
            continue
        principal = GATEWAY if operation.internal else ada.principal
        path = operation.path.replace("{org_id}", ada.claims.org)
        answer = await auth.send("POST", path, principal, json=body)
        assert answer.status_code < 500, (path, answer.text)


async def test_bodies_do_not_show_their_secrets() -> None:
    for operation in SERVICE.operations:
        if operation.body is None:
            continue
        secret = {"password": PASSWORD, "token": "t0k3n", "api_key": "trw_live_x"}
        shown = repr(operation.body.model_construct(None, **secret))
        for value in secret.values():
            assert value not in shown, operation.path
