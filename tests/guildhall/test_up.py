from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from guildhall.embedded import leftovers
from guildhall.embedded.place import prepare_place
from guildhall.embedded.server import EmbeddedPostgres
from shared.settings import SERVICES
from tests.guildhall.waiting import until
from tests.support.stack import MakeStack, Stack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


def run(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line against the stack's installation."""
    return subprocess.run(
        (sys.executable, "-m", "guildhall", *arguments),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "COLUMNS": "200",
            "GUILDHALL_PORT": str(stack.port),
            "GUILDHALL_DATA_DIR": str(stack.data_dir),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def is_ready(stack: Stack) -> bool:
    try:
        answer = httpx.get(f"{stack.base_url}/health/ready", timeout=5, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200


def everything_has_ended(processes: list[psutil.Process]) -> bool:
    for process in processes:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            continue
    return True


def fetch(url: str, statement: str, *arguments: Any) -> Any:
    async def ask() -> Any:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return await connection.fetchval(statement, *arguments)
        finally:
            await connection.close(timeout=5)

    return asyncio.run(ask())


def test_it_says_where_it_is_and_shows_the_secret_once(make_stack: MakeStack) -> None:
    stack = make_stack()
    password = (stack.data_dir / "secrets" / "service_admin_password").read_text().strip()
    assert re.search(rf"Guildhall is ready after [\d.]+ s:  {stack.base_url}\n", stack.log)
    assert f"{stack.base_url}/docs" in stack.log
    assert f"admin  {password}" in stack.log
    assert is_ready(stack)

    fetch(stack.admin_url(), "CREATE TABLE kept AS SELECT 1 AS n")
    processes = psutil.Process(stack.pid).children(recursive=True)
    started = time.monotonic()
    assert stack.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < 20
    assert everything_has_ended(processes)
    _see_that_the_gateway_stopped_first_and_the_database_last(stack)

    stack.start()
    assert password not in stack.log
    assert fetch(stack.admin_url(), "SELECT n FROM kept") == 1
    _kill_one_after_the_other(stack)


def _see_that_the_gateway_stopped_first_and_the_database_last(stack: Stack) -> None:
    assert "Stopped." in stack.log
    ends = [line.split()[0] for line in stack.log.splitlines() if '"draining"' in line]
    assert ends[0] == "gateway"
    assert set(ends[1:]) == set(SERVICES)
    log = (stack.data_dir / "postgres" / "log").read_text()
    assert log.rstrip().endswith("database system is shut down")


def _kill_one_after_the_other(stack: Stack) -> None:
    """What dies comes back."""
    for name in ("gateway", "learnings", "runs work", "postgres"):
        killed = stack.kill_child(name)
        until(lambda name=name, killed=killed: _is_new(stack, name, killed))  # type: ignore[misc]
        until(lambda: is_ready(stack), 60)
    assert "gateway ended (SIGKILL); again in 0.5 s" in stack.log
    assert "postgres ended by itself" in stack.log


def _is_new(stack: Stack, name: str, killed: int) -> bool:
    try:
        return stack.child(name).pid != killed
    except LookupError:
        return False


def test_what_is_killed_leaves_nothing_running_and_loses_nothing(make_stack: MakeStack) -> None:
    stack = make_stack()
    processes = psutil.Process(stack.pid).children(recursive=True)
    stack.kill()
    stack.launch()  # while the orphans are still on their way out
    until(lambda: everything_has_ended(processes), 60)
    stack.wait_ready()
    assert is_ready(stack)

    url = stack.admin_url()
    fetch(url, "CREATE TABLE written (n bigint PRIMARY KEY)")
    confirmed = asyncio.run(_write_until_killed(stack, url))
    stack.start()
    found = fetch(stack.admin_url(), "SELECT array_agg(n) FROM written")
    assert set(confirmed) <= set(found)
    assert is_ready(stack)
    _end_it_by_a_second_signal(stack)


async def _write_until_killed(stack: Stack, url: str) -> list[int]:
    confirmed: list[int] = []
    enough = asyncio.Event()

    async def write(writer: int) -> None:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            for step in range(1_000_000):
                number = writer * 1_000_000 + step
                await connection.execute("INSERT INTO written VALUES ($1)", number)
                confirmed.append(number)
                if len(confirmed) > 500:
                    enough.set()
        except GONE:
            return
        finally:
            connection.terminate()

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    await asyncio.wait_for(enough.wait(), 60)
    stack.kill_everything()
    await asyncio.wait_for(asyncio.gather(*writers), 60)
    return confirmed


def _end_it_by_a_second_signal(stack: Stack) -> None:
    processes = psutil.Process(stack.pid).children(recursive=True)
    stack.child("gateway").suspend()  # so that an orderly end would take its time
    os.kill(stack.pid, signal.SIGINT)
    until(lambda: "Once more" in stack.log)
    assert stack.stop(signal.SIGINT) == 130
    until(lambda: everything_has_ended(processes))


def test_a_taken_port_is_told_before_anything_is_started(make_stack: MakeStack) -> None:
    stack = make_stack(start=False)
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", stack.port + 2))
        taker.listen()
        done = run(stack, "up")
    assert done.returncode == 1
    assert f"{stack.port + 2} (learnings)" in done.stderr
    assert not (stack.data_dir / "postgres").exists()


def test_one_data_dir_is_for_one_run(stack: Stack) -> None:
    done = run(stack, "up")
    assert done.returncode == 1
    assert f"process {stack.pid}" in done.stderr
    assert is_ready(stack)


def test_each_process_knows_only_its_own(stack: Stack) -> None:
    for name in SERVICES:
        environment = " ".join(stack.child(name).environ().values())
        for other in SERVICES:
            assert (f"guildhall_{other}:" in environment) == (other == name)
    assert "postgres" not in " ".join(
        value
        for key, value in stack.child("gateway").environ().items()
        if key.startswith("GUILDHALL_") and not key.endswith("BROKER_URL")
    )


def test_the_doctor_finds_a_running_system_well(stack: Stack) -> None:
    done = run(stack, "doctor")
    assert done.returncode == 0, done.stdout
    for part in ("gateway", "auth", "database learnings", "database bus", "secrets"):
        assert re.search(rf"^ok +{part} ", done.stdout, re.MULTILINE), done.stdout


def test_the_doctor_names_the_broken_part(make_stack: MakeStack) -> None:
    stack = make_stack(GUILDHALL_CHROMIUM="/nowhere/chromium")
    ready, advice = stack.log.index("Guildhall is ready"), "apt install chromium"
    assert advice in stack.log[ready:]
    assert "GUILDHALL_RUNS_CHROMIUM" in stack.log[ready:]
    until(lambda: "runs have no browser" in stack.log)
    assert is_ready(stack)
    stack.child("teams").suspend()
    (stack.data_dir / "secrets" / "signing_keys").chmod(0o644)
    fetch(stack.database_url("runs"), "DELETE FROM runs.migration")
    done = run(stack, "doctor")
    stack.child("teams").resume()
    assert done.returncode == 1
    for part, mend in {
        "teams": "See the lines of teams",
        "secrets": "chmod",
        "database runs": "Run `guildhall migrate`",
    }.items():
        assert re.search(rf"^broken +{part} .*\n +{mend}", done.stdout, re.MULTILINE), done.stdout


def test_parked_events_are_listed_and_replayed(stack: Stack) -> None:
    url = stack.database_url("learnings")
    number = fetch(
        url,
        "INSERT INTO learnings.parked (consumer, event_id, kind, occurred_at, payload, attempts,"
        " reason) VALUES ('nobody', gen_random_uuid(), 'thing.happened.v1', now(), '{}', 5,"
        " 'it never worked') RETURNING id",
    )
    listed = run(stack, "events", "parked", "--service", "learnings")
    assert listed.returncode == 0, listed.stderr
    assert re.search(
        rf"learnings .* {number} .* thing.happened.v1 .* it never worked", listed.stdout
    )
    replayed = run(stack, "events", "replay", "--service", "learnings", str(number))
    assert replayed.stdout == "1 replayed\n", replayed.stderr
    assert run(stack, "events", "parked").stdout == "No parked events.\n"


async def test_a_server_of_ones_own_is_used_instead(
    make_stack: MakeStack, open_folder: Path
) -> None:
    """And auth speaks of the administrator's organization before learnings first listens."""
    server = EmbeddedPostgres(prepare_place(open_folder / "elsewhere"))
    await asyncio.to_thread(server.start)
    try:
        stack = await asyncio.to_thread(
            make_stack,
            GUILDHALL_DATABASE_URL=server.url(),
            GUILDHALL_ADMIN_EMAIL="root@example.com",
            GUILDHALL_ADMIN_PASSWORD="correct horse battery",
        )
        assert is_ready(stack)
        assert not (stack.data_dir / "postgres").exists()
        await _see_that_learnings_heard_of_the_organization(server.url())
        stack.stop()
        assert leftovers.postmaster(server.place.data, server.place.cluster_name)
    finally:
        await asyncio.to_thread(server.stop)


async def _see_that_learnings_heard_of_the_organization(url: str) -> None:
    question = "SELECT count(*) FROM learnings.organization WHERE named_at IS NOT NULL"
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(30):
            while not await connection.fetchval(question):
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
