"""A real OpenID Connect issuer for tests: oidc-provider, which is certified, on Node.js.

    async with running(PUBLIC_URL) as issuer:
        ...

Its packages are pinned by hash in ``package-lock.json`` and installed once into the user's cache,
by ``python -m tests.prepare``.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
INSTALL_TIMEOUT: Final = 300.0
START_TIMEOUT: Final = 60.0
OLDEST_NODE: Final = 18


def has_node() -> bool:
    """Tell whether there is a Node.js that is new enough."""
    if shutil.which("node") is None:
        return False
    asked = subprocess.run(
        ("node", "--version"), capture_output=True, text=True, timeout=30, check=False
    )
    version = re.match(r"v(\d+)\.", asked.stdout)
    return version is not None and int(version[1]) >= OLDEST_NODE


def modules() -> Path:
    """Name the folder of the packages; another lock file has another."""
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "guildhall" / f"oidc-provider-{lock[:16]}" / "node_modules"


def is_installed() -> bool:
    """Tell whether the issuer can be started."""
    return has_node() and modules().is_dir()


def install() -> str:
    """Install the packages of the lock file; give what went wrong, or nothing."""
    if not has_node() or shutil.which("npm") is None:
        return "node and npm are needed"
    home = modules().parent
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent) as name:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(FOLDER / file, name)
        done = subprocess.run(
            ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"),
            cwd=name,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_TIMEOUT,
            check=False,
        )
        if done.returncode != 0:
            return done.stderr.strip()
        # Whole or not at all; another run may have been faster.
        home.mkdir(exist_ok=True)
        with suppress(OSError):
            (Path(name) / "node_modules").rename(modules())
    return ""


@asynccontextmanager
async def running(public_url: str) -> AsyncIterator[str]:
    """Run the issuer; give its address.

    It ends with the context, and with this process, however that ends: it reads its input.

    Args:
        public_url: of the Guildhall whose callbacks it accepts.

    Raises:
        RuntimeError: it ended, or said nothing in time; with what it wrote.
    """
    process = await asyncio.create_subprocess_exec(
        "node",
        str(FOLDER / "issuer.mjs"),
        str(modules()),
        public_url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_TIMEOUT):
            line = (await process.stdout.readline()).decode().strip()
        if not line.startswith("http://"):
            raise RuntimeError(f"the issuer does not start: {line}")
        yield line
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
