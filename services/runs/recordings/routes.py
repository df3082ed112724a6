"""The HTTP door of recordings (runs contract, section 3.9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from services.runs.recordings import operations
from services.runs.recordings.models import (
    ConvertRequest,
    Done,
    Input,
    Inputs,
    LiveSeen,
    PictureQuery,
    Recorded,
    RecordingState,
    Seen,
    Started,
    StartRequest,
    StopRequest,
    Wanted,
)
from services.runs.recordings.operations import LivePages, Means
from services.runs.settings import RunsSettings
from shared.api import Call, Empty, Operation, Reply
from shared.fetch import Fetcher
from shared.vault import Vault

HOME: Final = "/api/v1/record"
TAG: Final = "Record"

LARGEST_BODY: Final = 2 * 1024 * 1024
"""Bytes (section 16)."""

TICKET: Final = "x-recording-ticket"
"""The header in which a recording's page shows its ticket; never in an address or a log."""

HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
"""Of the page and of what it loads."""

_PAGE: Final = {path.name: path.read_bytes() for path in Path(__file__).parent.glob("live.*")}


async def convert(call: Call[ConvertRequest, Empty]) -> Reply:
    """``POST /api/v1/record/convert``."""
    made = await operations.convert(_means(call), call.principal, call.body)
    return Reply(made.model_dump(exclude_none=True))


async def start(call: Call[StartRequest, Empty]) -> Started:
    """``POST /api/v1/record/start``."""
    record_id = await operations.start(_means(call), call.principal, call.body)
    live_url = call.resource(LivePages).url(call.principal, record_id)
    return Started(record_id=record_id, live_url=live_url)


async def show(call: Call[Empty, Empty]) -> RecordingState:
    """``GET /api/v1/record/sessions/{id}``."""
    return await operations.state(_means(call), call.principal.org, call.path["id"])


async def picture(call: Call[Empty, PictureQuery]) -> Seen:
    """``GET /api/v1/record/sessions/{id}/picture``."""
    where = (call.principal.org, call.path["id"], call.query.after, call.query.wait)
    return await operations.picture(_means(call), *where)


async def act(call: Call[Input, Empty]) -> Done:
    """``POST /api/v1/record/sessions/{id}/input``."""
    await operations.act(_means(call), call.principal.org, call.path["id"], call.body)
    return Done()


async def stop(call: Call[StopRequest, Empty]) -> Reply:
    """``POST /api/v1/record/stop``."""
    made = await operations.stop(_means(call), call.principal, call.body)
    return Reply(made.model_dump(exclude_none=True))


def _means(call: Call[Any, Any]) -> Means:
    return Means(
        call.database, call.resource(Vault), call.resource(Fetcher), call.resource(RunsSettings)
    )


async def live(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/v1/record/sessions/{id}/live``: the same for everybody, it holds no data."""
    return _asset("live.html", "text/html; charset=utf-8")


async def live_script(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/v1/record/live.js``."""
    return _asset("live.js", "text/javascript; charset=utf-8")


async def live_style(call: Call[Empty, Empty]) -> Reply:
    """``GET /api/v1/record/live.css``."""
    return _asset("live.css", "text/css; charset=utf-8")


def _asset(name: str, media_type: str) -> Reply:
    return Reply(_PAGE[name], 200, HEADERS, media_type)


async def live_picture(call: Call[Empty, PictureQuery]) -> LiveSeen:
    """``GET /api/v1/record/sessions/{id}/live/picture``."""
    where = (call.path["id"], call.query.after, call.query.wait)
    return await call.resource(LivePages).see(_means(call), _ticket(call), *where)


async def live_act(call: Call[Inputs, Empty]) -> Done:
    """``POST /api/v1/record/sessions/{id}/live/input``."""
    where = (_ticket(call), call.path["id"], call.body.inputs)
    await call.resource(LivePages).act(_means(call), *where)
    return Done()


async def live_stop(call: Call[Wanted, Empty]) -> Reply:
    """``POST /api/v1/record/sessions/{id}/live/stop``."""
    record_id = call.path["id"]
    holder = call.resource(LivePages).holder(_ticket(call), record_id)
    wanted = StopRequest(record_id=record_id, **call.body.model_dump())
    made = await operations.stop(_means(call), holder, wanted)
    return Reply(made.model_dump(exclude_none=True))


def _ticket(call: Call[Any, Any]) -> str:
    return call.headers.get(TICKET, "")


def _row(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    row: dict[str, Any] = {
        "scope": "runs:write",
        "tag": TAG,
        "errors": (400, 404),
        "no_store": True,
    }
    return Operation(
        method=method, path=HOME + path, endpoint=endpoint, summary=summary, **(row | more)
    )


def _open(method: str, path: str, endpoint: Any, summary: str, **more: Any) -> Operation:
    """Make the row of what asks for the ticket of a recording's page instead of a name."""
    own = {"scope": None, "public": True, "errors": (400, 401, 404)}
    return _row(method, path, endpoint, summary, **(own | more))


def _page(path: str, endpoint: Any, summary: str, media_type: str) -> Operation:
    """Make the row of the page or of what it loads, which hold no data."""
    more = {"answer": None, "errors": (), "media_type": media_type, "no_store": False}
    return _open("GET", path, endpoint, summary, **more)


_ONE: Final = "/sessions/{id}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        method="POST",
        path=HOME + "/convert",
        endpoint=convert,
        summary="Make a suite of a recording",
        body=ConvertRequest,
        answer=Recorded,
        scope="runs:write",
        body_limit=LARGEST_BODY,
        errors=(400, 413),
        tag=TAG,
    ),
    _row(
        *("POST", "/start", start, "Begin to record in a browser"),
        body=StartRequest,
        answer=Started,
        errors=(400,),
    ),
    _row("GET", _ONE, show, "Say how a recording stands", answer=RecordingState, scope="runs:read"),
    _row(
        *("GET", _ONE + "/picture", picture, "Show what a remote browser shows"),
        query=PictureQuery,
        answer=Seen,
    ),
    _row(
        *("POST", _ONE + "/input", act, "Click, type and navigate in a remote browser"),
        body=Input,
        answer=Done,
    ),
    _row(
        *("POST", "/stop", stop, "End a recording, and make a suite of it"),
        body=StopRequest,
        answer=Recorded,
        errors=(400, 404, 502),
    ),
    _page("/live.js", live_script, "Send the script of a recording's page", "text/javascript"),
    _page("/live.css", live_style, "Send the style of a recording's page", "text/css"),
    _page(_ONE + "/live", live, "Show a recording, and let people act in it", "text/html"),
    _open(
        *("GET", _ONE + "/live/picture", live_picture, "Say what a recording's page shows next"),
        query=PictureQuery,
        answer=LiveSeen,
    ),
    _open(
        *("POST", _ONE + "/live/input", live_act, "Act on a recording's page, in order"),
        body=Inputs,
        answer=Done,
    ),
    _open(
        *("POST", _ONE + "/live/stop", live_stop, "End a recording on its page"),
        body=Wanted,
        answer=Recorded,
        errors=(400, 401, 404, 502),
    ),
)
