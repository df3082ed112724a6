"""``guildhall up``: the whole system on one machine, in the foreground.

Order of life: lock, ports, secrets, database, roles, migrations, processes, ready. At the end the
gateway goes first, then the services, then the database.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Final

from guildhall.databases import broker_url, embedded, given_urls, needed_schemas, prepare
from guildhall.failures import Failure
from guildhall.log_lines import LogLines
from guildhall.migrations import migrate_all
from guildhall.ports import wait_until_free
from guildhall.processes import Plan, missing_browser
from guildhall.queues import declare_all
from guildhall.run_lock import RunLock
from guildhall.secret_files import Secrets, load_or_make
from guildhall.settings import CommandSettings
from guildhall.supervisor import FIRST_BACKOFF, LONGEST_BACKOFF, Supervisor
from services.runs.engine.browser import programs

if TYPE_CHECKING:
    from guildhall.embedded.server import EmbeddedPostgres

READY_LIMIT: Final = 90.0
STOP_LIMIT: Final = 16.0
"""Seconds for gateway and services; leaves the database its share of 20."""

ORPHANS_PATIENCE: Final = 25.0
"""Seconds to wait for the children of a run that was killed."""

_DATABASE_WATCH: Final = 1.0


class Up:
    """One run of the whole system.

    Args:
        settings: of the command.
        lines: where everything that happens is written.
    """

    def __init__(self, settings: CommandSettings, lines: LogLines) -> None:
        self._settings = settings
        self._lines = lines
        self._stopping = asyncio.Event()
        self._server: EmbeddedPostgres | None = None
        self._supervisor: Supervisor | None = None

    async def run(self) -> None:
        """Start everything, stay until told to stop, stop everything.

        Raises:
            Failure, MigrationError: what stood in the way; everything is stopped again.
        """
        started = time.monotonic()
        self._listen_to_signals()
        settings = self._settings
        with RunLock(settings.directory) as lock:
            patience = ORPHANS_PATIENCE if lock.last_was_killed else 0
            await wait_until_free(settings.host, settings.ports(), patience)
            secrets = load_or_make(settings)
            try:
                await self._start(secrets)
                if not self._stopping.is_set():
                    self._announce(secrets, time.monotonic() - started)
                    await self._stay()
            finally:
                await self._stop()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else nohup wants us to stay
            numbers.append(signal.SIGHUP)
        for number in numbers:
            loop.add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        if not self._stopping.is_set():
            self._stopping.set()
            self._lines.say("Stopping. Once more to stop at once.", "dim")
            return
        if self._supervisor is not None:
            self._supervisor.kill()
        if self._server is not None and (pid := self._server.pid):
            os.kill(pid, signal.SIGINT)  # a fast shutdown, which it finishes without us
        os._exit(130)

    async def _start(self, secrets: Secrets) -> None:
        urls = await self._databases(secrets)
        applied = await migrate_all({name: urls[name] for name in needed_schemas(self._settings)})
        if count := sum(len(names) for names in applied.values()):
            self._lines.say(f"Database: {count} migrations applied", "dim")
        if not await declare_all(broker_url(self._settings) or urls["bus"]):
            self._lines.say("The broker does not answer yet; the services go on asking.", "yellow")
        if self._stopping.is_set():
            return
        plan = Plan(self._settings, secrets, urls.__getitem__, os.environ)
        self._supervisor = Supervisor(plan.gateway(), plan.services(), self._lines)
        self._supervisor.start()
        ready = asyncio.create_task(self._supervisor.ready(READY_LIMIT), name="ready")
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        done, pending = await asyncio.wait((ready, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if ready in done:
            ready.result()

    async def _databases(self, secrets: Secrets) -> dict[str, str]:
        urls = given_urls(self._settings)
        if set(needed_schemas(self._settings)) <= set(urls):
            return urls
        if given := self._settings.database_url:
            made = await prepare(given.get_secret_value(), secrets.root, is_embedded=False)
            return {**made, **urls}
        self._server = embedded(self._settings)
        await asyncio.to_thread(self._server.start)
        return {**await prepare(self._server.url(), secrets.root, is_embedded=True), **urls}

    async def _stay(self) -> None:
        watch = asyncio.create_task(self._keep_database(), name="keep database")
        stopping = asyncio.create_task(self._stopping.wait(), name="stopping")
        done, pending = await asyncio.wait((watch, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        if watch in done:
            watch.result()

    async def _keep_database(self) -> None:
        """Start the embedded server again when it has died."""
        server, backoff = self._server, FIRST_BACKOFF
        if server is None:
            await self._stopping.wait()
            return
        url = server.url()
        while True:
            await asyncio.sleep(_DATABASE_WATCH)
            if server.pid is not None:
                backoff = FIRST_BACKOFF
                continue
            self._lines.say("postgres ended by itself and is started again", "yellow")
            await asyncio.to_thread(server.start)
            if server.url() != url:
                raise Failure("PostgreSQL lost its port to another program; start guildhall again.")
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)

    async def _stop(self) -> None:
        self._stopping.set()
        if self._supervisor is not None:
            await self._supervisor.stop(STOP_LIMIT)
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)
        self._lines.say("Stopped.", "dim")

    def _announce(self, secrets: Secrets, seconds: float) -> None:
        settings, say = self._settings, self._lines.say
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"http://{host}:{settings.port}"
        say("")
        say(f"Guildhall is ready after {seconds:.1f} s:  {address}", "bold green")
        say(f"  documentation    {address}/docs  {address}/api-docs  {address}/swagger-ui/")
        say(f"  data             {settings.directory}")
        home = self._server.place.home if self._server else None
        if home and not home.is_relative_to(settings.directory):
            say(f"  database         {home}, because its user may not enter the data dir")
        if settings.is_development and not os.environ.get("GUILDHALL_SMTP_URL"):
            say(f"  outgoing mail    {settings.directory / 'mail'}")
        if settings.is_development and "service_admin_password" in secrets.made:
            say(f"  service account  admin  {secrets.service_admin_password}", "bold")
            kept = settings.directory / "secrets" / "service_admin_password"
            say(f"                   shown this once, kept in {kept}", "dim")
        if missing := missing_browser(os.environ):
            say(f"  browser          {missing} {programs.ADVICE}", "yellow")
        say("  Ctrl-C stops everything.", "dim")
        say("")
