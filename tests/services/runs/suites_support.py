"""What tests of suites share."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx

from shared.principal import Principal
from tests.services.runs.conftest import Runs


def etag_of(text: str) -> str:
    """The ETag of a text, as headers have it."""
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


async def put(runs: Runs, who: Principal, name: str, text: str, **headers: str) -> httpx.Response:
    """Put a text under a name; ``if_match`` and ``if_none_match`` become headers."""
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    return await runs.put(f"suites/{name}", who, {"yaml": text}, headers=sent)


async def saved(runs: Runs, who: Principal, name: str, text: str, **headers: str) -> dict[str, Any]:
    """Put a text that is good, and give the answer."""
    answer = await put(runs, who, name, text, **headers)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def files(runs: Runs, who: Principal, query: str = "") -> list[str]:
    """The files of a list, in its order."""
    answer = await runs.get(f"suites{query}", who)
    assert answer.status_code == 200, answer.text
    return [item["file"] for item in answer.json()["items"]]
