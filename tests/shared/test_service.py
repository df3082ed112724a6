"""What every service does alike, shown on a small service of our own with all four surfaces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, ClassVar

import httpx
import pytest
from pydantic import Field

from shared.api import Answer, Body, Call, Operation, Query, Reply
from shared.errors import Conflict
from shared.principal import ANONYMOUS, Kind, Principal, sign_assertion
from shared.service import Service
from shared.settings import ServiceSettings, settings_config
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY, asserting, client_of, person, settings_for

PREFIXES = ("/v1", "/api/v1", "/api", "/api/v0")


class TeamsSettings(ServiceSettings):
    """Settings of the service under test, which borrows an empty house's schema."""

    model_config = settings_config("teams")
    service: ClassVar[str] = "teams"


class Thing(Body):
    """A body with rules of every sort."""

    name: Annotated[str, Field(min_length=1, max_length=10)]
    size: Annotated[float, Field(ge=0, le=1)] = 0.5
    tags: list[str] = []
    free: dict[str, Any] = {}


class Wanted(Query):
    """A query with a list and a number."""

    tag: list[str] = []
    limit: Annotated[int, Field(ge=1, le=10)] = 5


class Made(Answer):
    """What the operations answer."""

    name: str
    calls: int = 0


calls: list[str] = []
sizes: list[int] = []


async def make(call: Call[Thing, Wanted]) -> Made:
    calls.append(call.body.name)
    if call.body.name == "taken":
        raise Conflict
    return Made(name=call.body.name, calls=len(calls))


async def measure(call: Call[Body, Query]) -> Made:
    sizes.append(sum([len(piece) async for piece in call.pieces]))
    return Made(name="measured", calls=sizes[-1])


async def find(call: Call[Body, Wanted]) -> Made:
    return Made(name=call.path["id"] + "".join(call.query.tag), calls=call.query.limit)


async def fixed(call: Call[Body, Query]) -> Reply:
    return Reply(None, 204)


async def crash(call: Call[Body, Query]) -> Made:
    raise RuntimeError("the password is swordfish")


async def probe(call: Call[Body, Query]) -> Made:
    return Made(name=call.principal.subject)


def operations(prefix: str) -> list[Operation]:
    def row(method: str, path: str, endpoint: Any, **options: Any) -> Operation:
        options.setdefault("scope", "things:write")
        return Operation(
            method=method, path=prefix + path, endpoint=endpoint, summary="A thing",
            answer=Made, **options,
        )  # fmt: skip

    return [
        row("POST", "/things", make, status=201, body=Thing, query=Wanted, idempotent=True),
        row("POST", "/measured", measure, body=Thing, raw=True, idempotent=True, body_limit=9),
        row("GET", "/things/{id}", find, query=Wanted),
        row("DELETE", "/things/fixed", fixed),
        row("GET", "/things/fixed", fixed),
        row("GET", "/crash", crash),
        row("POST", "/secret", make, body=Thing, no_store=True, scope=None, admin=True),
        row("GET", "/open", probe, scope=None, public=True),
        row("GET", "/sibling", probe, scope=None, internal=True),
    ]


SERVICE = Service(
    name="teams",
    settings=TeamsSettings,
    migrations=Path("services/teams/migrations"),
    operations=[row for prefix in PREFIXES for row in operations(prefix)],
)


