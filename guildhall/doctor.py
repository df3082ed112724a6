"""``guildhall doctor``: looks at every part, and names the broken one and its mend.

It changes nothing, except that it starts the embedded PostgreSQL for a moment when that exists
and nobody runs it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Literal

import asyncpg
import httpx

from guildhall import ports, run_lock
from guildhall.databases import broker_url, embedded, given_urls, needed_schemas
from guildhall.failures import Failure
from guildhall.migrations import directory
from guildhall.processes import missing_browser
from guildhall.provision import DATABASE, OLDEST, derived_passwords, role_url, with_database
from guildhall.secret_files import load_or_make
from guildhall.settings import CommandSettings
from services.runs.engine.browser import programs
from shared.bus import BusUnavailable, connect
from shared.migrate import MigrationError, pending
from shared.settings import SERVICES

NEWEST: Final = 18
_TIMEOUT: Final = 5.0
_LITTLE_SPACE: Final = 1_000_000_000
_NO_SPACE: Final = 100_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look has shown; ``mend`` says what to do when it is not ``ok``."""

    part: str
    state: Literal["ok", "warning", "broken"]
    detail: str
    mend: str = ""


async def examine(settings: CommandSettings) -> AsyncIterator[Finding]:
    """Look at one part after the other."""
    yield _python()
    for finding in _data_dir(settings):
        yield finding
    is_up = run_lock.is_running(settings.directory)
    yield _ports(settings, is_up)
    yield _browser()
    async for finding in _database(settings):
        yield finding
    async for finding in _processes(settings, is_up):
        yield finding


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Finding("python", "ok", f"{version}, {sys.executable}")


def _data_dir(settings: CommandSettings) -> list[Finding]:
    folder = settings.directory
    if not folder.exists():
        return [Finding("data dir", "ok", f"{folder} is made at the first start")]
    if not folder.is_dir():
        return [Finding("data dir", "broken", f"{folder} is no folder", "Set GUILDHALL_DATA_DIR.")]
    probe = folder / ".doctor"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        mend = f"Give this user the rights: chown -R $(id -u) {folder}"
        return [Finding("data dir", "broken", str(error), mend)]
    free = shutil.disk_usage(folder).free
    space = f"{folder}, {free / 1e9:.1f} GB free"
    mend = "Make space: PostgreSQL stops when the disk is full."
    if free < _LITTLE_SPACE:
        state: Literal["warning", "broken"] = "broken" if free < _NO_SPACE else "warning"
        return [Finding("data dir", state, space, mend), *_secrets(settings)]
    return [Finding("data dir", "ok", space), *_secrets(settings)]


