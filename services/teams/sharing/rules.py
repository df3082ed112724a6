"""How sharing is read, and how tokens for it are made (teams contract, section 4.3)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from services.teams.sharing.models import Sharing
from shared.errors import BadRequest
from shared.secret import decode_base64url, encode_base64url

CLONE_PREFIX: Final = "trc_cl_"
RANDOM_BYTES: Final = 18
LONGEST_VIEW_TOKEN: Final = 256

_CLONE_TOKEN: Final = re.compile(r"trc_cl_[A-Za-z0-9_-]{24}")
_SECONDS: Final = re.compile(r"[1-9][0-9]{0,15}")


def read_sharing(body: Mapping[str, Any]) -> Sharing:
    """Read what an owner wants; without any setting it is the visibility that is missing.

    Raises:
        BadRequest: a setting has a value that it cannot have.
    """
    wanted = Sharing(body.get("visibility"), body.get("hide_souls"), body.get("edit"))
    is_other = "hide_souls" in body or "edit" in body
    if ("visibility" in body or not is_other) and wanted.visibility not in ("public", "private"):
        raise BadRequest("visibility must be 'public' or 'private'")
    if "hide_souls" in body and not isinstance(wanted.hide_souls, bool):
        raise BadRequest("hide_souls must be true or false")
    if "edit" in body and wanted.edit not in ("members", "owner"):
        raise BadRequest("edit must be 'members' or 'owner'")
    return wanted


def new_clone_token() -> str:
    """Make a clone token."""
    return CLONE_PREFIX + encode_base64url(secrets.token_bytes(RANDOM_BYTES))


def is_clone_token(text: str) -> bool:
    """Tell whether a text could be one."""
    return _CLONE_TOKEN.fullmatch(text) is not None


def view_token(key: bytes, team_id: str, expires: int) -> str:
    """Make a token with which a team's page can be read.

    Args:
        key: 32 bytes.
        team_id: whose page.
        expires: Unix seconds.
    """
    text = f"{team_id}|{expires}"
    return encode_base64url(f"{text}|{_signature(key, text)}".encode())


def read_view_token(key: bytes, text: str, now: float) -> str | None:
    """Give the team whose page a token shows; None if it is none, or expired.

    Args:
        key: under which it must have been made.
        text: whatever was sent.
        now: Unix seconds.
    """
    if len(text) > LONGEST_VIEW_TOKEN:
        return None
    try:
        team_id, expires, signature = decode_base64url(text).decode("ascii").split("|")
    except ValueError:
        return None
    # What is compared, and what is read after it, are the same bytes.
    if not hmac.compare_digest(_signature(key, f"{team_id}|{expires}"), signature):
        return None
    if not _SECONDS.fullmatch(expires) or now >= int(expires):
        return None
    return team_id if _is_uuid(team_id) else None


def _signature(key: bytes, text: str) -> str:
    return encode_base64url(hmac.digest(key, text.encode(), hashlib.sha256))


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
