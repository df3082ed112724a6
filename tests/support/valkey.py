"""A Valkey or Redis of a test's own: in memory only, on a port of its own, gone with the test.

    def test_it(valkey: Valkey) -> None:
        store = Store(valkey.url, patience=1.0)

Needs the server's program (Debian's package ``redis-server``), but not its service.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

from tests.support.ports import free_port

START_TIMEOUT: Final = 20.0

# Kills the server when this process dies, however it dies: its end of the pipe closes then.
_MOURN: Final = 'cat; kill -9 "$1"'


def server_program() -> str | None:
    """Find the server, by either name."""
    return shutil.which("valkey-server") or shutil.which("redis-server")


def skip_without_server() -> None:
    """Skip a test where there is no server, unless nothing may be skipped."""
    if server_program() is None and os.environ.get("CI") != "true":
        pytest.skip("needs Valkey or Redis (apt-get install redis-server)")


class Valkey:
    """One server. ``running`` makes it and takes it away again."""

    def __init__(self, folder: Path, password: str | None) -> None:
        self._folder = folder
        self._password = password
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._mourner: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(cls, password: str | None = None, *, start: bool = True) -> Iterator[Valkey]:
        """Start a server; kill it afterwards.

        Args:
            password: that clients must give.
            start: whether it runs from the beginning.
        """
        with TemporaryDirectory(prefix="guildhall-valkey-") as folder:
            valkey = cls(Path(folder), password)
            try:
                if start:
                    valkey.start()
                yield valkey
            finally:
                valkey.kill()

    @property
    def url(self) -> str:
        """The address, with the password where there is one."""
        secret = f":{self._password}@" if self._password else ""
        return f"redis://{secret}127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """Start the server, with nothing in it, and wait until it answers.

        Raises:
            RuntimeError: it ended, or did not answer in time; with its log.
        """
        program = server_program()
        if program is None:
            raise RuntimeError("Valkey or Redis is not installed: apt-get install redis-server")
        arguments = ["--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._folder)]
        arguments += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--databases", "2"]
        if self._password:
            arguments += ["--requirepass", self._password]
        log = self._folder / "server.log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                (program, *arguments), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self._mourner = subprocess.Popen(
            ("sh", "-c", _MOURN, "mourner", str(self._process.pid)),
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Valkey does not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill the server, as a crash of its machine would; all it held is lost."""
        if self._mourner is not None:
            self._mourner.kill()
            self._mourner.communicate()
            self._mourner = None
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_TIMEOUT)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server keep its connections but do nothing, as behind a broken network."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> bytes:
        """Give the server's raw answer to a command."""
        with socket.create_connection(("127.0.0.1", self._port), timeout=2) as peer:
            if self._password:
                peer.sendall(_encoded("AUTH", self._password))
                peer.recv(64)
            peer.sendall(_encoded(*words))
            peer.shutdown(socket.SHUT_WR)
            answer = b""
            while data := peer.recv(65536):
                answer += data
            return answer

    def _answers(self) -> bool:
        try:
            return self.command("PING") == b"+PONG\r\n"
        except OSError:
            return False


def _encoded(*words: str) -> bytes:
    parts = [b"*%d\r\n" % len(words)]
    parts += [b"$%d\r\n%b\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"".join(parts)
