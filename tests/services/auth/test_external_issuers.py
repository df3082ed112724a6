"""What is kept of an issuer, for how long, and how often it is asked."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote_plus

import pytest

from services.auth.external_logins.models import TrustedIssuer
from services.auth.external_logins.operations.issuers import Issuer
from services.auth.external_logins.rules.id_tokens import BadIdToken
from shared.errors import ServiceError, Unauthenticated, Unavailable
from shared.fetch import Fetcher
from shared.targets import TargetPolicy
from tests.gateway.fake_service import Asked
from tests.services.auth.external_support import (
    CLIENT,
    SECRET,
    WELL_KNOWN,
    FakeIssuer,
    ec_signer,
    fake_issuer,
)


@dataclass
class Clock:
    """Stands still until a test moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def fake() -> AsyncIterator[FakeIssuer]:
    async with fake_issuer() as fake:
        yield fake


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher.opened(TargetPolicy(allow_private=True)) as fetcher:
        yield fetcher


def known(fake: FakeIssuer, fetcher: Fetcher, clock: Clock, **fields: Any) -> Issuer:
    return Issuer(TrustedIssuer(**fake.settings(**fields)), fetcher, clock)


@pytest.fixture
def issuer(fake: FakeIssuer, fetcher: Fetcher, clock: Clock) -> Issuer:
    return known(fake, fetcher, clock)


def fetches(fake: FakeIssuer) -> tuple[int, int]:
    return len(fake.asked(WELL_KNOWN)), len(fake.asked("/keys"))


async def test_documents_are_fetched_when_needed_and_kept(
    fake: FakeIssuer, issuer: Issuer, clock: Clock
) -> None:
    assert fetches(fake) == (0, 0)
    for _ in range(3):
        assert (await issuer.read(fake.id_token())).subject == "ada"
    assert fetches(fake) == (1, 1)
    clock.now += 601
    await issuer.read(fake.id_token())
    assert fetches(fake) == (1, 2)
    clock.now += 3601
    await issuer.read(fake.id_token())
    assert fetches(fake) == (2, 3)


async def test_many_at_once_fetch_once(fake: FakeIssuer, issuer: Issuer) -> None:
    await asyncio.gather(*(issuer.read(fake.id_token()) for _ in range(50)))
    assert fetches(fake) == (1, 1)


async def test_a_new_key_is_found(fake: FakeIssuer, issuer: Issuer, clock: Clock) -> None:
    await issuer.read(fake.id_token())
    fake.signer = ec_signer("next")
    clock.now += 31
    assert (await issuer.read(fake.id_token())).subject == "ada"
    assert fetches(fake) == (1, 2)


async def test_noise_does_not_make_us_fetch(fake: FakeIssuer, issuer: Issuer, clock: Clock) -> None:
    await issuer.read(fake.id_token())
    claims = fake.standard()
    strangers = [ec_signer(f"stranger {number}").sign(claims) for number in range(200)]
    for tokens in (strangers[:100], strangers[100:]):
        clock.now += 31
        results = await asyncio.gather(
            *(issuer.read(token) for token in tokens), return_exceptions=True
        )
        assert all(isinstance(result, BadIdToken) for result in results)
    # One refresh for each half minute, whoever asked for it.
    assert fetches(fake) == (1, 3)
    assert (await issuer.read(fake.id_token())).subject == "ada"


async def test_what_is_known_outlives_the_issuer_by_a_day(
    fake: FakeIssuer, issuer: Issuer, clock: Clock
) -> None:
    await issuer.read(fake.id_token())
    fake.answers["/keys"] = fake.answers[WELL_KNOWN] = (503, {})
    clock.now += 80_000
    assert (await issuer.read(fake.id_token())).subject == "ada"
    await issuer.discovery()
    clock.now += 10_000
    with pytest.raises(Unavailable) as raised:
        await issuer.read(fake.id_token())
    assert 1 <= raised.value.retry_after <= 31


