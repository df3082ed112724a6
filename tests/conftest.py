"""What every test gets: a clean environment, no network, and databases on request.

See ``tests.support.postgres`` for how to use ``database_urls`` and ``database_server``, and
``tests.support.stack`` for ``stack`` and ``make_stack``.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import hypothesis
import pytest
import structlog

from tests.support.network import block_other_machines
from tests.support.postgres import DatabaseServer, DatabaseUrls
from tests.support.progress import Progress
from tests.support.stack import MakeStack, Stack, running_stack

# Before any module reads its settings: the machine's own must not leak in.
for name in [name for name in os.environ if name.startswith("GUILDHALL_")]:
    del os.environ[name]

# Under nohup it is ignored, and so it would be by every process that a test starts and tells.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

block_other_machines()

# Machines differ, and no test is decided by how long it takes.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# The default shows local variables in tracebacks, which is slow and tells secrets.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


def pytest_configure(config: pytest.Config) -> None:
    """Let a run that nobody watches say how it goes."""
    if "CI" in os.environ and not _is_worker():
        config.pluginmanager.register(Progress(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that asks for a database, so that ``make test-fast`` can leave it out.

    Those that start the whole system come first: at the end, one worker would have them to itself.
    """
    for item in items:
        if isinstance(item, pytest.Function) and "database_server" in item.fixturenames:
            item.add_marker(pytest.mark.database)
    items.sort(key=lambda item: "stack" not in item.keywords)


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ


def _run_folder(factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all workers of this run share."""
    return factory.getbasetemp().parent if _is_worker() else factory.getbasetemp()


@pytest.fixture(scope="session")
async def database_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[DatabaseServer]:
    """The run's PostgreSQL."""
    owner = os.getppid() if _is_worker() else os.getpid()
    async with DatabaseServer.connect(_run_folder(tmp_path_factory), owner) as server:
        yield server


@pytest.fixture
async def database_urls(database_server: DatabaseServer) -> AsyncIterator[DatabaseUrls]:
    """A database of the test's own, every schema migrated and empty."""
    async with database_server.clone() as urls:
        yield urls


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The whole system, for tests that only look."""
    with running_stack() as running:
        yield running


@pytest.fixture
def make_stack() -> Iterator[MakeStack]:
    """Makes systems of a test's own, for tests that break something."""
    with ExitStack() as stacks:

        def make(*, start: bool = True, **environment: str) -> Stack:
            return stacks.enter_context(running_stack(start=start, **environment))

        yield make


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the database keeper at once, rather than when it notices that we have gone."""
    factory: pytest.TempPathFactory | None = getattr(session.config, "_tmp_path_factory", None)
    if _is_worker() or factory is None:
        return
    info = factory.getbasetemp() / "postgres.json"
    with suppress(FileNotFoundError, ProcessLookupError):
        os.kill(json.loads(info.read_text())["keeper"], signal.SIGTERM)
