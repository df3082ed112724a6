"""How long a run waits: from its request until a worker has it, and until the browser begins."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic_core import from_json, to_json

from bench.service import KEY, ask, head, make_database, running, with_body
from guildhall.embedded.server import EmbeddedPostgres
from shared.principal import Kind, Principal, Role
from shared.secret import encode_base64url

RUNS: Final = 15
POLL: Final = 0.1
LIMIT: Final = 120.0

CALLER: Final = Principal(
    Kind.USER, "usr_bench", "org_bench", Role.MEMBER, ("*",), "ses_bench", "usr_bench"
)

SUITE: Final = """\
suite: One look
id: look
base_url: {url}
cases:
  - {{id: look, title: Look, steps: [{{do: Open /about}}]}}
"""


@dataclass
class Waits:
    """Milliseconds from each request until its run was claimed, and until it began."""

    claimed: list[float] = field(default_factory=list)
    began: list[float] = field(default_factory=list)

    def at(self, percent: int) -> float:
        """Give a percentile of the time until the browser began."""
        return _at(self.began, percent)

    def claimed_at(self, percent: int) -> float:
        """Give a percentile of the time until a worker had it."""
        return _at(self.claimed, percent)


def _at(values: list[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


async def measure_queue(server: EmbeddedPostgres, url: str) -> Waits:
    """Queue one run after the other for a site, and see when each began."""
    waits = Waits()
    with tempfile.TemporaryDirectory(prefix="gh-") as folder:
        urls = await make_database(server, "benchruns", "runs")
        own = {
            "GUILDHALL_DATA_DIR": folder,
            "GUILDHALL_ALLOW_PRIVATE_TARGETS": "1",
        }
        probe = _request("GET", "/api/v1/runs/queue")
        async with running("runs", urls, probe, **own) as (port, _), _worker(urls, own):
            text = SUITE.format(url=url)
            await _asked(port, "PUT", "/api/v1/suites/look.tripwire.yaml", {"yaml": text})
            for _turn in range(RUNS):
                queued = await _asked(port, "POST", "/api/v1/runs", {"suite": "look"})
                run = await _ended(port, queued["run_id"])
                began = next(one["ts"] for one in run["events"] if one["kind"] == "run_start")
                start = _seconds(run["queued_at"])
                waits.claimed.append((_seconds(run["started_at"]) - start) * 1000)
                waits.began.append((_seconds(began) - start) * 1000)
    return waits


async def _ended(port: int, run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT):
        while True:
            run = await _asked(port, "GET", f"/api/v1/runs/{run_id}")
            if run["finished_at"]:
                return run
            await asyncio.sleep(POLL)


@asynccontextmanager
async def _worker(urls: Mapping[str, str], settings: Mapping[str, str]) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.runs", "work"),
        env={
            "PATH": os.environ["PATH"],
            "GUILDHALL_DATABASE_URL": urls["runs"],
            "GUILDHALL_BROKER_URL": urls["bus"],
            "GUILDHALL_ASSERTION_KEY": encode_base64url(KEY),
            "GUILDHALL_ROOT_SECRET": encode_base64url(KEY),
            "GUILDHALL_LOG_LEVEL": "warning",
            **settings,
        },
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


def _request(method: str, path: str, body: Any = None) -> bytes:
    start = head("runs", CALLER, method, path)
    return start + b"\r\n" if body is None else with_body(start, to_json(body))


async def _asked(port: int, method: str, path: str, body: Any = None) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    answer: dict[str, Any] = from_json(await ask(reader, writer, _request(method, path, body)))
    writer.close()
    return answer


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
