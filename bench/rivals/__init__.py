"""Servers that the gateway is measured against, each run from a configuration of its own.

One module a rival, with a ``Rival`` in it that says what it is and runs it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.process import child

SECRET: Final = b"a-shared-secret-of-the-benchmark"
"""What the rivals' tokens are signed with: they all know HS256, few know EdDSA."""

LIMIT: Final = 100_000_000
"""Requests a minute that each subject may make, so that counting is all that is measured."""


@dataclass(frozen=True, slots=True)
class Server:
    """A proxy that runs: its process, which may have children, and its port on 127.0.0.1."""

    pid: int
    port: int


Running = Callable[[Path, int, bool], AbstractContextManager[Server]]
"""Runs a rival: a folder for its files, the upstream's port, whether it checks and counts."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A proxy of others.

    Attributes:
        name: of it.
        checks: how it checks a token and counts requests; empty if it does not.
        version: tells which it is.
        absent: tells why it cannot be run here; empty if it can.
        run: runs it until the context ends.
        is_plain_too: whether it is measured without checks beside.
        install: installs it into the user's cache; gives what went wrong, or nothing.
        warm_up: seconds of load after which it is as fast as it gets.
    """

    name: str
    checks: str
    version: Callable[[], str]
    absent: Callable[[], str]
    run: Running
    is_plain_too: bool = True
    install: Callable[[], str] = lambda: ""
    warm_up: int = 1


@contextmanager
def configured(binary: str, option: str, text: str, file: Path, port: int) -> Iterator[Server]:
    """Run a program from a configuration."""
    file.write_text(text)
    with child([binary, option, str(file)], port) as process:
        yield Server(process.pid, port)


def lacks(program: str) -> str:
    """Say that a program is not installed; nothing if it is."""
    return "" if shutil.which(program) else f"{program} is not installed"


def hs256_token() -> str:
    """Make the token that the rivals check."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(b'{"alg":"HS256","typ":"JWT","kid":"1"}')
    claims = {"iss": "bench", "aud": "bench", "sub": "usr_1", "exp": int(time.time()) + 36_000}
    signed = f"{head}.{part(json.dumps(claims).encode())}"
    return f"{signed}.{part(hmac.digest(SECRET, signed.encode(), hashlib.sha256))}"
