"""Decisions about backups that need no database (learnings contract, section 4.3)."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from services.learnings.backup.models import Announced, PresignRequest, Room
from shared.errors import (
    BadRequest,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    TooLarge,
)
from shared.ids import new_id
from shared.principal import Principal

MOST_WAITING: Final = 200
"""Backups that an organization may announce before it uploads some."""

MOST_KEPT: Final = 10_000
"""Backups that an organization may keep, however small, so that counting them stays cheap."""

_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def org_of(principal: Principal) -> str:
    """Say whose backups these are.

    Raises:
        Forbidden: the caller acts in no organization.
    """
    if not principal.org:
        raise Forbidden("An organization is needed")
    return principal.org


def wanted_upload(body: PresignRequest, most: int) -> tuple[int, str]:
    """Give size and digest of what is to be uploaded.

    Raises:
        Invalid: one is missing, or the size is over ``most``.
    """
    faults = [
        Fault(("body", name), "Field required", "missing")
        for name in ("sha256", "size_bytes")
        if getattr(body, name) is None
    ]
    if faults:
        raise Invalid(faults)
    assert body.size_bytes is not None
    assert body.sha256 is not None
    if body.size_bytes > most:
        message = f"a backup may have at most {most} bytes"
        raise Invalid.field("body", "size_bytes", msg=message, type="less_than_equal")
    return body.size_bytes, body.sha256


def wanted_download(body: PresignRequest) -> str:
    """Give the key of what is to be downloaded.

    Raises:
        Invalid: there is none.
    """
    if body.key is None:
        raise Invalid.field("body", "key", msg="Field required", type="missing")
    return body.key


def key_of(org_id: str, client_id: str, now: datetime) -> str:
    """Name a new backup; a client id with odd characters stands there as its hash."""
    client = client_id
    if not _PLAIN.fullmatch(client) or ".." in client:
        digest = hashlib.sha256(client_id.encode(errors="surrogatepass")).hexdigest()
        client = f"client-{digest[:16]}"
    return f"backups/{org_id}/{client}/{now:%Y%m%dT%H%M%SZ}-{new_id('', 8)}.db.gz"


def check_room(room: Room, size: int, quota: int) -> None:
    """Check that one more backup fits.

    Raises:
        NotFound: the organization was erased a moment ago.
        TooLarge: it does not.
        RateLimited: too many are announced and not uploaded.
    """
    if room.is_forgotten:
        raise NotFound
    if room.waiting >= MOST_WAITING:
        raise RateLimited(900, f"At most {MOST_WAITING} uploads may wait. Finish some first.")
    if room.kept >= MOST_KEPT:
        raise TooLarge(f"The organization may keep {MOST_KEPT} backups; all are in use")
    if room.used + size > quota:
        raise TooLarge(f"The organization's backups may have {quota} bytes; {room.used} are in use")


def check_headers(announced: Announced, headers: Mapping[str, str]) -> None:
    """Check that an upload says of itself what was announced.

    Raises:
        BadRequest: it does not.
    """
    length = headers.get("content-length", "")
    if not length.isdigit() or length.lstrip("0") != str(announced.size):
        raise BadRequest(f"Content-Length must be {announced.size}, as announced")
    digest = base64.b64encode(bytes.fromhex(announced.sha256)).decode()
    if headers.get("x-amz-checksum-sha256", "").strip() != digest:
        raise BadRequest("x-amz-checksum-sha256 must be the SHA-256 announced, in base64")
