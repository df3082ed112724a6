"""What an API key is made of, and when it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.auth.api_keys.models import RELEASES_WRITE, KeyStanding, KeyVerdict
from shared.errors import Forbidden, Invalid
from shared.principal import Role
from shared.secret import encode_base64url

PREFIX: Final = "trw_live_"
SHOWN: Final = 6
"""Characters of the random part that a list shows."""


def key_of(random: bytes) -> str:
    """Write 32 random bytes as a key (learnings contract, section 2)."""
    return PREFIX + encode_base64url(random)


def prefix_of(key: str) -> str:
    """Give the part by which a person recognizes a key."""
    return key[: len(PREFIX) + SHOWN]


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