async def test_an_issuer_that_is_away_is_asked_now_and_then(
    fake: FakeIssuer, issuer: Issuer, clock: Clock
) -> None:
    document = fake.answers[WELL_KNOWN]
    fake.answers[WELL_KNOWN] = (500, {})
    for _ in range(10):
        with pytest.raises(Unavailable):
            await issuer.discovery()
    assert len(fake.asked(WELL_KNOWN)) == 1
    clock.now += 31
    fake.answers[WELL_KNOWN] = document
    assert (await issuer.discovery()).jwks_uri == f"{fake.url}/keys"


async def test_one_who_gives_up_waiting_stops_nobody_else(fake: FakeIssuer, issuer: Issuer) -> None:
    honest, asked_once = fake.service.behave, asyncio.Event()

    async def hang(
        asked: Asked, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fake.service.behave = honest
        asked_once.set()
        await asyncio.Event().wait()

    fake.service.behave = hang
    impatient = asyncio.ensure_future(issuer.discovery())
    await asked_once.wait()
    patient = asyncio.ensure_future(issuer.discovery())
    impatient.cancel()
    assert (await patient).jwks_uri == f"{fake.url}/keys"
    await asyncio.gather(impatient, return_exceptions=True)


async def test_an_unknown_key_of_an_issuer_that_is_away_may_well_exist(
    fake: FakeIssuer, issuer: Issuer, clock: Clock
) -> None:
    await issuer.read(fake.id_token())
    fake.answers["/keys"] = (503, {})
    clock.now += 31
    token = ec_signer("next").sign(fake.standard())
    for _ in range(2):
        with pytest.raises(Unavailable):
            await issuer.read(token)
    assert len(fake.asked("/keys")) == 2


async def test_an_issuer_that_is_gone_is_away(fake: FakeIssuer, issuer: Issuer) -> None:
    await fake.service.stop()
    with pytest.raises(Unavailable):
        await issuer.discovery()
    await fake.service.start()


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (WELL_KNOWN, (200, b"")),
        (WELL_KNOWN, (200, b"<html>")),
        (WELL_KNOWN, (200, [])),
        (WELL_KNOWN, (302, {})),
        (WELL_KNOWN, (404, {})),
        ("/keys", (200, b"")),
        ("/keys", (200, {"keys": []})),
        ("/keys", (200, {"keys": [{"kty": "oct", "k": "AAAA"}]})),
        ("/keys", (404, {"keys": [ec_signer().jwk()]})),
        ("/keys", (200, b'{"keys":[' + b" " * 2_000_000 + b"]}")),
    ],
)
async def test_nonsense_is_an_outage(
    fake: FakeIssuer, issuer: Issuer, path: str, answer: tuple[int, Any]
) -> None:
    fake.answers[path] = answer
    with pytest.raises(Unavailable):
        await issuer.read(fake.id_token())


@pytest.mark.parametrize(
    "fields",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"issuer": "{url}/"},
        {"jwks_uri": None},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "javascript:alert(1)"},
        {"jwks_uri": 7},
        {"jwks_uri": "https://"},
        {"jwks_uri": "http://x/" + "y" * 2000},
        {"token_endpoint": "data:,x"},
        {"token_endpoint": "http://ü.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "/authorize"},
        {"authorization_endpoint": "http://x\r\nset-cookie: a=b"},
        {"userinfo_endpoint": "ftp://x"},
    ],
)
async def test_a_discovery_that_points_elsewhere_is_not_believed(
    fake: FakeIssuer, issuer: Issuer, fields: dict[str, Any]
) -> None:
    changed = {
        name: value.replace("{url}", fake.url) if isinstance(value, str) else value
        for name, value in fields.items()
    }
    fake.answers[WELL_KNOWN] = (200, fake.document(**changed))
    with pytest.raises(Unavailable):
        await issuer.discovery()


def test_an_https_issuer_may_not_point_to_http(fake: FakeIssuer, fetcher: Fetcher) -> None:
    issuer = known(fake, fetcher, Clock(), issuer="https://id.example")
    with pytest.raises(Exception, match="endpoint"):
        issuer._endpoint("http://id.example/keys")
    assert issuer._endpoint("https://keys.example/") == "https://keys.example/"


