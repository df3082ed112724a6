"""The real clients of the learnings surface, of two generations, against the whole system."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support import trw_clients
from tests.support.stack import MakeStack, Stack
from tests.support.trw_clients import TrwClient
from tests.system.people import Person, joined

pytestmark = [pytest.mark.stack, pytest.mark.slow]

LIMIT = 60.0
SWITCHES = (
    "learning_sharing_enabled",
    "platform_telemetry_enabled",
    "team_sync_enabled",
    "backup_remote_enabled",
)


@pytest.fixture(scope="module", autouse=True)
def _clients() -> None:
    if not trw_clients.is_installed():
        assert os.environ.get("CI") != "true"
        pytest.skip("the clients are not installed: python -m tests.prepare")


@pytest.fixture(scope="module")
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
async def ada(stack: Stack, http: httpx.AsyncClient) -> Person:
    """Somebody with an organization."""
    return await joined(http, stack.mail_directory, f"ada-{uuid4().hex}@example.com")


async def key_of(http: httpx.AsyncClient, person: Person) -> str:
    answer = await http.post(
        f"/v1/admin/organizations/{person.org_id}/api-keys",
        json={"name": "a client"},
        headers=person.headers,
    )
    assert answer.status_code == 201, answer.text
    key: str = answer.json()["key"]
    return key


@pytest.fixture(scope="module")
async def clients(
    stack: Stack, http: httpx.AsyncClient, ada: Person, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[list[TrwClient]]:
    """Two installations of the current client in one organization, all switches on."""
    key = await key_of(http, ada)
    folder = tmp_path_factory.mktemp("clients")
    made = [TrwClient(folder / name, "current", stack.base_url, key) for name in ("a", "b")]
    try:
        await asyncio.gather(*(ready(client) for client in made))
        yield made
    finally:
        for client in made:
            client.close()


async def ready(client: TrwClient) -> None:
    (client.project / ".git").mkdir()
    ran = await client.run("init-project", ".")
    assert ran.status == 0, ran.said
    config = client.project / ".trw" / "config.yaml"
    config.write_text(config.read_text() + "".join(f"{name}: true\n" for name in SWITCHES))


async def until_said(process: asyncio.subprocess.Process, pattern: str) -> re.Match[str]:
    """Read a client's output until it says something of this form."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT):
        while line := await process.stdout.readline():
            if match := re.search(pattern, line.decode(errors="replace")):
                return match
    raise AssertionError(f"the client ended without saying {pattern}")


def sync_status(text: str) -> dict[str, Any]:
    """Give the line of JSON that ``sync`` prints."""
    found = [line for line in text.splitlines() if line.startswith('{"targets"')]
    status: dict[str, Any] = json.loads(found[-1])
    return status


async def learned(client: TrwClient, summary: str, detail: str, impact: float = 0.9) -> str:
    """Have the client record a learning of its own; give its id there."""
    ran = await client.run(
        *("local", "learn", "--summary", summary, "--detail", detail, "--impact", str(impact))
    )
    match = re.search(r"Learning recorded: (\S+)", ran.out)
    assert match, ran.said
    return match[1]


async def synced(client: TrwClient, direction: str) -> dict[str, Any]:
    ran = await client.run("sync", direction)
    assert ran.status == 0, ran.said
    return sync_status(ran.out)


async def test_a_device_login_gives_a_key_that_works(
    stack: Stack, http: httpx.AsyncClient, ada: Person, tmp_path: Path
) -> None:
    client = TrwClient(tmp_path / "new", "current", stack.base_url)
    try:
        assert (await client.run("init-project", ".")).status == 0
        process = await client.start("auth", "login", "--api-url", stack.base_url, "--no-machine")
        code = (await until_said(process, r"code=([A-Z0-9]{4}-[A-Z0-9]{4})"))[1]
        body = {"user_code": code}
        approved = await http.post("/v1/auth/device/approve", json=body, headers=ada.headers)
        assert approved.json() == {"approved": True}, approved.text
        await until_said(process, rf"Authenticated as .*{re.escape(ada.email)}")
        assert await asyncio.wait_for(process.wait(), LIMIT) == 0
        status = await client.run("auth", "status")
        assert status.status == 0, status.said
    finally:
        client.close()