@pytest.fixture
async def client(database_urls: DatabaseUrls) -> AsyncIterator[httpx.AsyncClient]:
    calls.clear()
    settings = settings_for(SERVICE, database_urls)
    async with client_of(SERVICE, settings) as made:
        made.headers.update(asserting("teams", person()))
        yield made


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_errors_come_in_the_dialect_of_the_path(
    client: httpx.AsyncClient, prefix: str
) -> None:
    invalid = 400 if prefix == "/api" else 422
    cases = {
        404: await client.get(prefix + "/nowhere"),
        405: await client.put(prefix + "/things"),
        413: await client.post(prefix + "/things", content=b"x" * 3_000_000),
        415: await client.post(prefix + "/things", data={"name": "a"}),
        500: await client.get(prefix + "/crash"),
    }
    for status, response in cases.items():
        assert response.status_code == status
        assert response.headers["content-type"] == "application/json"
        assert "swordfish" not in response.text
        shape = set(response.json())
        assert (
            shape
            in {
                "/v1": [{"detail"}],
                "/api/v1": [{"type", "detail", "error"}],
                "/api": [{"error"}, {"errors", "error"}],
                "/api/v0": [{"error", "message"}],
            }[prefix]
        )
    assert cases[405].headers["allow"] == "POST"
    wrong = await client.post(
        prefix + "/things?limit=99", json={"name": "", "size": 7, "tags": ["a", 3]}
    )
    assert wrong.status_code == invalid
    for place in ("limit", "name", "size", "tags"):
        assert place in wrong.text
    assert calls == []


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (b"{", 400, "not valid JSON"),
        (b"\xff\xfe", 400, "not valid JSON"),
        (b'{"name": NaN}', 400, "not valid JSON"),
        (b'{"name": "\\ud800"}', 400, "not valid JSON"),
        (b"[" * 5000, 400, "not valid JSON"),
        (b"[]", 422, "body"),
        (b'"text"', 422, "body"),
        (b"null", 422, "body"),
        (b'{"name": 3}', 422, "name"),
        (b'{"name": "a\\u0000b"}', 422, "NUL"),
        (b'{"name": "a", "free": {"x": [{"y": "\\u0000"}]}}', 422, '"x",0,"y"'),
        (b'{"name": "a", "free": {"\\u0000": 1}}', 422, "NUL"),
        (b"", 422, "name"),
    ],
)
async def test_bad_bodies_are_refused_with_a_reason(
    client: httpx.AsyncClient, content: bytes, status: int, word: str
) -> None:
    headers = {"content-type": "application/json"}
    response = await client.post("/v1/things", content=content, headers=headers)
    assert response.status_code == status
    assert word in response.text
    assert calls == []


async def test_paths_queries_and_fixed_routes(client: httpx.AsyncClient) -> None:
    found = await client.get("/v1/things/x%C3%A9", params={"tag": ["a", "b"], "other": "1"})
    assert found.json() == {"name": "xéab", "calls": 5}
    assert (await client.get("/v1/things/fixed")).status_code == 204
    assert (await client.get("/v1/things/x/")).json()["name"] == "x"
    assert (await client.get("http://teams//v1/things/x")).json()["name"] == "x"
    assert (await client.get("/v1/things/a%00b")).status_code == 422
    assert (await client.get("/v1/things/x?tag=%00")).status_code == 422
    assert (await client.head("/v1/things/x")).status_code == 200


async def test_request_ids_are_echoed_or_replaced(client: httpx.AsyncClient) -> None:
    kept = await client.get("/v1/things/x", headers={"x-request-id": "abc.DEF_1-2"})
    assert kept.headers["x-request-id"] == "abc.DEF_1-2"
    for bad in (b"a b", b"x" * 65, b"\xc3\xa4", b""):
        made = await client.get("/v1/nowhere", headers=[(b"x-request-id", bad)])
        assert made.headers["x-request-id"].startswith("req_")


async def test_scopes_and_roles_guard_operations(client: httpx.AsyncClient) -> None:
    async def status(method: str, path: str, principal: Principal) -> httpx.Response:
        headers = asserting("teams", principal)
        return await client.request(method, path, json={"name": "a"}, headers=headers)

    narrow = Principal(Kind.API_KEY, "key_1", "org_one", "owner", ("things:read",))
    wide = Principal(Kind.API_KEY, "key_1", "org_one", "owner", ("*",))
    member = person(role="member")
    refused = await status("POST", "/v1/things", narrow)
    assert refused.status_code == 403
    assert refused.json() == {"detail": "Missing scope: things:write"}
    assert (await status("POST", "/v1/things", wide)).status_code == 201
    for principal in (wide, member):
        refused = await status("POST", "/v1/secret", principal)
        assert (refused.status_code, refused.json()) == (403, {"detail": "Admin role required"})
    allowed = await status("POST", "/v1/secret", person())
    assert allowed.headers["cache-control"] == "no-store"
    assert (await status("GET", "/v1/open", ANONYMOUS)).status_code == 200
    assert (await status("GET", "/v1/things/x", ANONYMOUS)).status_code == 401
    sibling = Principal(Kind.SERVICE, "gateway")
    assert (await status("GET", "/v1/sibling", sibling)).json()["name"] == "gateway"
    assert (await status("GET", "/v1/sibling", person())).status_code == 401


