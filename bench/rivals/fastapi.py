"""FastAPI with httpx and PyJWT: the gateway that most people write; in its own environment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.process import child, free_port
from bench.rivals import LIMIT, SECRET, Rival, Server
from bench.rivals.cache import PROGRAMS, install_python, is_complete, place

_REQUIREMENTS: Final = "fastapi.txt"


def _home() -> Path:
    return place("fastapi", _REQUIREMENTS)


def _version() -> str:
    names = ("fastapi", "httpx")
    found = [next(_home().glob(f"lib/python*/site-packages/{name}-*.dist-info")) for name in names]
    return ", httpx ".join(path.name.split("-")[1].removesuffix(".dist") for path in found)


@contextmanager
def _run(folder: Path, upstream: int, checks: bool) -> Iterator[Server]:
    port = free_port()
    python, program = _home() / "bin/python", PROGRAMS / "fastapi_proxy.py"
    command = (python, program, port, upstream, int(checks), SECRET.decode(), LIMIT)
    with child([str(word) for word in command], port) as process:
        yield Server(process.pid, port)


FASTAPI: Final = Rival(
    "FastAPI + httpx",
    "PyJWT HS256, dictionary",
    version=_version,
    absent=lambda: "" if is_complete(_home()) else "not installed",
    run=_run,
    is_plain_too=False,
    install=lambda: install_python(_home(), _REQUIREMENTS),
)
