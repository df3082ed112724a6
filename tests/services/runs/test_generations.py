"""Making suites over the wire: of words, documents and descriptions of an API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from services.runs.engine.grammar.parsing import parse
from tests.gateway.fake_service import FakeService
from tests.gateway.fake_service import answering as fixed
from tests.gateway.fake_service import running as faking
from tests.services.runs.conftest import Runs, running
from tests.services.runs.engine.model_support import saying
from tests.support.postgres import DatabaseServer

TEXT = """\
# Sign up
Open /signup. Enter ${email} into "Email" and ${password} into "Password".
Click "Sign up". The user should see "Welcome".

# Search
Search for "teapot". The page shows "Blue Teapot".
"""
SPEC: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Tea API"},
    "paths": {
        "/teas": {"get": {"tags": ["Teas"], "responses": {"200": {}}}},
        "/cups": {"get": {"tags": ["Cups"], "responses": {"200": {}}}},
    },
}
WORDS = {"kind": "text", "base_url": "http://127.0.0.1:9", "text": TEXT}


@asynccontextmanager
async def answering(answers: dict[str, tuple[int, str, bytes]]) -> AsyncIterator[str]:
    """Serve fixed answers by path: status, a header's line, body."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status, header, body = answers[head.split()[1].decode()]
        writer.write(f"HTTP/1.1 {status} X\r\n{header}\r\nconnection: close\r\n".encode())
        writer.write(f"content-length: {len(body)}\r\n\r\n".encode() + body)
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for path, (status, header, body) in list(answers.items()):
            answers[path] = (status, header.replace("PORT", str(port)), body)
        yield f"http://127.0.0.1:{port}"


async def test_words_become_a_suite_that_is_kept_only_where_it_is_wanted(runs: Runs) -> None:
    member = runs.member()
    answer = await runs.post("generate", member, WORDS)
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == {"yaml"}
    suite = parse(answer.json()["yaml"]).suite
    assert suite is not None
    assert [case.title for case in suite.cases] == ["Sign up", "Search"]
    assert suite.base_url == WORDS["base_url"]
    assert (await runs.get("suites", member)).json()["total"] == 0
    files = []
    for _ in range(2):
        kept = await runs.post("generate", member, {**WORDS, "save_as": "tea-flows"})
        files.append(kept.json()["saved_as"])
    assert files == ["tea-flows.tripwire.yaml", "tea-flows-2.tripwire.yaml"]
    shown = (await runs.get(f"suites/{files[0]}", member)).json()
    assert shown["yaml"] == answer.json()["yaml"]
    assert not [one for one in shown["warnings"] if "unread" in one["message"]]


async def test_the_same_key_gives_the_same_suite_and_keeps_it_once(runs: Runs) -> None:
    member = runs.member()
    body = {**WORDS, "save_as": "once"}
    headers = {"Idempotency-Key": "generate-1"}
    first = await runs.post("generate", member, body, headers=headers)
    again = await runs.post("generate", member, body, headers=headers)
    assert first.status_code == 200
    assert first.json() == again.json()
    assert (await runs.get("suites", member)).json()["total"] == 1
    other = await runs.post("generate", member, WORDS, headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({}, 422, "kind"),
        ({"kind": "url"}, 422, "url"),
        ({"kind": "movie", "url": "http://x.test"}, 422, "kind"),
        ({"kind": "text", "text": "Open /"}, 422, "base_url"),
        ({"kind": "docs", "base_url": "http://127.0.0.1:9"}, 422, "text"),
        ({"kind": "openapi", "base_url": "http://127.0.0.1:9", "text": "  "}, 422, "text"),
        ({"kind": "text", "text": "x", "base_url": "ftp://x.test"}, 400, "base_url"),
        ({"url": "http://x.test", "auth": {"username": "a"}}, 422, "password"),
        ({**WORDS, "exhaustive": "yes"}, 422, "exhaustive"),
        ({**WORDS, "base_url": "http://169.254.169.254/"}, 400, "base_url"),
        ({"url": "http://169.254.169.254/latest"}, 400, "GUILDHALL_URL_ALLOW"),
        ({**WORDS, "text": "A lovely day. It rains."}, 502, "rules"),
        ({**WORDS, "kind": "openapi"}, 502, "neither JSON nor YAML"),
        ({**WORDS, "kind": "docs", "text": "", "url": "http://127.0.0.1:9/x"}, 502, "reached"),
    ],
)
async def test_what_cannot_be_made_is_said_and_nothing_is_kept(
    runs: Runs, body: dict[str, Any], status: int, word: str
) -> None:
    member = runs.member()
    for path in ("generate", "generate/plan"):
        answer = await runs.post(path, member, {"save_as": "x", **body})
        assert answer.status_code == status, answer.text
        assert word in json.dumps(answer.json())
        kinds = {400: "url_not_allowed", 422: "validation_error", 502: "generation_error"}
        assert answer.json()["type"] == kinds[status]
    assert (await runs.get("suites", member)).json()["total"] == 0
    assert (await runs.get("plans", member)).json()["total"] == 0


