"""A Docker engine to test on: the machine's own, or one that we start and take away again.

Where ``docker compose`` works already, nothing is started. Elsewhere, as root on Debian, the
engine comes from the system's packages and runs with its data in a folder of its own; the compose
and buildx plugins come from Debian 13, because Debian 12 has none of that age.

``GUILDHALL_TEST_ENGINE_DIR`` names a folder that keeps images between runs; ``DEBIAN_MIRROR`` a
mirror other than deb.debian.org.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

MIRROR: Final = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"

_START_TIMEOUT: Final = 60.0
_OURS: Final = ("GUILDHALL_", "POSTGRES_", "RABBITMQ_", "COMPOSE_")

Environment = Mapping[str, str]


class StepFailed(Exception):
    """A step did not succeed; the text says which and why."""


def say(text: str) -> None:
    """Tell the person who watches."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(
    *command: str | Path, env: Environment | None = None, timeout: float = 60, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program and keep what it writes.

    Raises:
        StepFailed: it takes too long, or ``check`` is set and it fails.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise StepFailed(f"{' '.join(words)}: no end after {timeout:.0f} s") from error
    if check and done.returncode:
        output = (done.stdout + done.stderr).strip()[-4000:]
        raise StepFailed(f"{' '.join(words)}: status {done.returncode}\n{output}")
    return done


def until(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until the condition holds.

    Raises:
        StepFailed: it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise StepFailed(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.2)


@contextmanager
def engine() -> Iterator[dict[str, str]]:
    """Give the environment in which ``docker compose`` works, for as long as it is entered."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    if _works(env, "docker", "info") and _works(env, "docker", "compose", "version"):
        yield env
        return
    kept = os.environ.get("GUILDHALL_TEST_ENGINE_DIR")
    # Not below /tmp, which may be memory: images need about 2 GB.
    folder = Path(kept or tempfile.mkdtemp(prefix="guildhall-engine-", dir="/var/tmp"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield from _own_engine(folder, env)
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _own_engine(folder: Path, env: dict[str, str]) -> Iterator[dict[str, str]]:
    _install_packages(env)
    env = {**env, "DOCKER_HOST": f"unix://{folder}/docker.sock"}
    if not _works(env, "docker", "compose", "version"):
        env["DOCKER_CONFIG"] = str(folder / "config")
        _install_plugins(folder, env)
    say(f"starting a Docker engine in {folder}")
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen(
            (
                *("dockerd", "--host", env["DOCKER_HOST"], "--pidfile", str(folder / "pid")),
                *("--data-root", str(folder / "root"), "--exec-root", str(folder / "exec")),
            ),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until("the engine answers", lambda: _works(env, "docker", "info"), _START_TIMEOUT)
        yield env
    finally:
        daemon.terminate()
        try:
            daemon.wait(60)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


def _works(env: Environment, *command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return run(*command, env=env, timeout=30, check=False).returncode == 0


def _install_packages(env: Environment) -> None:
    missing = [
        package
        for program, package in (("dockerd", "docker.io"), ("debootstrap", "debootstrap"))
        if shutil.which(program) is None
    ]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise StepFailed(
            "No Docker engine answers. Start one, or run this as root on Debian, "
            f"where it can be installed ({', '.join(missing)})."
        )
    say(f"installing {' '.join(missing)}")
    # RUNLEVEL=1 keeps the package from starting a service of its own.
    quiet = {**env, "RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-q", env=quiet, timeout=300)
    run(
        *("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing),
        env=quiet,
        timeout=900,
    )


def _install_plugins(folder: Path, env: Environment) -> None:
    """Take the plugins out of Debian 13's packages, without touching the system."""
    plugins = folder / "config" / "cli-plugins"
    if (plugins / "docker-compose").exists():
        return
    say("fetching docker compose and buildx")
    apt = folder / "apt"
    for part in ("lists/partial", "cache/archives/partial", "out"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    (apt / "sources.list").write_text(f"deb [signed-by={KEYRING}] {MIRROR} trixie main\n")
    options = (
        *(
            "-o",
            f"Dir::Etc::sourcelist={apt}/sources.list",
            "-o",
            "Dir::Etc::sourceparts=/dev/null",
        ),
        *("-o", f"Dir::State::lists={apt}/lists", "-o", f"Dir::Cache={apt}/cache"),
        *("-o", "APT::Sandbox::User=root"),
    )
    run("apt-get", *options, "update", "-q", env=env, timeout=300)
    script = 'cd "$1" && shift && apt-get "$@" download docker-compose docker-buildx'
    run("sh", "-c", script, "sh", apt / "out", *options, env=env, timeout=300)
    for package in (apt / "out").glob("*.deb"):
        run("dpkg", "-x", package, apt / "unpacked")
    shutil.copytree(apt / "unpacked/usr/libexec/docker/cli-plugins", plugins)
