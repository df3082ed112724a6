"""A process that is killed while it delivers: the message comes again, under the same id."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.learnings.app import SERVICE
from shared.secret import encode_base64url
from tests.services.learnings.conftest import Tenant, learnings_settings
from tests.services.learnings.webhooks_support import (
    Hooks,
    answer_with,
    got,
    receiver,
    silence,
    verified,
)
from tests.support.postgres import DatabaseUrls
from tests.support.service import client_of

pytestmark = pytest.mark.slow


@asynccontextmanager
async def working(urls: DatabaseUrls, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``python -m services.learnings work`` until the context is left."""
    environment = {
        "PATH": os.environ["PATH"],
        "GUILDHALL_PROFILE": "development",
        "GUILDHALL_LEARNINGS_DATABASE_URL": urls.url("learnings"),
        "GUILDHALL_BROKER_URL": urls.url("bus"),
        "GUILDHALL_ROOT_SECRET": encode_base64url(bytes(range(32))),
        "GUILDHALL_DATA_DIR": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.learnings", "work", env=environment
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_process_killed_while_delivering_loses_nothing(
    database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    settings = learnings_settings(database_urls, tmp_path)
    async with receiver() as target, client_of(SERVICE, settings) as client:
        target.behave = silence
        hooks = Hooks(Tenant(client))
        made = await hooks.create(target.url)
        queued = await hooks.test(made["id"])
        async with working(database_urls, tmp_path) as process:
            await got(target, 1)
            process.kill()
        target.behave = answer_with(204)
        # As if the killed process' lease had run out.
        sql = await asyncpg.connect(database_urls.url("learnings"), timeout=10)
        await sql.execute("UPDATE learnings.webhook SET held_until = now(), next_at = now()")
        await sql.close(timeout=5)
        async with working(database_urls, tmp_path):
            again = (await got(target, 2))[1]
            assert again.header("webhook-id") == queued["message_id"]
            assert verified(made["secret"], again)["type"] == "webhook.test"
            assert (await hooks.tried(made["id"], 2))["status"] == "delivered"