def _secrets(settings: CommandSettings) -> list[Finding]:
    folder = settings.directory / "secrets"
    if not folder.exists():
        return [Finding("secrets", "ok", "none kept on disk")]
    open_to_others = [
        str(path)
        for path in (folder, *folder.iterdir())
        if stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if open_to_others:
        mend = f"chmod -R go= {folder}"
        return [Finding("secrets", "broken", f"readable by others: {open_to_others}", mend)]
    return [Finding("secrets", "ok", f"{folder}, closed to others")]


def _ports(settings: CommandSettings, is_up: bool) -> Finding:
    busy = ports.taken(settings.host, settings.ports())
    if is_up:
        return Finding("ports", "ok", f"guildhall runs on {settings.port}")
    if busy:
        listed = ", ".join(f"{port} ({name})" for name, port in busy.items())
        mend = "Stop the program that listens there, or set GUILDHALL_PORT."
        return Finding("ports", "broken", f"taken: {listed}", mend)
    return Finding("ports", "ok", f"{settings.port} and those after it are free")


def _browser() -> Finding:
    if missing := missing_browser(os.environ):
        detail = f"{missing} Runs end broken without one; everything else works."
        return Finding("browser", "warning", detail, programs.ADVICE)
    return Finding("browser", "ok", "runs have one")


async def _database(settings: CommandSettings) -> AsyncIterator[Finding]:
    given, needed = given_urls(settings), needed_schemas(settings)
    if set(needed) <= set(given):
        async for finding in _schemas({schema: given[schema] for schema in needed}):
            yield finding
        return
    if settings.database_url is None and not _has_cluster(settings):
        yield _programs()
        return
    server, started = None, False
    try:
        root = load_or_make(settings, may_make=False).root
        server = None if settings.database_url else embedded(settings)
        if server is not None and not await asyncio.to_thread(server.is_answering):
            await asyncio.to_thread(server.start)
            started = True
        admin = settings.database_url.get_secret_value() if settings.database_url else ""
        url = with_database(server.url(), DATABASE) if server else admin
        passwords = derived_passwords(root)
        urls = {schema: role_url(url, schema, passwords[schema]) for schema in needed}
        async for finding in _schemas({**urls, **given}):
            yield finding
    except Failure as failure:
        mend = "Follow the message; the embedded server's log is <data dir>/postgres/log."
        yield Finding("database", "broken", str(failure), mend)
    finally:
        if server is not None and started:
            await asyncio.to_thread(server.stop)


def _has_cluster(settings: CommandSettings) -> bool:
    folder = settings.directory
    return (folder / "postgres").exists() or (folder / "postgres.location").exists()


def _programs() -> Finding:
    from guildhall.embedded.place import NoPrograms, wheel_programs

    try:
        programs = wheel_programs()
    except NoPrograms as failure:
        return Finding("database", "broken", str(failure), "Run `make up`, which installs it.")
    return Finding("database", "ok", f"is made at the first start, with {programs}")


async def _schemas(urls: dict[str, str]) -> AsyncIterator[Finding]:
    for schema, url in urls.items():
        yield await _schema(schema, url)


async def _schema(schema: str, url: str) -> Finding:
    part = f"database {schema}"
    try:
        connection = await asyncpg.connect(url, timeout=_TIMEOUT, command_timeout=_TIMEOUT)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        mend = "Start the server, and check address, role and password of this schema."
        return Finding(part, "broken", f"cannot log in: {error!r}", mend)
    try:
        major = connection.get_server_version().major
        if not OLDEST <= major <= NEWEST:
            mend = f"Use PostgreSQL {OLDEST} to {NEWEST}."
            return Finding(part, "broken", f"PostgreSQL {major}", mend)
        if missing := await pending(connection, schema, directory(schema)):
            mend = "Run `guildhall migrate` (`guildhall up` does it too)."
            return Finding(part, "broken", f"migrations missing: {', '.join(missing)}", mend)
        return Finding(part, "ok", f"PostgreSQL {major}, migrations current")
    except (MigrationError, OSError, asyncpg.PostgresError) as error:
        return Finding(part, "broken", str(error), "Install the release that made this database.")
    finally:
        await connection.close(timeout=_TIMEOUT)


async def _processes(settings: CommandSettings, is_up: bool) -> AsyncIterator[Finding]:
    if broker := broker_url(settings):
        yield await _broker(broker)
    if not is_up:
        yield Finding("processes", "ok", "not running; `guildhall up` starts them")
        return
    wanted = {"gateway", *SERVICES}
    async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
        for name, port in settings.ports().items():
            if name in wanted:
                host = settings.host if name == "gateway" else "127.0.0.1"
                yield await _process(client, name, f"http://{host}:{port}/health/ready")


async def _process(client: httpx.AsyncClient, name: str, url: str) -> Finding:
    mend = f"See the lines of {name} where `guildhall up` runs."
    try:
        response = await client.get(url)
    except httpx.HTTPError as error:
        return Finding(name, "broken", f"{url} does not answer: {error!r}", mend)
    if response.status_code != httpx.codes.OK:
        detail = f"{url} answers {response.status_code}: {response.text[:200]}"
        return Finding(name, "broken", detail, mend)
    return Finding(name, "ok", "ready")


async def _broker(url: str) -> Finding:
    try:
        transport = await connect(url)
    except ValueError as error:
        return Finding("broker", "broken", str(error), "Correct GUILDHALL_BROKER_URL.")
    try:
        async with asyncio.timeout(_TIMEOUT):
            await transport.ping()
    except (BusUnavailable, TimeoutError, OSError) as error:
        mend = "Start the broker, or check GUILDHALL_BROKER_URL."
        return Finding("broker", "broken", f"does not answer: {error!r}", mend)
    finally:
        await transport.close()
    return Finding("broker", "ok", "answers")
