"""Services whose surface is not built yet say so, and are otherwise whole."""

from __future__ import annotations

import asyncio
import importlib
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.secret import encode_base64url
from shared.service import Service
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.service import ASSERTION_KEY, asserting, client_of, person, settings_for

ROOT = Path(__file__).resolve().parents[2]
UNBUILT = {"runs": "/api/v1"}


@pytest.fixture(scope="module", params=UNBUILT)
async def running(
    request: pytest.FixtureRequest, database_server: DatabaseServer
) -> AsyncIterator[tuple[Service, httpx.AsyncClient]]:
    service: Service = importlib.import_module(f"services.{request.param}.app").SERVICE
    async with (
        database_server.clone() as urls,
        client_of(service, settings_for(service, urls)) as client,
    ):
        yield service, client


def message_in(body: dict[str, Any]) -> str:
    """The sentence, where each surface has it."""
    return str(body.get("detail") or body["message"])


@pytest.mark.parametrize("path", ["", "/", "/plans", "/teams/x/y", "/a/b/c?d=e"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_every_path_says_that_it_is_not_there_yet(
    running: tuple[Service, httpx.AsyncClient], method: str, path: str
) -> None:
    service, client = running
    headers = asserting(service.name, person())
    answer = await client.request(method, UNBUILT[service.name] + path, headers=headers)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert service.name in message_in(answer.json())


async def test_it_is_alive_ready_and_measured(
    running: tuple[Service, httpx.AsyncClient],
) -> None:
    _, client = running
    assert (await client.get("/health")).json() == {"status": "ok"}
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert "guildhall_request_seconds" in (await client.get("/metrics")).text


async def test_its_document_is_empty(running: tuple[Service, httpx.AsyncClient]) -> None:
    service, client = running
    headers = asserting(service.name, person())
    document = (await client.get("/internal/openapi.json", headers=headers)).json()
    assert document["paths"] == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*UNBUILT, "teams", "agents"])
async def test_it_works_without_http_until_told_to_stop(
    name: str, database_urls: DatabaseUrls
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{name}", "work"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={
            "GUILDHALL_DATABASE_URL": database_urls.url(name),
            "GUILDHALL_BROKER_URL": database_urls.url("bus"),
            "GUILDHALL_ASSERTION_KEY": encode_base64url(ASSERTION_KEY),
        },
    )
    try:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), 30)
        assert b"working" in said
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
