"""Making the embedded cluster, starting it, stopping it.

It listens on 127.0.0.1 only, on a port of its own, and asks every connection for a password
(SCRAM). Nothing here uses ``pg_ctl``: the server is our own child, so that its end is noticed at
once, and its readiness is proven by a connection that has logged in and asked something.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

import asyncpg

from guildhall.embedded import launch, leftovers
from guildhall.embedded.place import Place
from guildhall.failures import Failure

SUPERUSER: Final = "guildhall"
START_TIMEOUT: Final = 120.0
"""Seconds until a started server must answer; recovery after a crash replays up to 256 MB."""

STOP_TIMEOUT: Final = 8.0

_INITDB_TIMEOUT: Final = 120.0
_LOG_LIMIT: Final = 5_000_000
_ATTEMPTS: Final = 4

SETTINGS: Final = {
    # A laptop: small caches, few helpers, little disk.
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_worker_processes": "4",
    "io_method": "sync",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "jit": "off",
    "huge_pages": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Refused statements are the caller's business, and may carry what must not be in a log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

VOLATILE: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For tests: a crash of the machine may lose everything."""


# Linux sends the parent-death signal when the thread that forked ends, not the process. So one
# thread, which lives as long as we do, forks for whichever thread calls.
_LAUNCHER: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="postgres launcher")


class PostgresFailed(Failure):
    """The server could not be made or started; the text holds the end of its log."""


class PostgresInUse(Failure):
    """Another process of ours looks after this cluster."""


class EmbeddedPostgres:
    """One cluster and, between ``start`` and ``stop``, its server.

    Every method blocks: where a loop runs, call it through ``asyncio.to_thread``.

    Args:
        place: where it lives, see ``find_place``.
        settings: server settings on top of ``SETTINGS``.
    """

    def __init__(self, place: Place, settings: dict[str, str] | None = None) -> None:
        self.place = place
        self._settings = {**SETTINGS, **(settings or {}), "cluster_name": place.cluster_name}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._log = place.home / "log"

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, kept from start to start."""
        return int((self.place.home / "port").read_text())

    def url(self, database: str = "postgres") -> str:
        """Give the superuser's address of a database.

        Without TLS, which loopback does not need, and for which clients would look into a home
        that they may be unable to read.
        """
        password = (self.place.home / "password").read_text().strip()
        login = f"{SUPERUSER}:{password}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    @property
    def pid(self) -> int | None:
        """The postmaster's process number, while it is our child and alive."""
        if self._process is None or self._process.poll() is not None:
            return None
        return self._process.pid

    @property
    def exists(self) -> bool:
        """Whether the cluster has been made."""
        return (self.place.data / "PG_VERSION").exists()

    def start(self) -> None:
        """Make the cluster if it is new, clear what a killed run left, start, wait until ready.

        Raises:
            PostgresInUse: another process has started this cluster and still lives.
            PostgresFailed: it does not come up.
        """
        self._take_lock()
        try:
            self._make_cluster()
            leftovers.clear(self.place.data, self.place.cluster_name)
            self._start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server: connections are cut, nothing committed is lost. Does no harm twice."""
        if self._process is not None:
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
                self._process.send_signal(number)
                try:
                    self._process.wait(STOP_TIMEOUT)
                except subprocess.TimeoutExpired:
                    continue
                break
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def is_answering(self) -> bool:
        """Whether a server answers at the kept address with the kept password, whoever runs it."""
        try:
            return asyncio.run(_trouble(self.url())) is None
        except (FileNotFoundError, ValueError):
            return False

    def log_tail(self, since: int = 0) -> str:
        """Give the last lines of the server's log, none from before the offset ``since``."""
        with self._log.open("rb") as file:
            file.seek(max(since, self._log.stat().st_size - 4000))
            return file.read().decode(errors="replace").strip()

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.place.home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise PostgresInUse(f"The database in {self.place.home} is in use.") from None
        self._lock = lock

    def _make_cluster(self) -> None:
        if self.exists:
            return
        # Made beside and moved into place whole, so that a kill in between leaves no half.
        fresh = self.place.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self.place.home / "password"
        password.unlink(missing_ok=True)
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(32) + "\n")
        if self.place.account is not None:
            os.chown(password, self.place.account.uid, self.place.account.gid)
        arguments = _initdb_arguments(fresh, password)
        done = subprocess.run(  # noqa: S603 - our own program and paths
            self._as_server("initdb", *arguments),
            cwd=self.place.home,
            env=_ENVIRONMENT,
            capture_output=True,
            text=True,
            timeout=_INITDB_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            raise PostgresFailed(f"initdb failed: {done.stderr.strip() or done.stdout.strip()}")
        fresh.rename(self.place.data)

    def _start(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            self._choose_port(afresh=attempt > 1)
            since = self._open_log()
            if self._comes_up():
                return
            trouble = self.log_tail(since)
            if "pre-existing shared memory block" in trouble:
                leftovers.clear(self.place.data, self.place.cluster_name)
            elif "could not bind" not in trouble or attempt == _ATTEMPTS:
                raise PostgresFailed(f"PostgreSQL does not start:\n{trouble}")

    def _comes_up(self) -> bool:
        settings = {**self._settings, "port": str(self.port)}
        arguments = [f"-c{name}={value}" for name, value in settings.items()]
        with self._log.open("ab") as log:
            self._process = _LAUNCHER.submit(
                subprocess.Popen,
                self._as_server("postgres", "-D", str(self.place.data), *arguments),
                cwd=self.place.home,
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            ).result()
        deadline = time.monotonic() + START_TIMEOUT
        while self._process.poll() is None:
            trouble = asyncio.run(_trouble(self.url()))
            if trouble is None:
                return True
            if time.monotonic() > deadline:
                raise PostgresFailed(f"PostgreSQL does not answer ({trouble}):\n{self.log_tail()}")
            time.sleep(0.02)
        self._process = None
        return False

    def _choose_port(self, *, afresh: bool) -> None:
        path = self.place.home / "port"
        if not afresh and path.exists() and _is_free(self.port):
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            path.write_text(f"{probe.getsockname()[1]}\n")

    def _open_log(self) -> int:
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.rename(self._log.with_name("log.old"))
        self._log.touch(mode=0o600)
        return self._log.stat().st_size

    def _as_server(self, program: str, *arguments: str) -> list[str]:
        account = self.place.account
        who = (str(account.uid), str(account.gid)) if account else ("-", "-")
        path = str(self.place.programs / program)
        shim = (sys.executable, "-I", "-S", str(launch.__file__))
        return [*shim, *who, str(os.getpid()), path, *arguments]


_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _initdb_arguments(data: Path, password: Path) -> list[str]:
    # PostgreSQL's own collation sorts the same on every system; the C library is asked for the
    # classes of characters only.
    ctype = "en_US.UTF-8" if sys.platform == "darwin" else "C.UTF-8"
    return [
        f"--pgdata={data}",
        f"--username={SUPERUSER}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        f"--lc-ctype={ctype}",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--set=listen_addresses=127.0.0.1",
        "--set=unix_socket_directories=",
    ]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def _trouble(url: str) -> str | None:
    """Log in and ask something; say what went wrong, or None."""
    try:
        connection = await asyncpg.connect(url, timeout=5)
        try:
            await connection.execute("SELECT 1", timeout=5)
        finally:
            connection.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return repr(error)
    return None
