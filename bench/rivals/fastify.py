"""Fastify 5 on Node.js with its own plugins: http-proxy, jwt and rate-limit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench.process import child, free_port
from bench.rivals import LIMIT, SECRET, Rival, Server, lacks
from bench.rivals.cache import PROGRAMS, install, is_complete, place

_FILES: Final = ("package.json", "package-lock.json")


def _home() -> Path:
    return place("fastify", *_FILES)


def _absent() -> str:
    return lacks("node") or ("" if is_complete(_home()) else "not installed")


def _install() -> str:
    missing = lacks("node") or lacks("npm")
    if missing:
        return missing
    sources = [str(PROGRAMS / name) for name in _FILES]
    options = ("--ignore-scripts", "--no-audit", "--no-fund")
    return install(_home(), ("cp", *sources, "."), ("npm", "ci", *options))


def _version() -> str:
    file = _home() / "node_modules/fastify/package.json"
    return str(json.loads(file.read_text())["version"]) if file.is_file() else ""


@contextmanager
def _run(folder: Path, upstream: int, checks: bool) -> Iterator[Server]:
    port = free_port()
    modules = str(_home() / "node_modules")
    arguments = (modules, port, upstream, int(checks), SECRET.decode(), LIMIT)
    node = shutil.which("node") or "node"
    command = (node, PROGRAMS / "fastify.mjs", *arguments)
    with child([str(word) for word in command], port) as process:
        yield Server(process.pid, port)


FASTIFY: Final = Rival(
    "Fastify",
    "@fastify/jwt HS256, @fastify/rate-limit",
    version=_version,
    absent=_absent,
    run=_run,
    install=_install,
    warm_up=10,  # V8 has compiled its hot paths after some 20,000 requests
)
