"""The public images, or stand-ins of our own where no registry answers.

A stand-in keeps what ``docker-compose.yml`` relies on: the program versions, the user ids, the
paths, the environment variables and the init folder. Its recipe is in ``standins/``.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from tests.compose.engine import MIRROR, Environment, run, say

STANDINS: Final = Path(__file__).resolve().parent / "standins"
BASE: Final = "debian:trixie-slim"
IMAGES: Final = {"python:3.13-slim": "python", "postgres:17": "postgres", "rabbitmq:4": "rabbitmq"}

_TRUST_STORE: Final = "/etc/ssl/certs/ca-certificates.crt"


def prepare(env: Environment) -> list[str]:
    """Have every image that the project's files name, and list those that are stand-ins."""
    missing = [image for image in IMAGES if not _present(image, env) and not _pull(image, env)]
    if missing:
        say(f"no registry answers; building stand-ins for {', '.join(missing)}")
        _prepare_base(env)
    for image in missing:
        _build(image, env)
    return missing


def _present(image: str, env: Environment) -> bool:
    return run("docker", "image", "inspect", image, env=env, check=False).returncode == 0


def _pull(image: str, env: Environment) -> bool:
    pulled = run("docker", "pull", "--quiet", image, env=env, check=False, timeout=600)
    return pulled.returncode == 0


def _prepare_base(env: Environment) -> None:
    if _present(BASE, env) or _pull(BASE, env):
        return
    with tempfile.TemporaryDirectory(prefix="guildhall-debian-", dir="/var/tmp") as folder:
        say("making a minimal Debian 13")
        run("debootstrap", "--variant=minbase", "trixie", folder, MIRROR, env=env, timeout=900)
        # Device files and caches have no business in an image.
        packed = (
            'tar -C "$1" --exclude=./dev/* --exclude=./var/cache/apt/* -c . | docker import - "$2"'
        )
        run("sh", "-c", packed, "sh", folder, BASE, env=env, timeout=300)


def _build(image: str, env: Environment) -> None:
    say(f"building a stand-in for {image}")
    with tempfile.TemporaryDirectory(prefix="guildhall-standin-") as folder:
        context = Path(folder, "context")
        shutil.copytree(STANDINS / IMAGES[image], context)
        trusted = Path(os.environ.get("SSL_CERT_FILE", _TRUST_STORE))
        shutil.copy(trusted, context / "ca-certificates.crt")
        run("docker", "build", "--quiet", "--tag", image, context, env=env, timeout=900)
