"""The system under test: one compose project with secrets, a port and a name of its own."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.compose.engine import Environment, StepFailed, run

ROOT: Final = Path(__file__).resolve().parents[2]
ONE_SHOT: Final = "migrate"


class System:
    """Commands on one compose project; every method raises ``StepFailed`` on trouble."""

    def __init__(self, folder: Path, env: Environment) -> None:
        self.name = f"guildhall-test-{uuid4().hex[:8]}"
        self.image = f"guildhall:{self.name}"
        self.address = f"http://127.0.0.1:{_free_port()}"
        self._built = ""
        self._env_file = folder / "env"
        self._env = env

    def build(self) -> None:
        """Build the image as ``.env.example`` says, and fill the environment file with it."""
        run("docker", "build", "--tag", self.image, ROOT, env=self._env, timeout=1200)
        # compose builds again and moves the tag, so the first one is known by its id alone.
        inspected = run(
            "docker", "image", "inspect", "--format", "{{.Id}}", self.image, env=self._env
        )
        self._built = inspected.stdout.strip()
        secrets = run("docker", "run", "--rm", self.image, "guildhall", "secrets", env=self._env)
        own = {
            "GUILDHALL_VERSION": self.name,
            "GUILDHALL_PORT": self.address.rpartition(":")[2],
            "GUILDHALL_PUBLIC_URL": self.address,
            "GUILDHALL_SMTP_URL": "smtp://mailbox:2525",
            "GUILDHALL_URL_ALLOW": "gateway",
        }
        # Ours come last and win over a line of the same name.
        lines = "".join(f"{name}={value}\n" for name, value in own.items())
        self._env_file.write_text(secrets.stdout + lines)
        self._env_file.chmod(0o600)

    def refusal_without_secrets(self) -> str:
        """Try to start without any secret, and give the word of refusal."""
        files = ("--env-file", "/dev/null", "--file", str(ROOT / "docker-compose.yml"))
        refused = run(
            *("docker", "compose", "--project-name", self.name, *files, "up", "--detach"),
            env=self._env,
            check=False,
        )
        if refused.returncode == 0:
            raise StepFailed("the system starts without any secret")
        return refused.stderr

    def compose(self, *words: str, timeout: float = 120) -> str:
        """Run one ``docker compose`` command and give its output."""
        done = run(
            *("docker", "compose", "--ansi", "never", "--project-name", self.name),
            *("--project-directory", str(ROOT), "--env-file", str(self._env_file)),
            *("--file", str(ROOT / "docker-compose.yml")),
            *("--file", str(ROOT / "tests/compose/mailbox.yml"), *words),
            env=self._env,
            timeout=timeout,
        )
        return done.stdout

    def up(self) -> None:
        """Start everything and wait until all is healthy."""
        self.compose("up", "--build", "--wait", "--wait-timeout", "240", timeout=1200)

    def down(self, *words: str) -> None:
        """Stop and remove the containers; ``--volumes`` removes the data too."""
        self.compose("down", "--timeout", "30", *words, timeout=240)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Give what the engine says of each container, by the name of its compose service."""
        numbers = self.compose("ps", "--all", "--quiet").split()
        if not numbers:
            return {}
        told = json.loads(run("docker", "inspect", *numbers, env=self._env).stdout)
        return {c["Config"]["Labels"]["com.docker.compose.service"]: c for c in told}

    def is_healthy(self, service: str) -> bool:
        """Say whether the container runs and its health check passes."""
        state = self.containers()[service]["State"]
        return bool(state["Running"]) and state.get("Health", {}).get("Status") == "healthy"

    def runs_anew(self, service: str, before: int) -> bool:
        """Say whether the container runs with another process than ``before``."""
        return self.containers()[service]["State"]["Pid"] not in (0, before)

    def execute(self, service: str, *words: str) -> str:
        """Run a program in a service's container."""
        return self.compose("exec", "--no-TTY", service, *words, timeout=60)

    def kill(self, service: str) -> int:
        """Kill the process of a container as the kernel would, and give its number.

        Not ``docker kill``, which counts as a wish of the operator and is not restarted.
        """
        pid = int(self.containers()[service]["State"]["Pid"])
        run(
            *("docker", "run", "--rm", "--pid", "host", "--user", "0", "--entrypoint", "python"),
            *(self.image, "-c", f"import os; os.kill({pid}, 9)"),
            env=self._env,
        )
        return pid

    def broker_counter(self, name: str) -> int:
        """Give a counter of RabbitMQ's own metrics, summed over its queue types."""
        metrics = self.execute(
            *("gateway", "python", "-c"),
            "import urllib.request as r;"
            "print(r.urlopen('http://rabbitmq:15692/metrics', timeout=5).read().decode())",
        )
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\d+)", metrics, re.MULTILINE)
        if not values:
            raise StepFailed(f"RabbitMQ has no metric {name}")
        return sum(map(int, values))

    def count(self, sql: str) -> int:
        """Ask the database for a number, as its administrator."""
        words = ("psql", "--username=postgres", "--dbname=guildhall", "-tAc", sql)
        return int(self.execute("postgres", *words))

    def mails(self) -> str:
        """Give every mail that was sent, one after the other."""
        # Not by compose, which puts escape sequences before each line.
        return run("docker", "logs", self.containers()["mailbox"]["Id"], env=self._env).stdout

    def leftovers(self) -> str:
        """List the volumes and networks that still carry the project's name."""
        label = f"label=com.docker.compose.project={self.name}"
        return "".join(
            run("docker", kind, "ls", "--quiet", "--filter", label, env=self._env).stdout
            for kind in ("volume", "network")
        )

    def remove_image(self) -> None:
        """Remove what ``build`` and ``up`` built."""
        worker = f"guildhall-worker:{self.name}"
        for image in filter(None, (self.image, worker, self._built)):
            run("docker", "image", "rm", "--force", image, env=self._env, check=False)


def _free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port