async def test_what_one_client_learns_and_changes_reaches_the_other(
    http: httpx.AsyncClient, ada: Person, clients: list[TrwClient]
) -> None:
    writer, reader = clients
    subject = uuid4().hex
    local = await learned(writer, f"Sessions of {subject} end early", "Clocks differ by minutes.")
    pushed = await synced(writer, "push")
    assert (pushed["pending"], pushed["rejected"]) == (0, 0)
    found = await http.get("/v1/learnings", params={"q": subject}, headers=ada.headers)
    assert [item["source_learning_id"] for item in found.json()["items"]] == [local]

    await synced(reader, "pull")
    there = await reader.call("pulled", feed_id=local)
    assert (there["content"], there["detail"]) == (
        f"Sessions of {subject} end early",
        "Clocks differ by minutes.",
    )
    await writer.call("change", learning_id=local, detail="The proxy cut them after 60 s.")
    await synced(writer, "push")
    await synced(reader, "pull")
    there = await reader.call("pulled", feed_id=local)
    assert there["detail"] == "The proxy cut them after 60 s."
    await synced(writer, "pull")
    assert await writer.call("pulled", feed_id=local) is None


def copied(source: Path, target: Path) -> None:
    """Copy a database with what still lies in its write-ahead log."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


async def test_backups_go_up_and_come_back(
    stack: Stack, http: httpx.AsyncClient, ada: Person, tmp_path: Path
) -> None:
    client = TrwClient(tmp_path / "c", "current", stack.base_url, await key_of(http, ada))
    try:
        await ready(client)
        await back_up_and_restore(http, ada, client)
    finally:
        client.close()


async def back_up_and_restore(http: httpx.AsyncClient, ada: Person, client: TrwClient) -> None:
    await learned(client, "Backups are there to be restored", "Try it before you need it.")
    client.close()  # its memory daemon holds the store
    # Only a store within the project may leave the machine, and the daemon's lies in its home.
    store = client.project / ".trw" / "memory" / "kept.db"
    copied(client.home / ".trw" / "memory" / "memory.db", store)
    created = await client.run("backup", "create", "--db", str(store))
    assert created.status == 0, created.said
    client_id = await client.call("client_id")
    listed = await http.get("/v1/backup/list", params={"client_id": client_id}, headers=ada.headers)
    assert len(listed.json()["objects"]) == 1, created.said
    store.unlink()
    restored = await client.run(
        "backup", "restore", "--from", "latest", "--db", str(store), "--yes"
    )
    assert restored.status == 0, restored.said
    with closing(sqlite3.connect(store)) as opened:
        found = opened.execute("SELECT count(*) FROM memories").fetchone()
    assert found[0] >= 1


async def test_feedback_is_taken(clients: list[TrwClient]) -> None:
    ran = await clients[0].run(
        *("local", "feedback", "--category", "bugfix", "--subject", f"It fails {uuid4().hex}"),
        *("--message", "Each time that I start it, it fails."),
    )
    assert ran.status == 0, ran.said
    assert "sub_" in ran.out, ran.said


async def test_the_sdk_searches_publishes_and_retires(
    http: httpx.AsyncClient, ada: Person, clients: list[TrwClient]
) -> None:
    writer, reader = clients
    subject = uuid4().hex
    published = await writer.call("publish", summary=f"Retry {subject}", detail="With backoff.")
    assert published["success"], published
    found = await reader.call("search", query=subject)
    assert [item["summary"] for item in found["results"]] == [f"[shared] Retry {subject}"]
    assert await writer.call("retire", remote_id=published["remote_id"]) is True
    shown = await http.get(f"/v1/learnings/{published['remote_id']}", headers=ada.headers)
    assert shown.json()["status"] == "obsolete"


async def test_the_sdk_hears_what_others_learn(
    http: httpx.AsyncClient, ada: Person, clients: list[TrwClient]
) -> None:
    process = await clients[0].start_call("stream", seconds=LIMIT)
    try:
        summary = f"Heard {uuid4().hex}"
        saying = asyncio.create_task(_say_until_heard(http, ada, summary))
        match = await until_said(process, rf'"summary": "({summary}[^"]*)"')
        saying.cancel()
        assert match[1].startswith(summary)
    finally:
        process.kill()
        await process.wait()


async def _say_until_heard(http: httpx.AsyncClient, person: Person, summary: str) -> None:
    # A stream without a last id begins now, and nobody tells when the client has connected.
    for number in range(1000):
        body = {"summary": f"{summary} {number}"}
        answer = await http.post("/v1/learnings", json=body, headers=person.headers)
        assert answer.status_code == 201, answer.text
        await asyncio.sleep(0.2)


@pytest.mark.parametrize("generation", trw_clients.GENERATIONS)
async def test_telemetry_is_counted(
    stack: Stack, http: httpx.AsyncClient, tmp_path: Path, generation: str
) -> None:
    person = await joined(http, stack.mail_directory, f"{uuid4().hex}@example.com")
    client = TrwClient(tmp_path / "c", generation, stack.base_url, await key_of(http, person))
    try:
        await ready(client)
        events = [
            {"event_type": "tool_invocation", "tool_name": "trw_learn", "duration_ms": 12.5 + n}
            for n in range(3)
        ]
        sent = await client.call("telemetry", events=events)
        assert sent["sent"] == len(events), sent
        answer = await http.get("/v1/telemetry/summary", headers=person.headers)
        assert answer.status_code == 200, answer.text
        tools = {tool["tool"]: tool["calls"] for tool in answer.json()["tools"]}
        assert tools == {"trw_learn": len(events)}
    finally:
        client.close()


async def test_the_doctor_finds_the_platform(clients: list[TrwClient]) -> None:
    ran = await clients[0].run("doctor", "--format", "json")
    said = json.loads(ran.out[ran.out.index("{") :])
    checks = {check["name"]: check["status"] for check in said["checks"]}
    assert checks["backend_connectivity"] == "PASS", ran.said


ENTRY = """\
id: L-{id}
summary: {summary}
detail: Written by the client itself.
tags: [python]
impact: 0.8
status: active
"""


@pytest.mark.parametrize("generation", trw_clients.GENERATIONS)
async def test_a_publisher_publishes_once_and_finds_it_again(
    stack: Stack, http: httpx.AsyncClient, tmp_path: Path, generation: str
) -> None:
    person = await joined(http, stack.mail_directory, f"{uuid4().hex}@example.com")
    client = TrwClient(tmp_path / "c", generation, stack.base_url, await key_of(http, person))
    try:
        await ready(client)
        entries = client.project / ".trw" / "learnings" / "entries"
        entries.mkdir(parents=True, exist_ok=True)
        for number in range(3):
            text = ENTRY.format(id=f"ab1{number}", summary=f"Timeouts of kind {number}")
            (entries / f"entry-{number}.yaml").write_text(text)
        sent = await client.call("publish_all", min_impact=0.5)
        assert (sent["published"], sent["errors"]) == (3, 0), sent
        again = await client.call("publish_all", min_impact=0.5)
        assert (again["published"], again["unchanged"]) == (0, 3), again
        page = (await http.get("/v1/learnings", headers=person.headers)).json()
        assert {item["source_learning_id"] for item in page["items"]} == {
            "L-ab10",
            "L-ab11",
            "L-ab12",
        }
        found = await client.call("search", query="timeouts of kind 2")
        results = found["results"] if generation == "current" else found
        assert results[0]["summary"] == "[shared] Timeouts of kind 2"
    finally:
        client.close()


async def test_a_release_is_pushed_and_an_older_client_updates_to_it(
    make_stack: MakeStack, tmp_path: Path
) -> None:
    login = {"email": "root@example.com", "password": "a platform's own password"}
    stack = make_stack(
        GUILDHALL_ADMIN_EMAIL=login["email"], GUILDHALL_ADMIN_PASSWORD=login["password"]
    )
    async with httpx.AsyncClient(base_url=stack.base_url, timeout=30) as http:
        token = (await http.post("/v1/auth/token", json=login)).json()["access_token"]
        admin = Person(http, login["email"], token)
        me = await http.get("/v1/auth/me", headers=admin.headers)
        admin.org_id = me.json()["org_id"]
        made = await http.post(
            f"/v1/admin/organizations/{admin.org_id}/api-keys",
            json={"name": "builder", "scopes": ["*", "releases:write"]},
            headers=admin.headers,
        )
        key = made.json()["key"]
        builder = TrwClient(tmp_path / "builder", "current", stack.base_url, key)
        older = TrwClient(tmp_path / "older", "older", stack.base_url, key)
        try:
            await ready(builder)
            pushed = await builder.run(
                *("build-release", "--version", "99.0.0", "--output-dir", str(tmp_path)),
                *("--push", "--backend-url", stack.base_url, "--api-key", key),
            )
            assert pushed.status == 0, pushed.said
            bundle = next(tmp_path.glob("*.tar.gz"))
            stored = await http.put(
                "/v1/releases/99.0.0/artifact",
                content=bundle.read_bytes(),
                headers={"authorization": f"Bearer {key}"},
            )
            assert stored.status_code == 200, stored.text
            await ready(older)
            update = await older.call("update")
            assert (update["available"], update["latest"]) == (True, "99.0.0"), update
            info = await older.call("artifact", version="99.0.0")
            assert await older.call(
                "download", url=info["artifact_url"], checksum=info["artifact_checksum"]
            )
        finally:
            builder.close()
            older.close()