@pytest.mark.parametrize(
    "inside",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://0.0.0.0/",
        "http://[fe80::1]/",
    ],
)
async def test_documents_lead_to_no_metadata(fake: FakeIssuer, issuer: Issuer, inside: str) -> None:
    fake.answers[WELL_KNOWN] = (200, fake.document(jwks_uri=inside, token_endpoint=inside))
    with pytest.raises(Unavailable):
        await issuer.read(fake.id_token())
    with pytest.raises(Unavailable):
        await issuer.exchange("code", "verifier", "https://us/callback")
    assert len(fake.asked(WELL_KNOWN)) == 1


async def test_a_code_is_exchanged_with_the_secret_in_the_header(
    fake: FakeIssuer, fetcher: Fetcher, clock: Clock
) -> None:
    issuer = known(fake, fetcher, clock, client_secret=SECRET)
    answer = await issuer.exchange("the code", "the verifier", "https://us/callback")
    assert answer.access_token == "access"
    (asked,) = fake.asked("/token")
    name, _, secret = (
        base64.b64decode(asked.header("authorization").removeprefix("Basic "))
        .decode()
        .partition(":")
    )
    assert (unquote_plus(name), unquote_plus(secret)) == (CLIENT, SECRET)
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["authorization_code"],
        "code": ["the code"],
        "redirect_uri": ["https://us/callback"],
        "code_verifier": ["the verifier"],
    }


async def test_a_secret_goes_into_the_form_only_where_it_must(
    fake: FakeIssuer, fetcher: Fetcher, clock: Clock
) -> None:
    methods = ["client_secret_post", "private_key_jwt"]
    fake.answers[WELL_KNOWN] = (
        200,
        fake.document(token_endpoint_auth_methods_supported=methods),
    )
    issuer = known(fake, fetcher, clock, client_secret=SECRET)
    await issuer.exchange("code", "verifier", "https://us/callback")
    (asked,) = fake.asked("/token")
    form = parse_qs(asked.body.decode())
    assert (form["client_id"], form["client_secret"]) == ([CLIENT], [SECRET])
    assert asked.header("authorization") == ""


async def test_a_public_client_only_names_itself(fake: FakeIssuer, issuer: Issuer) -> None:
    await issuer.exchange("code", "verifier", "https://us/callback")
    (asked,) = fake.asked("/token")
    assert parse_qs(asked.body.decode())["client_id"] == [CLIENT]
    assert asked.header("authorization") == ""


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((400, {"error": "invalid_grant"}), Unauthenticated),
        ((401, {"error": "invalid_client"}), Unauthenticated),
        ((403, b"no"), Unauthenticated),
        ((302, {}), Unauthenticated),
        ((200, {}), Unauthenticated),
        ((200, {"id_token": 7}), Unauthenticated),
        ((200, b"[]"), Unauthenticated),
        ((429, {}), Unavailable),
        ((500, {}), Unavailable),
        ((503, {"id_token": "x"}), Unavailable),
    ],
)
async def test_a_code_that_is_not_taken(
    fake: FakeIssuer, issuer: Issuer, answer: tuple[int, Any], kind: type[ServiceError]
) -> None:
    fake.answers["/token"] = answer
    with pytest.raises(kind):
        await issuer.exchange("code", "verifier", "https://us/callback")


async def test_userinfo_is_asked_for_what_the_token_leaves_out(
    fake: FakeIssuer, issuer: Issuer
) -> None:
    fake.answers[WELL_KNOWN] = (
        200,
        fake.document(userinfo_endpoint=f"{fake.url}/userinfo"),
    )
    fake.answers["/userinfo"] = (
        200,
        {"sub": "ada", "email": "ada@corp.example", "email_verified": True},
    )
    fake.claims = {"nonce": "n"}
    answer = await issuer.exchange("code", "verifier", "https://us/callback")
    found = await issuer.identify(answer, "n")
    assert (found.email, found.email_verified) == ("ada@corp.example", True)
    (asked,) = fake.asked("/userinfo")
    assert asked.header("authorization") == "Bearer access"

    fake.answers["/userinfo"] = (200, {"sub": "eve", "email": "eve@corp.example"})
    with pytest.raises(BadIdToken):
        await issuer.identify(answer, "n")
    for status, document in ((401, {}), (200, b"a.jwt.here")):
        fake.answers["/userinfo"] = (status, document)
        assert (await issuer.identify(answer, "n")).email is None
