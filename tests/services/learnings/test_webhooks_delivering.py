"""Delivering messages: signed, and again after failures."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.learnings.webhooks import rules
from services.learnings.webhooks.models import Health, Outcome
from services.learnings.webhooks.operations import courier as couriers
from services.learnings.webhooks.operations import sweep
from shared.db import Database
from tests.gateway.fake_service import Asked, FakeService
from tests.services.learnings.conftest import Tenant
from tests.services.learnings.webhooks_support import (
    Hooks,
    Sql,
    answer_with,
    courier,
    got,
    make_due,
    queue,
    receiver,
    silence,
    verified,
)
from tests.support.postgres import DatabaseUrls


@pytest.fixture(autouse=True)
async def _alone(monkeypatch: pytest.MonkeyPatch, sql: Sql) -> None:
    """What another process queues is found soon, and nothing waits from the test before."""
    monkeypatch.setattr(couriers, "POLL", 0.02)
    await sql.execute("DELETE FROM learnings.webhook")


@pytest.fixture
async def target() -> AsyncIterator[FakeService]:
    async with receiver() as service:
        yield service


@pytest.fixture
async def delivered(urls: DatabaseUrls, tmp_path: Path) -> AsyncIterator[Database]:
    """One process delivers."""
    async with courier(urls, tmp_path) as database:
        yield database


@pytest.fixture
def hooks(tenant: Tenant) -> Hooks:
    return Hooks(tenant)


async def test_a_message_is_signed_as_the_specification_says(
    hooks: Hooks, target: FakeService, delivered: Database
) -> None:
    made = await hooks.create(target.url + "/in?key=1")
    queued = await hooks.test(made["id"])
    asked = (await got(target, 1))[0]
    assert (asked.method, asked.target) == ("POST", "/in?key=1")
    content = verified(made["secret"], asked)
    assert content["type"] == "webhook.test"
    assert content["data"]["webhook_id"] == made["id"]
    assert datetime.fromisoformat(content["timestamp"]).tzinfo is not None
    assert asked.header("webhook-id") == queued["message_id"]
    assert asked.header("content-type") == "application/json"
    assert abs(int(asked.header("webhook-timestamp")) - datetime.now(UTC).timestamp()) < 60
    shown = await hooks.tried(made["id"])
    assert shown["status"] == "delivered"
    assert (shown["attempts"], shown["response_status"], shown["error"]) == (1, 204, None)
    assert shown["next_attempt_at"] is None
    assert shown["finished_at"] is not None
    assert (await hooks.show(made["id"]))["last_success_at"] is not None
    forged = Asked(asked.method, asked.target, asked.headers, asked.body + b" ")
    with pytest.raises(WebhookVerificationError):
        verified(made["secret"], forged)


async def test_after_a_rotation_both_secrets_sign_until_the_old_one_ends(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    made = await hooks.create(target.url)
    answer = await hooks.tenant.send("POST", f"/v1/webhooks/{made['id']}/rotate")
    secret = answer.json()["secret"]
    await hooks.test(made["id"])
    asked = (await got(target, 1))[0]
    assert verified(secret, asked) == verified(made["secret"], asked)
    assert len(asked.header("webhook-signature").split(" ")) == 2
    await sql.execute(
        "UPDATE learnings.webhook SET old_secret_ends_at = now() WHERE id = $1", made["id"]
    )
    await hooks.test(made["id"])
    asked = (await got(target, 2))[1]
    verified(secret, asked)
    with pytest.raises(WebhookVerificationError):
        verified(made["secret"], asked)


async def test_what_failed_is_tried_again_under_the_same_id(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    target.behave = answer_with(500, b"no \x00 room\xff" + b"x" * 5_000)
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    shown = await hooks.tried(made["id"])
    assert (shown["status"], shown["error"], shown["response_status"]) == ("pending", "status", 500)
    assert shown["response_text"].startswith("no \ufffd room\ufffdxxx")
    assert len(shown["response_text"]) == 1_024
    wait = datetime.fromisoformat(shown["next_attempt_at"]) - datetime.now(UTC)
    assert timedelta(0) < wait < timedelta(seconds=6)
    standing = await hooks.show(made["id"])
    assert standing["failing_since"] is not None
    target.behave = answer_with(200, b"ok")
    await make_due(sql, hooks.tenant.org)
    shown = await hooks.tried(made["id"], 2)
    assert (shown["status"], shown["response_text"]) == ("delivered", "ok")
    first, second = target.asked
    assert first.header("webhook-id") == second.header("webhook-id")
    assert first.body == second.body
    assert verified(made["secret"], second)
    assert (await hooks.show(made["id"]))["failing_since"] is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (600, "status"),
        (204, None),
        (299, None),
        (302, "redirect"),
        (400, "status"),
        (503, "status"),
    ],
)
async def test_only_2xx_is_success_and_no_redirect_is_followed(
    hooks: Hooks, target: FakeService, delivered: Database, status: int, error: str | None
) -> None:
    target.behave = answer_with(status, b"", f"location: {target.url}/elsewhere")
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    shown = await hooks.tried(made["id"])
    assert (shown["error"], shown["response_status"]) == (error, status)
    assert len(target.asked) == 1


async def test_an_address_that_is_gone_is_left_alone_at_once(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    target.behave = answer_with(410)
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    shown = await hooks.tried(made["id"])
    assert (shown["status"], shown["error"]) == ("failed", "gone")
    standing = await hooks.show(made["id"])
    assert (standing["enabled"], standing["disabled_reason"]) == (False, "gone")
    await queue(sql, hooks.tenant.org, made["id"], 3)
    # What waits is delivered when the webhook is enabled again.
    target.behave = answer_with(204)
    await hooks.change(made["id"], enabled=True)
    await got(target, 4)
    assert (await hooks.show(made["id"]))["disabled_reason"] is None


async def test_a_target_without_an_answer_is_given_up_in_time(
    hooks: Hooks, target: FakeService, delivered: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "SEND_SECONDS", 0.2)
    target.behave = silence
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    shown = await hooks.tried(made["id"])
    assert (shown["error"], shown["response_status"]) == ("timeout", None)
    assert shown["duration_ms"] >= 200


async def test_nobody_there_is_a_failure_like_others(
    hooks: Hooks, target: FakeService, delivered: Database
) -> None:
    await target.stop()
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    assert (await hooks.tried(made["id"]))["error"] == "not_connected"


async def test_a_delivery_is_given_up_after_ten_attempts_and_tried_again_by_hand(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    target.behave = answer_with(500)
    made = await hooks.create(target.url)
    queued = await hooks.test(made["id"])
    for attempt in range(1, 10):
        assert (await hooks.tried(made["id"], attempt))["status"] == "pending"
        await make_due(sql, hooks.tenant.org)
    shown = await hooks.tried(made["id"], 10)
    assert (shown["status"], shown["error"]) == ("failed", "status")
    target.behave = answer_with(204)
    path = f"/v1/webhooks/{made['id']}/deliveries/{queued['id']}/redeliver"
    answer = await hooks.tenant.send("POST", path)
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    shown = await hooks.tried(made["id"], 11)
    assert (shown["status"], shown["attempts"]) == ("delivered", 11)
    assert {asked.header("webhook-id") for asked in target.asked} == {queued["message_id"]}


async def test_ten_deliveries_given_up_disable_a_webhook(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    target.behave = answer_with(500)
    made = await hooks.create(target.url)
    await sql.execute("UPDATE learnings.webhook SET given_up = 9 WHERE id = $1", made["id"])
    await hooks.test(made["id"])
    await hooks.tried(made["id"])
    assert (await hooks.show(made["id"]))["enabled"]
    await sql.execute(
        "UPDATE learnings.webhook_delivery SET attempts = 9 WHERE webhook_id = $1", made["id"]
    )
    await make_due(sql, hooks.tenant.org)
    await hooks.tried(made["id"], 10)
    standing = await hooks.show(made["id"])
    assert (standing["enabled"], standing["disabled_reason"]) == (False, "failing")


async def test_five_days_of_failures_disable_a_webhook(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    target.behave = answer_with(500)
    made = await hooks.create(target.url)
    await sql.execute(
        "UPDATE learnings.webhook SET failing_since = now() - interval '5 days 1 minute'"
        " WHERE id = $1",
        made["id"],
    )
    await hooks.test(made["id"])
    await hooks.tried(made["id"])
    assert (await hooks.show(made["id"]))["disabled_reason"] == "failing"


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
    ],
)
async def test_metadata_is_not_reached_whatever_stands_in_the_table(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql, url: str
) -> None:
    made = await hooks.create(target.url)
    await sql.execute("UPDATE learnings.webhook SET url = $1 WHERE id = $2", url, made["id"])
    await hooks.test(made["id"])
    shown = await hooks.tried(made["id"])
    # Some spellings are no address to every resolver.
    assert shown["error"] in ("not_allowed", "not_resolved")
    assert shown["response_status"] is None


async def test_a_change_of_policy_holds_for_webhooks_that_were_there(
    hooks: Hooks, target: FakeService, urls: DatabaseUrls, tmp_path: Path
) -> None:
    made = await hooks.create(target.url)
    await hooks.test(made["id"])
    async with courier(urls, tmp_path, GUILDHALL_ALLOW_PRIVATE_TARGETS=False):
        assert (await hooks.tried(made["id"]))["error"] == "not_allowed"
    assert target.connections == 0


async def test_an_address_that_keeps_failing_rests_but_not_from_its_owner(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    target.behave = answer_with(500)
    made = await hooks.create(target.url)
    await sql.execute("UPDATE learnings.webhook SET failures = 20 WHERE id = $1", made["id"])
    await hooks.test(made["id"])
    await hooks.tried(made["id"])
    rests = "SELECT rests_until - now() FROM learnings.webhook WHERE id = $1"
    assert timedelta(seconds=50) < await sql.fetchval(rests, made["id"]) < timedelta(seconds=61)
    target.behave = answer_with(204)
    await hooks.test(made["id"])
    assert (await hooks.tried(made["id"]))["status"] == "delivered"
    assert await sql.fetchval(rests, made["id"]) is None


async def test_what_is_older_than_a_month_is_swept(
    hooks: Hooks, target: FakeService, delivered: Database, sql: Sql
) -> None:
    made = await hooks.create(target.url)
    old, new = await hooks.test(made["id"]), await hooks.test(made["id"])
    await got(target, 2)
    await sql.execute(
        "UPDATE learnings.webhook_message SET created_at = now() - interval '31 days'"
        " WHERE org_id = $1 AND id = $2",
        hooks.tenant.org,
        old["message_id"],
    )
    await sweep(delivered)
    assert [item["id"] for item in await hooks.deliveries(made["id"])] == [new["id"]]


def test_delays_spread_and_end() -> None:
    for attempt, delay in enumerate(rules.DELAYS, 1):
        seen = {rules.delay_after(attempt, "status") for _ in range(50)}
        assert len(seen) > 10
        assert all(one is not None and delay <= one <= delay * 1.2 for one in seen)
    assert rules.delay_after(10, "status") is None
    assert rules.delay_after(1, "gone") is None
    assert rules.delay_after(1, "") is None


def test_a_success_makes_good_what_was_before() -> None:
    now = datetime.now(UTC)

    def outcome(error: str, delay_s: float | None) -> Outcome:
        return Outcome("dlv_1", 1, error, None, "", 1, delay_s)

    failed, lost, well = outcome("status", 5.0), outcome("status", None), outcome("", None)
    health = rules.health_after(Health(), [failed, lost], now)
    assert health == Health(2, now, 1)
    later = now + timedelta(days=5, seconds=1)
    assert rules.reason_to_disable(health, [failed], now) is None
    assert rules.reason_to_disable(health, [failed], later) == "failing"
    assert rules.health_after(health, [failed, well], now) == Health()
    rests = [rules.rest_after(Health(failures)) for failures in range(12)]
    assert rests[:3] == [0, 0, 0]
    assert all(before <= after for before, after in itertools.pairwise(rests))
    assert rests[-1] == rules.LONGEST_REST


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example of the specification's own libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    key = Webhook(secret)._whsecret
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert rules.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected
    assert rules.secret_text(key) == secret
    assert json.loads(rules.body_of("x", datetime(2026, 1, 2, tzinfo=UTC), '{"a":1}')) == {
        "type": "x",
        "timestamp": "2026-01-02T00:00:00Z",
        "data": {"a": 1},
    }
