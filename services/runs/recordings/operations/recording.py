"""Recordings in a browser of a worker: begun, looked at, acted in and ended (contract 12)."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Final

from services.runs.errands import operations as errands
from services.runs.errands.models import Heard, State
from services.runs.recordings.models import (
    Input,
    Recorded,
    RecordingState,
    Seen,
    StartRequest,
    Status,
    StopRequest,
)
from services.runs.recordings.operations.converting import kept
from services.runs.recordings.operations.means import Means
from shared.errors import BadGateway, BadRequest, LimitExceeded, NotFound
from shared.fetch import NO_ADDRESS, NOT_ALLOWED, FetchFailed
from shared.principal import Principal
from shared.secret import decode_base64url, encode_base64url

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
        "idle_seconds": means.settings.recording_idle_seconds,
    }
    errand_id = await errands.begin(
        means.database,
        means.vault,
        principal.org,
        kind="record",
        order=order,
        seconds=LONGEST,
        # Whether somebody is there is seen in its browser; in a visible one nobody asks us.
        patience_s=LONGEST,
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
    count = count_of(found)
    if found.result is None:
        for heard in await errands.heard(means.database, means.vault, org_id, errand_id):
            if heard.slot == "state":
                count = int(heard.content.get("action_count", 0))
    status = status_of(found, count > 0)
    return RecordingState(
        status=status, action_count=count, base_url=base_url, error=error_of(found, status)
    )


def status_of(found: State, has_begun: bool) -> Status:
    """Give the contract's word for how a recording stands."""
    if found.status == _RUNNING:
        return "recording" if has_begun else "starting"
    words: dict[str, Status] = {_STARTING: "starting", _DONE: "stopped", _CANCELLED: "stopped"}
    return words.get(found.status, "error")


def error_of(found: State, status: Status) -> str | None:
    """Say why a recording failed, if it did."""
    return (found.reason or "The recording failed.") if status == "error" else None


def count_of(found: State) -> int:
    """Count what was done in a recording that has ended; 0 where nothing is known."""
    actions = () if found.result is None else found.result["actions"]
    return sum(one.get("type") not in ("navigate", "heading") for one in actions)


async def picture(means: Means, org_id: str, record_id: str, after: int, wait: float = 0) -> Seen:
    """Give the newest picture of the browser, where there is a newer one within some seconds.

    Raises:
        NotFound: there is no such recording.
    """
    _, base_url = _read(record_id)
    until = time.monotonic() + wait
    while True:
        found, words = await look(means, org_id, record_id, after)
        for heard in words:
            if heard.slot == "picture":
                return Seen(n=heard.n, **heard.content)
        if found.is_over or time.monotonic() >= until:
            return Seen(n=after, url=base_url, width=0, height=0)
        await asyncio.sleep(POLL)


async def look(means: Means, org_id: str, record_id: str, after: int) -> tuple[State, list[Heard]]:
    """Say how a recording's browser stands, and what it has told after a number.

    Raises:
        NotFound: there is no such recording.
    """
    errand_id, _ = _read(record_id)
    found = await _state(means, org_id, errand_id)
    return found, await errands.heard(means.database, means.vault, org_id, errand_id, after)


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
    """End a recording, and make a suite of it; asked the same once more it answers the same.

    That holds for a quarter of an hour, and nothing is saved twice.

    Raises:
        NotFound: there is no such recording.
        BadRequest: it failed, or nothing was done.
        BadGateway: the browser does not end.
    """
    errand_id, base_url = _read(request.record_id)
    org_id = principal.org
    found = await _state(means, org_id, errand_id)
    if found.status == _STARTING:
        await errands.end(means.database, org_id, errand_id)
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
    return await kept(means, principal, errand_id, found.result, base_url, request)
