"""A real OpenID Connect issuer for tests: oidc-provider, which is certified, on Node.js.

    async with running(PUBLIC_URL) as issuer:
        ...

Its packages are pinned by hash in ``package-lock.json`` and installed once into the user's cache,
by ``python -m tests.prepare``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from tests.support.npm import Packages

FOLDER: Final = Path(__file__).parent
START_TIMEOUT: Final = 60.0

PACKAGES: Final = Packages("oidc-provider", FOLDER)


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
        str(PACKAGES.modules()),
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
