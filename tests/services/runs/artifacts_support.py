"""Runs with artifacts, and requests for them as they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from services.runs.artifacts.operations import Store
from services.runs.settings import RunsSettings
from shared.principal import ANONYMOUS, Principal
from tests.services.runs.conftest import Runs
from tests.support.service import asserting

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


def store_of(runs: Runs) -> Store:
    found: Store = runs.resources[Store]
    return found


def folder_of(runs: Runs) -> Path:
    """Where the store of a test keeps its objects."""
    settings: RunsSettings = runs.resources[RunsSettings]
    return settings.data_dir.resolve() / "artifacts"


async def run_with(runs: Runs, org: str, *paths: str, content: bytes = PNG) -> str:
    """Add a run with artifacts; give its id."""
    run_id = await runs.add_run(org)
    for path in paths:
        await store_of(runs).put(org, run_id, path, content)
    return run_id


async def ask(
    runs: Runs, target: str, principal: Principal = ANONYMOUS, method: str = "GET", **options: Any
) -> httpx.Response:
    """Ask for a target below ``/artifacts/``, sent byte for byte."""
    url = httpx.URL(str(runs.client.base_url)).copy_with(
        raw_path=b"/api/v1/artifacts/" + target.encode()
    )
    headers = {**asserting("runs", principal), **options.pop("headers", {})}
    return await runs.client.request(method, url, headers=headers, **options)
