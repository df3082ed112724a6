"""What is said of a file that is sent."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from services.learnings.files.models import Described
from shared.byte_ranges import Selection
from shared.byte_ranges import select as select_range


def etag_of(file: Described) -> str:
    """Give the strong entity tag: the digest itself."""
    return f'"{file.sha256}"'


def headers_of(file: Described, selection: Selection) -> dict[str, str]:
    """Give what stands beside the bytes; ``Digest`` is of the whole file (RFC 3230)."""
    headers = selection.headers(file.size, etag_of(file))
    if selection.status == 304:
        return headers
    digest = base64.b64encode(bytes.fromhex(file.sha256)).decode()
    return headers | {
        "digest": f"sha-256={digest}",
        "content-disposition": f'attachment; filename="{file.name}"',
    }


def select(file: Described, headers: Mapping[str, str]) -> Selection:
    """Decide what to send. Several ranges, and what is no range, mean the whole file.

    Raises:
        PreconditionFailed: ``If-Match`` names another version.
        RangeNotSatisfiable: the range begins behind the end.
    """
    return select_range(file.size, etag_of(file), headers)
