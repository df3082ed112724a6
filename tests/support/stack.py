"""The whole system as processes, as ``guildhall up`` runs it, with its own data dir and ports.

Tests that only look share the session's ``stack``; tests that break something make their own:

    @pytest.mark.stack
    async def test_it(stack: Stack) -> None:
        httpx.get(f"{stack.base_url}/health")

    @pytest.mark.stack
    def test_it(make_stack: MakeStack) -> None:
        stack = make_stack(GUILDHALL_LOG_LEVEL="debug")
        stack.kill_child("auth")

Every test that uses either carries the mark ``stack``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import psutil

from guildhall import child
from guildhall.provision import DATABASE, derived_passwords, role_url
from shared.secret import decode_base64url
from tests.support.folders import open_folder
from tests.support.ports import free_ports

START_LIMIT: Final = 120.0
STOP_LIMIT: Final = 30.0

_QUICK_HASHES: Final = {"GUILDHALL_PASSWORD_MEMORY": "32", "GUILDHALL_PASSWORD_PASSES": "1"}
"""Hundreds of logins at the price of real ones would cost minutes of every run."""

_ROOT: Final = Path(__file__).resolve().parents[2]
_POLL: Final = 0.02
_READY: Final = "Ctrl-C stops everything."  # the last line of what is told when all are ready


class Stack:
    """One installation: a folder, a block of ports, and the processes while it runs.

    Args:
        folder: for the data dir and the log.
        environment: GUILDHALL_ variables beside port and data dir.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.data_dir = folder / "var"
        self.port = free_ports()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._log = folder / "log"
        self._environment = environment
        self._up: subprocess.Popen[bytes] | None = None
        self._read_from = 0

    @property
    def mail_directory(self) -> Path:
        """Where outgoing mail lands, one file each."""
        return self.data_dir / "mail"

    @property
    def log(self) -> str:
        """Everything written since the last start."""
        with self._log.open("rb") as file:
            file.seek(self._read_from)
            return file.read().decode(errors="replace")

    @property
    def pid(self) -> int:
        """The process number of ``guildhall up``."""
        assert self._up is not None, "not started"
        return self._up.pid

    def start(self) -> None:
        """Start everything and wait until it is ready."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start, without waiting."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "PYTHONPATH": str(_ROOT),
            "PYTHONUNBUFFERED": "1",
            "GUILDHALL_PORT": str(self.port),
            "GUILDHALL_DATA_DIR": str(self.data_dir),
            **_QUICK_HASHES,
            **self._environment,
        }
        self._read_from = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._up = subprocess.Popen(
                # By way of child.py, so that it ends with us if we are killed.
                (sys.executable, str(child.__file__), "-m", "guildhall", "up"),
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self, limit: float = START_LIMIT) -> None:
        """Return when the system has said that it is ready."""
        assert self._up is not None, "not started"
        deadline = time.monotonic() + limit
        while _READY not in self.log:
            if self._up.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the system does not start:\n{self.log[-6000:]}")
            time.sleep(_POLL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, and give its exit status."""
        assert self._up is not None, "not started"
        self._up.send_signal(number)
        try:
            return self._up.wait(STOP_LIMIT)
        finally:
            self._forget()

    def kill(self) -> None:
        """Kill ``guildhall up`` alone; its children find out by themselves."""
        assert self._up is not None, "not started"
        self._up.kill()
        self._up.wait()
        self._forget()

    def kill_everything(self) -> None:
        """Kill every process of the system at the same moment, the database's too."""
        everything = [psutil.Process(self.pid), *psutil.Process(self.pid).children(recursive=True)]
        for process in everything:
            with suppress(psutil.NoSuchProcess):  # some end by themselves when others do
                process.kill()
        self.kill()

    def child(self, name: str) -> psutil.Process:
        """Find the process of ``gateway``, a service, ``runs work`` or ``postgres``."""
        module, *words = name.split()
        wanted = {"gateway": ["gateway"], "postgres": ["postgres"]}.get(
            module, [f"services.{module}", *(words or ["serve"])]
        )
        for process in psutil.Process(self.pid).children():
            try:
                command = process.cmdline()
            except psutil.Error:  # it has ended
                continue
            if name == "postgres" and command and Path(command[0]).name == "postgres":
                return process
            if command[-len(wanted) :] == wanted:
                return process
        raise LookupError(f"no process {name!r}")

    def kill_child(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to one process of the system, and give its number."""
        process = self.child(name)
        process.send_signal(number)
        return process.pid

    def admin_url(self) -> str:
        """Give the superuser's address of the database."""
        home = self.data_dir / "postgres"
        password, port = (home / "password").read_text(), (home / "port").read_text()
        address = f"guildhall:{password.strip()}@127.0.0.1:{port.strip()}"
        return f"postgresql://{address}/{DATABASE}?sslmode=disable"

    def database_url(self, schema: str) -> str:
        """Give the address with which a service logs in."""
        root = decode_base64url((self.data_dir / "secrets" / "root_secret").read_text().strip())
        return role_url(self.admin_url(), schema, derived_passwords(root)[schema])

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._up is not None and self._up.poll() is None

    def _forget(self) -> None:
        assert self._up is not None
        assert self._up.stdin is not None  # asked for in launch()
        self._up.stdin.close()
        self._up = None


class MakeStack(Protocol):
    """The fixture ``make_stack``."""

    def __call__(self, *, start: bool = True, **environment: str) -> Stack:
        """Make an installation, start it unless told not to, and stop it after the test."""


@contextmanager
def running_stack(*, start: bool = True, **environment: str) -> Iterator[Stack]:
    """Make an installation and take everything away afterwards."""
    with open_folder("guildhall-stack-") as folder:
        stack = Stack(folder, environment)
        try:
            if start:
                stack.start()
            yield stack
        finally:
            if stack.is_running:
                stack.stop()
