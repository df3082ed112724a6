"""What an API key is made of, and when it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.auth.api_keys.models import (
    PREFIXES,
    RELEASES_WRITE,
    KeyKind,
    KeyStanding,
    KeyVerdict,
    Rotatable,
    Written,
)
from shared.errors import Conflict, Forbidden, Invalid
from shared.principal import Role
from shared.secret import encode_base64url

SHOWN: Final = 6
"""Characters of the random part that a list shows."""


def key_of(kind: KeyKind, random: bytes) -> str:
    """Write 32 random bytes as a key."""
    return PREFIXES[kind] + encode_base64url(random)


def written(kind: KeyKind, key: str) -> Written:
    """Give what is stored of a key: the part by which a person recognizes it, and its SHA-256."""
    return Written(key[: len(PREFIXES[kind]) + SHOWN], digest_of(key))


def digest_of(key: str) -> bytes:
    """Give what is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def granted(scopes: Sequence[str], by_platform_admin: bool) -> list[str]:
    """Give the scopes of a new key, each once, in the order asked for.

    Raises:
        Forbidden: one of them only a platform administrator may grant.
    """
    if RELEASES_WRITE in scopes and not by_platform_admin:
        raise Forbidden(f"Only a platform administrator may grant {RELEASES_WRITE}")
    return list(dict.fromkeys(scopes))


def check_expiry(expires_at: datetime | None, now: datetime) -> None:
    """Refuse an expiry that is over.

    Raises:
        Invalid: it is.
    """
    if expires_at is not None and expires_at <= now:
        raise Invalid.field("body", "expires_at", msg="must be in the future")


def check_rotatable(key: Rotatable) -> None:
    """Check that a key is one that can be replaced.

    Raises:
        Conflict: it is somebody's own, or was replaced before.
    """
    if key.kind != "organization":
        raise Conflict("Only an organization's own keys are rotated; make a new one instead")
    if key.replaced_by is not None:
        raise Conflict(f"This key was replaced by {key.replaced_by} already")


def verdict(standing: KeyStanding | None) -> KeyVerdict:
    """Decide whether a key holds, and with which role and scopes.

    It acts with its maker's present role in the organization, so it loses what they lose.
    """
    if standing is None or not standing.holds:
        return KeyVerdict(active=False)
    # A platform administrator may make keys for organizations they are no member of.
    role = standing.role or (Role.ADMIN if standing.platform_admin else None)
    scopes = [
        scope for scope in standing.scopes if scope != RELEASES_WRITE or standing.platform_admin
    ]
    if role is None or not scopes:
        return KeyVerdict(active=False)
    return KeyVerdict(
        active=True,
        key_id=standing.id,
        account_id=standing.account_id,
        org_id=standing.org_id,
        role=role,
        scopes=scopes,
        expires_at=int(standing.expires_at.timestamp()) if standing.expires_at else None,
    )