async def test_without_a_true_assertion_everything_is_refused(client: httpx.AsyncClient) -> None:
    del client.headers["x-guildhall-assertion"]
    good = asserting("teams", person())["x-guildhall-assertion"]
    now = time.time()
    bad = {
        "none": None,
        "empty": "",
        "no signature": good.partition(".")[0],
        "flipped": good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1],
        "foreign audience": sign_assertion(ASSERTION_KEY, "auth", person(), now),
        "foreign key": sign_assertion(bytes(32), "teams", person(), now),
        "expired": sign_assertion(ASSERTION_KEY, "teams", person(), now - 31),
        "too long": sign_assertion(ASSERTION_KEY, "teams", person(), now + 60),
        "padded": good + "=",
    }
    for path in ("/v1/things/x", "/v1/open", "/v1/sibling", "/nowhere", "/internal/openapi.json"):
        for name, assertion in bad.items():
            headers = {} if assertion is None else {"x-guildhall-assertion": assertion}
            assert (await client.get(path, headers=headers)).status_code == 401, (path, name)
    for path in ("/health", "/health/ready", "/metrics"):
        assert (await client.get(path)).status_code == 200


async def test_an_idempotency_key_gives_the_first_answer_again(client: httpx.AsyncClient) -> None:
    async def post(name: str, key: str, principal: Principal | None = None) -> httpx.Response:
        headers = {"idempotency-key": key} | asserting("teams", principal or person())
        return await client.post("/v1/things", json={"name": name}, headers=headers)

    first = await post("a", "k1")
    again = await post("a", "k1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replay"] == "true"
    assert (await post("b", "k1")).status_code == 422
    other = await post("a", "k1", person(org="org_two", account="usr_two"))
    assert "idempotent-replay" not in other.headers
    assert calls == ["a", "a"]
    assert (await post("taken", "k2")).status_code == 409
    assert (await post("b", "k2")).status_code == 201, "a refusal frees the key"
    assert (await post("a", "x" * 256)).status_code == 422
    answers = await asyncio.gather(*(post("c", "k3") for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert calls.count("c") == 1


async def test_an_idempotency_key_goes_with_a_body_that_the_endpoint_reads(
    client: httpx.AsyncClient,
) -> None:
    async def post(content: bytes, **headers: str) -> httpx.Response:
        headers |= asserting("teams", person())
        return await client.post("/v1/measured", content=content, headers=headers)

    key = {"idempotency-key": "raw"}
    answers = [await post(b"12345", **key), await post(b"12345", **key), await post(b"12345")]
    assert [answer.json()["calls"] for answer in answers] == [5, 5, 5]
    assert [answer.headers.get("idempotent-replay") for answer in answers] == [None, "true", None]
    assert (await post(b"54321", **key)).status_code == 422
    assert (await post(b"1234567890", **{"idempotency-key": "large"})).status_code == 413
    assert sizes == [5, 5]


async def test_the_document_lists_public_operations(client: httpx.AsyncClient) -> None:
    document = (await client.get("/internal/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    assert "/v1/sibling" not in document["paths"]
    create = document["paths"]["/v1/things"]["post"]
    assert create["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/teams.Thing"
    }
    assert {"201", "400", "401", "403", "413", "415", "422", "429"} <= set(create["responses"])
    assert document["paths"]["/v1/open"]["get"]["security"] == []


@pytest.mark.parametrize(
    "options",
    [{}, {"scope": "a:b", "public": True}, {"scope": "a:b", "idempotent": True, "no_store": True}],
)
def test_a_row_that_contradicts_itself_is_refused_at_import(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="/v1/x"):
        Operation(
            method="GET", path="/v1/x", endpoint=fixed, summary="", answer=None, **options
        )  # fmt: skip
