"""Services that work without HTTP: they say so, and stop when they are told to."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.secret import encode_base64url
from tests.support.postgres import DatabaseUrls
from tests.support.service import ASSERTION_KEY

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["runs", "teams", "agents"])
async def test_it_works_without_http_until_told_to_stop(
    name: str, database_urls: DatabaseUrls, tmp_path: Path
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{name}", "work"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={
            "GUILDHALL_DATABASE_URL": database_urls.url(name),
            "GUILDHALL_BROKER_URL": database_urls.url("bus"),
            "GUILDHALL_ASSERTION_KEY": encode_base64url(ASSERTION_KEY),
            "GUILDHALL_RUNS_ENCRYPTION_KEY": encode_base64url(ASSERTION_KEY),
            "GUILDHALL_DATA_DIR": str(tmp_path),
        },
    )
    try:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), 30)
        assert b"working" in said
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
