"""A RabbitMQ of the tests' own: node name, ports, folders and Erlang cookie are all private.

    async def test_it(rabbit: Rabbit) -> None:
        transport = await connect(rabbit.url)

Needs the server's files (Debian's package ``rabbitmq-server``), but neither its service nor its
user: the node runs as whoever runs the tests.
"""

from __future__ import annotations

import glob
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from tests.support.ports import free_ports

START_TIMEOUT: Final = 120.0
STOP_TIMEOUT: Final = 30.0

_MOURN: Final = """
cat
kill -9 -"$1"
epmd -port "$2" -kill
rm -rf "$3"
"""
_HELLO: Final = b"AMQP\x00\x00\x09\x01"


def server_program() -> str | None:
    """Find the server's own start script; the packages' wrappers insist on a certain user."""
    found = [
        *glob.glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server"),
        *glob.glob("/opt/homebrew/opt/rabbitmq/sbin/rabbitmq-server"),
        *glob.glob("/usr/local/opt/rabbitmq/sbin/rabbitmq-server"),
    ]
    return sorted(found)[-1] if found else None


class Rabbit:
    """One node. ``running`` makes it and takes it away again."""

    def __init__(self, program: str, home: Path, schedulers: int) -> None:
        self._program = program
        self._schedulers = schedulers
        self._home = home
        self._name = f"guildhall-{uuid4().hex[:12]}@localhost"
        # Of those that nobody takes while the node is away for a moment.
        self._port = free_ports(3)
        self._dist_port, self._epmd_port = self._port + 1, self._port + 2
        self._epmd: subprocess.Popen[bytes] | None = None
        self._mourner: subprocess.Popen[bytes] | None = None
        self._node: subprocess.Popen[bytes] | None = None

    @classmethod
    @contextmanager
    def running(cls, schedulers: int = 1) -> Iterator[Rabbit]:
        """Start a node in a folder of its own; kill it and delete the folder afterwards.

        Args:
            schedulers: threads that run it; one, because tests share the machine.
        """
        program = server_program()
        if program is None:
            raise RuntimeError("RabbitMQ is not installed: apt-get install rabbitmq-server")
        home = Path(tempfile.mkdtemp(prefix="guildhall-rabbit-"))
        rabbit = cls(program, home, schedulers)
        try:
            rabbit.start()
            yield rabbit
        finally:
            rabbit.kill()
            rabbit._stop_epmd()
            shutil.rmtree(home, ignore_errors=True)

    @property
    def url(self) -> str:
        """The address; its user exists only here and may only come from this machine."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start the node, with what it had stored, and wait until it speaks AMQP.

        Raises:
            RuntimeError: it ended, or did not speak in time; with its log.
        """
        if self._epmd is None:
            self._epmd = subprocess.Popen(
                ("epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        log = self._home / "server.log"
        with log.open("ab") as output:
            self._node = subprocess.Popen(
                (self._program,),
                env=self._environment(),
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._mourn(self._node.pid)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._speaks():
            if self._node.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ does not start:\n{log.read_text()[-5000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the node in good order; it keeps what it has stored."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the node, as a crash of its machine would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the node in good order and start it again."""
        self.stop()
        self.start()

    def knows_on_disk(self, queue: str) -> bool:
        """Whether the node would find a quorum queue again after ``kill``.

        It writes its register of them some seconds late, and forgets a younger queue in a crash.
        """
        found = self._home.glob("**/quorum/**/names.dets")
        return any(queue.encode() in path.read_bytes() for path in found)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the node keep its connections but do nothing, as behind a broken network."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _environment(self) -> dict[str, str]:
        home = str(self._home)
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": home,
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq",
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/plugins",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": home,
            "RABBITMQ_MNESIA_BASE": home,
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_PID_FILE": f"{home}/pid",
            # Replaces the start script by the node, so that signals and waiting are for the node.
            "RUNNING_UNDER_SYSTEMD": "1",
            # Schedulers that sleep when idle, rather than spin.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"+S {self._schedulers}:{self._schedulers}"
            " +sbwt none +sbwtdcpu none +sbwtdio none"
            " -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _speaks(self) -> bool:
        """Say hello; a node that has booted answers with a method frame."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as peer:
                peer.sendall(_HELLO)
                return peer.recv(1) == b"\x01"
        except OSError:
            return False

    def _signal(self, number: signal.Signals) -> None:
        if self._node is not None and self._node.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._node.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._node is None:
            return
        self._signal(number)
        try:
            self._node.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._node.wait(STOP_TIMEOUT)
        self._node = None
        if self._mourner is not None:
            self._mourner.kill()
            self._mourner.communicate()

    def _mourn(self, node: int) -> None:
        """Have everything taken away when this process dies, however it dies.

        Its end of the pipe closes then, and only then.
        """
        self._mourner = subprocess.Popen(
            ("sh", "-c", _MOURN, "mourner", str(node), str(self._epmd_port), str(self._home)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _stop_epmd(self) -> None:
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(STOP_TIMEOUT)