async def test_a_document_is_fetched_through_redirects_that_are_checked(runs: Runs) -> None:
    spec = json.dumps(SPEC).encode()
    page = (
        b"<!doctype html><title>x</title><h1>Look</h1><p>Open /cart.<p>The heading 'Cart' is shown."
    )
    answers = {
        "/old": (302, "location: /spec", b""),
        "/spec": (200, "content-type: application/json", spec),
        "/docs": (200, "content-type: text/html", page),
        "/inside": (302, "location: http://169.254.169.254/", b""),
        "/loop": (302, "location: /loop", b""),
        "/gone": (404, "x: y", b"none"),
        "/huge": (200, "x: y", b"# a\n" * 600_000),
        "/binary": (200, "x: y", b"\x00\x01"),
    }
    member = runs.member()
    base = {"base_url": "http://127.0.0.1:9"}
    async with answering(answers) as url:

        async def ask(kind: str, path: str) -> Any:
            return await runs.post("generate", member, {**base, "kind": kind, "url": url + path})

        api = await ask("openapi", "/old")
        assert api.status_code == 200, api.text
        suite = parse(api.json()["yaml"]).suite
        assert suite is not None
        assert (suite.name, len(suite.cases)) == ("Tea API", 2)
        docs = parse((await ask("docs", "/docs")).json()["yaml"]).suite
        assert docs is not None
        assert [case.title for case in docs.cases] == ["Look"]
        refused = await ask("docs", "/inside")
        assert (refused.status_code, refused.json()["type"]) == (400, "url_not_allowed")
        for path, word in (
            ("/loop", "5 times"),
            ("/gone", "404"),
            ("/huge", "bytes"),
            ("/binary", "no text"),
        ):
            answer = await ask("docs", path)
            assert answer.status_code == 502
            assert word in answer.json()["detail"]


async def test_a_plan_has_a_suite_for_each_part(runs: Runs) -> None:
    member = runs.member()
    auth = {"username": "ada", "password": "Secret-123!", "login_path": "/login"}
    body = {
        "kind": "openapi",
        "base_url": "http://127.0.0.1:9",
        "text": json.dumps(SPEC),
        "save_as": "Tea",
    }
    answer = await runs.post("generate/plan", member, body)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["plan_name"] == "Tea"
    assert made["suites"] == ["tea-teas.tripwire.yaml", "tea-cups.tripwire.yaml"]
    plan = (await runs.get(f"plans/{made['plan_id']}", member)).json()
    assert [item["suite"] for item in plan["items"]] == made["suites"]
    assert plan["auth"] is None
    words = await runs.post("generate/plan", member, {**WORDS, "auth": auth})
    made = words.json()
    plan = (await runs.get(f"plans/{made['plan_id']}", member)).json()
    assert plan["auth"] == {"username": "ada", "password": "••••", "login_path": "/login"}
    for file in made["suites"]:
        text = (await runs.get(f"suites/{file}", member)).json()["yaml"]
        assert auth["password"] not in text


async def test_a_closed_network_is_not_generated_from(database_server: DatabaseServer) -> None:
    async with (
        database_server.clone() as urls,
        running(urls, GUILDHALL_ALLOW_PRIVATE_TARGETS=False) as closed,
    ):
        for body in (
            {"url": "http://127.0.0.1:9/"},
            {**WORDS, "base_url": "http://localhost:9"},
            {**WORDS, "kind": "docs", "text": None, "url": "http://10.0.0.1/"},
        ):
            answer = await closed.post("generate", closed.member(), body)
            assert (answer.status_code, answer.json()["type"]) == (400, "url_not_allowed")


def proposing(*cases: dict[str, Any]) -> str:
    """What a model writes that has ideas."""
    return json.dumps({"cases": cases})


GOOD = {
    "title": "An empty search",
    "steps": ['Enter "zzz" into "Search"', 'Click the "Search" button'],
    "expect": ['"Nothing found" is shown'],
}
REFUSED: tuple[dict[str, Any], ...] = (
    {**GOOD, "title": "Unread", "steps": ["Do what you like with the page"]},
    {**GOOD, "title": "Deletes", "steps": ['Click the "Delete account" button']},
    {**GOOD, "title": "Leaves", "steps": ["Open https://evil.test/"]},
    {**GOOD, "title": "Unclear", "expect": ["The page looks good"]},
    {"title": 5},
)


async def test_a_model_adds_what_rules_can_carry_out_and_is_not_needed(
    database_server: DatabaseServer,
) -> None:
    async with (
        database_server.clone() as urls,
        faking(FakeService()) as model,
        running(
            urls, GUILDHALL_RUNS_ANTHROPIC_URL=model.url, GUILDHALL_RUNS_MODEL_RETRIES=0
        ) as runs,
    ):
        member = runs.member()

        async def titles(**more: Any) -> list[str]:
            answer = await runs.post("generate", member, {**WORDS, **more})
            assert answer.status_code == 200, answer.text
            suite = parse(answer.json()["yaml"]).suite
            assert suite is not None
            return [case.title for case in suite.cases]

        model.behave = saying("anthropic", proposing(GOOD, *REFUSED))
        auth = {"username": "ada", "password": "Secret-123!"}
        assert await titles(auth=auth) == ["Sign up", "Search", "An empty search"]
        asked = [question.body.decode() for question in model.asked]
        assert not any("Secret-123!" in body for body in asked)
        # Of each area on its own, and what both answer stands once.
        areas = [json.dumps(f'"area":"{name}"')[1:-1] for name in ("Sign up", "Search")]
        assert [sum(area in body for body in asked) for area in areas] == [1, 1]
        model.behave = saying("anthropic", "no", proposing(GOOD))
        assert await titles() == ["Sign up", "Search", "An empty search"]
        assert await titles(text="A lovely day.") == ["An empty search"]
        for nonsense in ("I would rather not", proposing(*REFUSED), "[" * 10_000):
            model.behave = saying("anthropic", nonsense)
            assert await titles() == ["Sign up", "Search"]
        model.behave = fixed(b"HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
        assert await titles() == ["Sign up", "Search"]
        answer = await runs.post("generate", member, {**WORDS, "text": "A lovely day."})
        assert (answer.status_code, answer.json()["type"]) == (502, "generation_error")
