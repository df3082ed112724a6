"""Tokens of one class never open another's door: every credential at every protected row."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator

import httpx
import pytest

from gateway.route_table import BEARER, SIGNATURE, TABLE, TICKET, Row
from shared.principal import ASSERTION_HEADER, Kind, Principal, sign_assertion
from shared.secret import encode_base64url
from shared.tokens import SigningKey, sign
from tests.gateway.conftest import KEYS, House
from tests.gateway.machines import Machine

ADA = Machine(bytes(range(32)))
# Behind a ticket's door there are only sockets, see test_tickets.py.
PROTECTED = [row for row in TABLE if not row.is_public and row.authenticators != TICKET]
# One door of every class of rows is enough where nothing may open at all.
DOORS = tuple({(row.surface, row.upstream, row.rate_class): row for row in PROTECTED}.values())

OPENS: dict[str, tuple[tuple[str, ...], Kind]] = {
    "token of a person": (BEARER, Kind.USER),
    "token bought with a key": (BEARER, Kind.API_KEY),
    "token of a service account": (BEARER, Kind.SERVICE_ACCOUNT),
    "token of a subject": (BEARER, Kind.SUBJECT),
    "API key": (BEARER, Kind.API_KEY),
    "signature": (SIGNATURE, Kind.MACHINE),
}
"""Which rows' authenticators a credential is for; which of the rows' operations, scopes say."""


def _path(row: Row) -> str:
    return f"{row.prefix}/x" if row.authenticators == BEARER else f"{row.prefix}/{ADA.token}"


def _headers(home: House, credential: str, path: str) -> dict[str, str]:
    if credential == "signature":
        return ADA.headers("GET", path)
    if credential == "API key":
        return home.bearer(home.auth.api_key())
    if credential == "token of a person":
        return home.bearer()
    if credential == "token bought with a key":
        return home.bearer(home.auth.token("key_1"))
    kind = "subject" if credential == "token of a subject" else "service_account"
    sid = f"sas_{secrets.token_hex(4)}"
    home.auth.sessions[sid] = {"active": True, "kind": kind}
    return home.bearer(home.auth.token(sid, org="", role=""))


@pytest.mark.parametrize("credential", OPENS)
async def test_credential_opens_its_own_doors_only(home: House, credential: str) -> None:
    authenticators, kind = OPENS[credential]
    for row in PROTECTED:
        service = home.services[row.upstream]
        service.asked.clear()
        path = _path(row)
        answer = await home.client.get(path, headers=_headers(home, credential, path))
        forwarded = [one for one in service.asked if one.target == path]
        if row.authenticators == authenticators:
            assert answer.status_code == 200, row.prefix
            assert home.principal(row.upstream, forwarded[0]).kind is kind
        else:
            assert answer.status_code == 401, row.prefix
            assert not forwarded


def _assertion(service: str) -> str:
    person = Principal(Kind.USER, "usr_1", "org_1", "platform_admin", ("*",), "ses_1", "usr_1")
    return sign_assertion(KEYS[service], service, person, 4_000_000_000.0)


def _random(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(32)


NOT_CREDENTIALS: dict[str, Callable[[], str]] = {
    "web cookie": lambda: _random("web_"),
    "verification token": lambda: _random("verify_"),
    "reset token": lambda: _random("reset_"),
    "refresh token": lambda: _random("refresh_"),
    "invitation token": lambda: _random("invite_"),
    "device code": lambda: secrets.token_hex(32),
    "user code": lambda: "WDJB-MJHT",
    "challenge": lambda: _random("challenge_"),
    "machine token": lambda: ADA.token,
    "socket ticket": lambda: f"1760000000.{ADA.token}.{ADA.sign(b'x')}",
    "clone token": lambda: _random("trc_cl_"),
    "invite code": lambda: _random("trc_inv_"),
    "session id": lambda: "ses_1",
    "key id": lambda: "key_1",
    "account id": lambda: "usr_1",
    "internal assertion": lambda: _assertion("learnings"),
    "internal assertion of auth": lambda: _assertion("auth"),
    "token of the machine's own making": lambda: sign(
        {
            "iss": "http://guildhall.test",
            "aud": "guildhall",
            "sub": "usr_1",
            "sid": "ses_1",
            "org": "org_1",
            "role": "owner",
            "typ": "access",
            "iat": 1,
            "exp": 9_999_999_999,
            "jti": "x",
        },
        ADA.key,
    ),
    "public key": lambda: encode_base64url(ADA.key.verify_key.public),
    "key of nobody": lambda: SigningKey(secrets.token_bytes(32)).kid,
}


def _shown(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give every way to show a text: the query, and headers."""
    basic = base64.b64encode(f"admin:{text}".encode()).decode()
    yield "", {"authorization": f"Bearer {text}"}
    yield "", {"authorization": text}
    yield "", {"authorization": f"Basic {basic}"}
    yield "", {"authorization": f"Assertion {text}"}
    yield "", {"cookie": f"session={text}; token={text}; access_token={text}"}
    yield "", {"x-api-key": text, "x-auth-token": text}
    yield "", {ASSERTION_HEADER: text}
    yield "", {"x-trc-token": text, "x-trc-signature": text, "x-trc-timestamp": text}
    yield f"?token={text}&access_token={text}", {}


@pytest.mark.parametrize("name", NOT_CREDENTIALS)
async def test_other_secrets_open_no_door(home: House, name: str) -> None:
    text = NOT_CREDENTIALS[name]()
    for row in DOORS:
        for query, headers in _shown(text):
            answer = await home.client.get(_path(row) + query, headers=headers)
            assert answer.status_code == 401, (row.prefix, headers)
    assert home.auth.looked_up == []
    assert not any(one.asked for one in home.services.values() if one is not home.auth)


@pytest.mark.parametrize("credential", ["token of a person", "API key"])
async def test_credential_in_the_wrong_place_opens_nothing(home: House, credential: str) -> None:
    text = _headers(home, credential, "/")["authorization"].removeprefix("Bearer ")
    for row in DOORS:
        for query, headers in _shown(text):
            bearer = headers.get("authorization", "").startswith("Bearer ")
            if bearer or (query and row.takes_query_token):
                continue
            url = httpx.URL(f"http://127.0.0.1:{home.port}{_path(row)}{query}")
            answer = await home.client.get(url, headers=headers)
            assert answer.status_code == 401, (row.prefix, headers)
