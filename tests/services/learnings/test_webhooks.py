"""What administrators do with webhooks."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.learnings.app import SERVICE
from shared.log import mask
from shared.principal import Kind, Principal, Role
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.webhooks_support import Hooks, Sql
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of, person

URL = "https://hooks.example/in?key=1"


@pytest.fixture
def hooks(tenant: Tenant) -> Hooks:
    return Hooks(tenant)


async def test_a_webhook_is_added_and_its_secret_shown_once(hooks: Hooks, sql: Sql) -> None:
    answer = await hooks.tenant.send("POST", "/v1/webhooks", json={"url": URL})
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    assert made == {
        "id": made["id"],
        "url": URL,
        "events": ["learning.recorded", "learning.changed", "learning.retired"],
        "description": "",
        "enabled": True,
        "disabled_at": None,
        "disabled_reason": None,
        "failing_since": None,
        "last_success_at": None,
        "last_failure_at": None,
        "old_secret_ends_at": None,
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    }
    assert await hooks.show(made["id"]) == made
    listed = (await hooks.tenant.send("GET", "/v1/webhooks")).json()
    assert listed == {"items": [made], "total": 1, "page": 1, "page_size": 50}
    row = await sql.fetchrow("SELECT * FROM learnings.webhook WHERE id = $1", made["id"])
    assert row is not None
    assert base64.b64decode(secret[6:]) not in row["secret"]
    assert secret not in str(dict(row))


async def test_what_is_sent_is_changed_and_nothing_else(hooks: Hooks) -> None:
    made = await hooks.create(URL, description=" CI ", events=["learning.retired"] * 3)
    assert (made["description"], made["events"]) == ("CI", ["learning.retired"])
    changed = await hooks.change(made["id"], url="https://other.example/", unknown=1)
    assert changed["url"] == "https://other.example/"
    assert (changed["description"], changed["events"]) == ("CI", ["learning.retired"])
    assert changed["updated_at"] > made["updated_at"]
    changed = await hooks.change(made["id"], description="", events=["learning.recorded"])
    assert (changed["description"], changed["events"]) == ("", ["learning.recorded"])


async def test_a_webhook_is_disabled_and_enabled_again(hooks: Hooks) -> None:
    made = await hooks.create(URL)
    disabled = await hooks.change(made["id"], enabled=False)
    assert not disabled["enabled"]
    assert disabled["disabled_reason"] == "administrator"
    assert disabled["disabled_at"] is not None
    again = await hooks.change(made["id"], enabled=False)
    assert again["disabled_at"] == disabled["disabled_at"]
    for path in ("test", "deliveries/dlv_x/redeliver"):
        answer = await hooks.tenant.send("POST", f"/v1/webhooks/{made['id']}/{path}")
        assert answer.status_code == 409, answer.text
    enabled = await hooks.change(made["id"], enabled=True)
    assert enabled["enabled"]
    assert (enabled["disabled_at"], enabled["disabled_reason"]) == (None, None)


async def test_a_secret_is_replaced_and_the_old_one_goes_on_for_a_day(hooks: Hooks) -> None:
    made = await hooks.create(URL)
    answer = await hooks.tenant.send("POST", f"/v1/webhooks/{made['id']}/rotate")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    rotated = answer.json()
    assert rotated["secret"] != made["secret"]
    assert rotated["old_secret_ends_at"] is not None
    assert "secret" not in await hooks.show(made["id"])


async def test_a_webhook_goes_with_its_deliveries(hooks: Hooks, sql: Sql) -> None:
    made = await hooks.create(URL)
    await hooks.test(made["id"])
    path = f"/v1/webhooks/{made['id']}"
    answer = await hooks.tenant.send("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await hooks.tenant.send("DELETE", path)).status_code == 404
    assert (await hooks.tenant.send("GET", path + "/deliveries")).status_code == 404
    assert not await sql.fetchval(
        "SELECT count(*) FROM learnings.webhook_delivery WHERE org_id = $1", hooks.tenant.org
    )


async def test_twenty_are_the_most_however_they_race(hooks: Hooks) -> None:
    for _ in range(15):
        await hooks.create(URL)
    body = {"url": URL}
    answers = await asyncio.gather(
        *(hooks.tenant.send("POST", "/v1/webhooks", json=body) for _ in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 5 + [409] * 7
    assert (await hooks.tenant.send("GET", "/v1/webhooks")).json()["total"] == 20


async def test_anothers_webhook_is_not_found(hooks: Hooks, stranger: Tenant) -> None:
    made = await hooks.create(URL)
    delivery = await hooks.test(made["id"])
    path = f"/v1/webhooks/{made['id']}"
    other = await Hooks(stranger).create(URL)
    for method, where in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", path + "/rotate"),
        ("POST", path + "/test"),
        ("GET", path + "/deliveries"),
        ("POST", f"{path}/deliveries/{delivery['id']}/redeliver"),
        # One's own webhook opens nobody else's deliveries either.
        ("POST", f"/v1/webhooks/{other['id']}/deliveries/{delivery['id']}/redeliver"),
    ):
        answer = await stranger.send(method, where, json={"description": "x"})
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not Found"}), where
    assert (await stranger.send("GET", "/v1/webhooks")).json()["total"] == 1
    assert (await hooks.show(made["id"]))["description"] == ""


@pytest.mark.parametrize(
    "principal",
    [
        person(role=Role.MEMBER),
        Principal(Kind.API_KEY, "key_1", "org_1", Role.OWNER, ("*",), "key_1", "usr_1"),
    ],
    ids=["member", "key"],
)
async def test_only_administrators_who_are_people_come_near(
    client: httpx.AsyncClient, principal: Principal
) -> None:
    nobody = Tenant(client, principal)
    for operation in SERVICE.operations:
        if operation.path.startswith("/v1/webhooks"):
            answer = await nobody.send(operation.method, operation.path, json={"url": URL})
            assert answer.status_code == 403, operation
            assert answer.json() == {"detail": "Admin role required"}


async def test_deliveries_are_paged_and_filtered(hooks: Hooks) -> None:
    made = await hooks.create(URL)
    queued = [await hooks.test(made["id"]) for _ in range(5)]
    listed = [item["id"] for item in await hooks.deliveries(made["id"])]
    assert listed == [delivery["id"] for delivery in reversed(queued)]
    second = await hooks.deliveries(made["id"], page=2, page_size=2)
    assert [item["id"] for item in second] == listed[2:4]
    path = f"/v1/webhooks/{made['id']}/deliveries"
    for status, total in (("pending", 5), ("failed", 0), ("delivered", 0)):
        page = (await hooks.tenant.send("GET", path, params={"status": status})).json()
        assert (page["total"], len(page["items"])) == (total, total)
    assert await hooks.deliveries(made["id"], page=1_000_000) == []
    assert queued[0]["next_attempt_at"] is not None
    assert {key: queued[0][key] for key in ("type", "status", "attempts", "error")} == {
        "type": "webhook.test",
        "status": "pending",
        "attempts": 0,
        "error": None,
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        " ",
        "hooks.example",
        "//hooks.example/",
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@hooks.example/",
        "https://user:password@hooks.example/",
        "https://hooks.example/#part",
        "https://hooks.example:0/",
        "https://hooks.example:65536/",
        "https://hooks.example:-1/",
        "https://[::1/",
        "https://hooks.example/\r\nx: y",
        "https://hooks.example/\x7f",
        "https://" + "a" * 70 + ".example/",
        "https://hooks.example/" + "a" * 2_048,
        "https://169.254.169.254/latest/meta-data/",
        "https://2852039166/",
        "https://0xa9fea9fe/",
        "https://0251.0376.0251.0376/",
        "https://169.254.43518/",
        "https://[::ffff:169.254.169.254]/",
        "https://[::ffff:a9fe:a9fe]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[fd00:ec2::254]/",
        "https://0.0.0.0/",
        "https://0/",
        "https://255.255.255.255/",
        5,
        None,
        [],
        {},
        True,
        "\x00",
    ],
)
async def test_an_address_that_is_none_is_refused_by_name(hooks: Hooks, url: Any) -> None:
    answer = await hooks.tenant.send("POST", "/v1/webhooks", json={"url": url})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"] == ["body", "url"]
    assert (await hooks.tenant.send("GET", "/v1/webhooks")).json()["total"] == 0
    made = await hooks.create(URL)
    if url is not None:
        answer = await hooks.tenant.send("PATCH", f"/v1/webhooks/{made['id']}", json={"url": url})
        assert answer.status_code == 422, answer.text
        assert (await hooks.show(made["id"]))["url"] == URL


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("events", []),
        ("events", ["learning.*"]),
        ("events", ["webhook.test"]),
        ("events", "learning.recorded"),
        ("events", [None]),
        ("events", {"a": 1}),
        ("description", 5),
        ("description", "a" * 501),
        ("description", "\x00"),
        ("enabled", "yes"),
        ("enabled", 1),
    ],
)
async def test_wrong_fields_are_named(hooks: Hooks, field: str, value: Any) -> None:
    made = await hooks.create(URL)
    path = f"/v1/webhooks/{made['id']}"
    answer = await hooks.tenant.send("PATCH", path, json={field: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"][0]["loc"][:2] == ["body", field]
    if field != "enabled":
        answer = await hooks.tenant.send("POST", "/v1/webhooks", json={"url": URL, field: value})
        assert answer.status_code == 422, answer.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"5",
        b'"x"',
        b"{",
        b"\xff",
        b'{"url":"https://\\ud800.example/"}',
        b'{"url":1' + b"0" * 400 + b"}",
        b'{"url":NaN}',
        b'{"url":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ],
)
async def test_no_body_makes_the_service_fail(hooks: Hooks, content: bytes) -> None:
    made = await hooks.create(URL)
    for method, path in (("POST", "/v1/webhooks"), ("PATCH", f"/v1/webhooks/{made['id']}")):
        answer = await hooks.tenant.send(method, path, content=content)
        assert answer.status_code in (400, 422), answer.text
    assert (await hooks.tenant.send("GET", "/v1/webhooks")).json()["total"] == 1


@pytest.mark.parametrize("query", ["page=0", "page=x", "page_size=201", "status=lost", "status="])
async def test_wrong_queries_are_refused(hooks: Hooks, query: str) -> None:
    made = await hooks.create(URL)
    answer = await hooks.tenant.send("GET", f"/v1/webhooks/{made['id']}/deliveries?{query}")
    assert answer.status_code == 422, answer.text


@pytest.fixture(scope="module")
async def strict(
    urls: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """A service that may reach public addresses only, but for one network."""
    settings = learnings_settings(
        urls,
        tmp_path_factory.mktemp("strict"),
        GUILDHALL_ALLOW_PRIVATE_TARGETS=False,
        GUILDHALL_URL_ALLOW="10.1.0.0/16",
    )
    async with client_of(SERVICE, settings) as client:
        yield client


@pytest.mark.parametrize(
    ("url", "is_taken"),
    [
        ("https://hooks.example/", True),
        ("https://93.184.216.34/", True),
        ("https://10.1.2.3:8443/", True),
        ("http://hooks.example/", False),
        ("http://10.1.2.3/", False),
        ("https://127.0.0.1/", False),
        ("https://127.1/", False),
        ("https://2130706433/", False),
        ("https://0x7f.0.0.1/", False),
        ("https://[::1]/", False),
        ("https://[::ffff:127.0.0.1]/", False),
        ("https://192.168.1.1/", False),
        ("https://10.2.0.1/", False),
        ("https://[fc00::1]/", False),
    ],
)
async def test_private_addresses_are_open_only_where_settings_say_so(
    strict: httpx.AsyncClient, url: str, is_taken: bool
) -> None:
    tenant = Tenant(strict)
    answer = await tenant.send("POST", "/v1/webhooks", json={"url": url})
    assert answer.status_code == (201 if is_taken else 422), answer.text


async def test_a_person_without_an_organization_has_no_webhooks(client: httpx.AsyncClient) -> None:
    nobody = Tenant(client, person(org="", role=Role.PLATFORM_ADMIN))
    answer = await nobody.send("GET", "/v1/webhooks")
    assert (answer.status_code, answer.json()) == (403, {"detail": "An organization is needed"})


def test_secrets_are_hidden_in_logs() -> None:
    assert "abc" not in mask("key whsec_abcDEF123+/=")
