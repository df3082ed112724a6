"""Downloads: whole, in part, or not at all when the caller has it already."""

from __future__ import annotations

from collections.abc import Mapping

from services.learnings.files import rules
from services.learnings.files.models import Delivery, Described
from shared.errors import NotFound
from shared.log import get_logger
from shared.object_store import FileStore

log = get_logger()


async def deliver(
    files: FileStore, key: str, file: Described, headers: Mapping[str, str]
) -> Delivery:
    """Open a file for a request (RFC 9110: conditions, one range).

    Raises:
        PreconditionFailed: ``If-Match`` names another version.
        RangeNotSatisfiable: the range begins behind the end.
        NotFound: the store has lost it.
    """
    selection = rules.select(file, headers)
    sent = rules.headers_of(file, selection)
    if selection.status == 304:
        return Delivery(304, sent, None, file.media_type)
    try:
        body = await files.get(key, selection.start, selection.end)
    except NotFound:
        log.error("file missing", key=key)
        raise
    return Delivery(selection.status, sent, body, file.media_type)
