"""Recordings in a browser of a worker: begun, looked at, acted in and ended (contract 12)."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from typing import Any, Final

from services.runs.errands import operations as errands
from services.runs.errands.models import State
from services.runs.recordings.models import (
    Input,
    Recorded,
    RecordingState,
    Seen,
    StartRequest,
    StopRequest,
)
from services.runs.recordings.operations.converting import made
from shared.db import Database
from shared.errors import BadGateway, BadRequest, LimitExceeded, NotFound
from shared.fetch import NO_ADDRESS, NOT_ALLOWED, Fetcher, FetchFailed
from shared.principal import Principal
from shared.secret import decode_base64url, encode_base64url
from shared.vault import Vault

IDLE: Final = 1800.0
"""Seconds without anything that is done, after which a recording ends."""

LONGEST: Final = 4 * 3600.0
"""Seconds of a recording, waiting for a worker included."""

STOPPING: Final = 20.0
POLL: Final = 0.1

_STARTING, _RUNNING, _DONE, _CANCELLED = "queued", "running", "done", "cancelled"

REFUSED: Final = (
    "base_url may not be reached: only http and https, and no private network unless "
    "GUILDHALL_URL_ALLOW (or TRIPWIRE_URL_ALLOW) lists its host"
)
NO_DISPLAY: Final = (
    'This host has no display for a visible browser: start with mode:"remote", whose browser is '
    "seen through the API"
)


@dataclass(frozen=True, slots=True)
class Means:
    """With what browsers are reached."""

    database: Database
    vault: Vault
    fetcher: Fetcher


async def start(means: Means, principal: Principal, request: StartRequest) -> str:
    """Begin a recording; give its id.

    Raises:
        BadRequest: there is no display, or ``url_not_allowed``.
        LimitExceeded: the organization has too many browsers at work.
    """
    if request.mode != "remote" and not os.environ.get("DISPLAY"):
        raise BadRequest(NO_DISPLAY)
    try:
        await means.fetcher.check(request.base_url)
    except FetchFailed as refused:
        if refused.reason in (NOT_ALLOWED, NO_ADDRESS):
            raise BadRequest(REFUSED, code="url_not_allowed") from None
        raise BadRequest("The host of base_url is not known") from None
    order = {
        "base_url": request.base_url,
        "headed": request.mode != "remote",
        "idle_seconds": IDLE,
    }
    errand_id = await errands.begin(
        means.database,
        means.vault,
        principal.org,
        kind="record",
        order=order,
        seconds=LONGEST,
        patience_s=IDLE,
    )
    return _record_id(errand_id, request.base_url)


def _record_id(errand_id: str, base_url: str) -> str:
    """Make an id that remembers where the recording began, however it ended."""
    return "rec_" + encode_base64url(json.dumps([errand_id, base_url]).encode())


def _read(record_id: str) -> tuple[str, str]:
    try:
        found = json.loads(decode_base64url(record_id.removeprefix("rec_")))
        errand_id, base_url = found
        if record_id.startswith("rec_") and isinstance(errand_id, str):
            return errand_id, str(base_url)
    except (ValueError, TypeError):
        pass
    raise NotFound("There is no such recording")


async def _state(means: Means, org_id: str, errand_id: str) -> State:
    try:
        found = await errands.state(means.database, means.vault, org_id, errand_id)
    except NotFound:
        raise NotFound("There is no such recording") from None
    if found.result is not None and "actions" not in found.result:
        raise NotFound("There is no such recording")
    return found


async def state(means: Means, org_id: str, record_id: str) -> RecordingState:
    """Say how a recording stands.

    Raises:
        NotFound: there is none.
    """
    errand_id, base_url = _read(record_id)
    found = await _state(means, org_id, errand_id)
    count = 0
    if found.result is not None:
        count = _count(found.result["actions"])
    else:
        for heard in await errands.heard(means.database, means.vault, org_id, errand_id):
            if heard.slot == "state":
                count = int(heard.content.get("action_count", 0))
    status: Any = {
        _STARTING: "starting",
        _RUNNING: "recording" if count else "starting",
        _DONE: "stopped",
        _CANCELLED: "stopped",
    }.get(found.status, "error")
    error = (found.reason or "The recording failed.") if status == "error" else None
    return RecordingState(status=status, action_count=count, base_url=base_url, error=error)


def _count(actions: list[dict[str, Any]]) -> int:
    return sum(one.get("type") not in ("navigate", "heading") for one in actions)


async def picture(means: Means, org_id: str, record_id: str, after: int) -> Seen:
    """Give the newest picture of the browser, where there is a newer one.

    Raises:
        NotFound: there is no such recording.
    """
    errand_id, base_url = _read(record_id)
    await _state(means, org_id, errand_id)
    seen = Seen(n=after, url=base_url, width=0, height=0)
    for heard in await errands.heard(means.database, means.vault, org_id, errand_id, after):
        if heard.slot == "picture":
            seen = Seen(n=heard.n, **heard.content)
    return seen


async def act(means: Means, org_id: str, record_id: str, given: Input) -> None:
    """Pass on what a person does.

    Raises:
        NotFound: there is no such recording.
        BadRequest: it has ended, or the address may not be opened.
    """
    errand_id, _ = _read(record_id)
    if (await _state(means, org_id, errand_id)).is_over:
        raise BadRequest("The recording has ended")
    await errands.tell(means.database, means.vault, org_id, errand_id, given.model_dump())


async def stop(means: Means, principal: Principal, request: StopRequest) -> Recorded:
    """End a recording, and make a suite of it; once more gives the same for a quarter of an hour.

    Raises:
        NotFound: there is no such recording.
        BadRequest: it failed, or nothing was done.
        BadGateway: the browser does not end.
    """
    errand_id, base_url = _read(request.record_id)
    org_id = principal.org
    found = await _state(means, org_id, errand_id)
    if not found.is_over:
        try:
            await errands.tell(means.database, means.vault, org_id, errand_id, {"do": "stop"})
        except LimitExceeded:
            found = await _state(means, org_id, errand_id)
            if not found.is_over:
                raise
    try:
        async with asyncio.timeout(STOPPING):
            while not found.is_over:
                await asyncio.sleep(POLL)
                found = await _state(means, org_id, errand_id)
    except TimeoutError:
        await errands.end(means.database, org_id, errand_id)
        raise BadGateway("The browser did not end in time", code="unavailable") from None
    if found.result is None:
        raise BadRequest(f"Nothing was recorded: {found.reason or 'the recording was ended.'}")
    return await made(means.database, principal, found.result["actions"], base_url, request)
