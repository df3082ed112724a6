"""How invitations are made and read (teams contract, sections 4.1 and 4.3)."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from services.teams.invites.models import Terms
from shared.errors import BadRequest
from shared.secret import encode_base64url

PREFIX: Final = "trc_inv_"
RANDOM_BYTES: Final = 18
HINTED: Final = len(PREFIX) + 4
"""Characters of a code that may be shown: 120 random bits are left to guess."""

DEFAULT_HOURS: Final = 24
MOST_HOURS: Final = 168
MOST_USES: Final = 2**31 - 1

_CODE: Final = re.compile(r"trc_inv_[A-Za-z0-9_-]{24}")
_INTEGER: Final = re.compile(r"([+-]?)0*([0-9]+)")
_LONGEST_INTEGER: Final = 6


def new_code() -> str:
    """Make a code."""
    return PREFIX + encode_base64url(secrets.token_bytes(RANDOM_BYTES))


def digest(code: str) -> bytes:
    """Give what is stored of a code: 144 random bits need no slower hash."""
    return hashlib.sha256(code.encode()).digest()


def read_code(body: Mapping[str, Any]) -> str | None:
    """Read ``invite_code``; None for a text that is no code.

    Raises:
        BadRequest: there is none, or it is no text.
    """
    if "invite_code" not in body:
        raise BadRequest("invite_code is required")
    code = body["invite_code"]
    if not isinstance(code, str):
        raise BadRequest("invite_code must be a string")
    return code if _CODE.fullmatch(code) else None


def read_terms(body: Mapping[str, Any]) -> Terms:
    """Read what is wanted of an invitation.

    Raises:
        BadRequest: ``max_uses`` is no positive integer.
    """
    return Terms(read_ttl_hours(body.get("ttl_hours")), read_max_uses(body.get("max_uses")))


def read_ttl_hours(value: object) -> int:
    """Read hours: an integer or its text, within 1 to 168; 24 for whatever is none."""
    hours = DEFAULT_HOURS
    if isinstance(value, int) and not isinstance(value, bool):
        hours = value
    elif isinstance(value, str) and (match := _INTEGER.fullmatch(value)):
        # Many digits are many hours, however long it would take to read them.
        hours = int(match[1] + match[2][:_LONGEST_INTEGER])
    return max(1, min(hours, MOST_HOURS))


def read_max_uses(value: object) -> int | None:
    """Read how many machines an invitation admits; None for any number.

    Raises:
        BadRequest: it is no positive integer.
    """
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadRequest("max_uses must be a positive integer")
    return min(value, MOST_USES)


def shown(time: datetime) -> str:
    """Write a time as the contract has it: UTC, whole seconds, ``Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
