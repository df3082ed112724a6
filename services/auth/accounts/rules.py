"""Normal forms of addresses, tokens and roles."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

from shared.principal import Role


def email_key(email: str) -> str:
    """Give the form by which addresses are compared: NFKC and case-folded."""
    folded = unicodedata.normalize("NFKC", email.strip()).casefold()
    # Folding may take a text out of NFKC again (Unicode 3.13, definition D146).
    return unicodedata.normalize("NFKC", folded)


TOKEN_PREFIX: Final = "verify_"  # noqa: S105 - a prefix, not a secret
EMAIL_PREFIX: Final = "email_"


def digest(token: str) -> bytes:
    """Give what is stored of a random token: its SHA-256, from which it cannot be found."""
    return hashlib.sha256(token.encode()).digest()


def shown_role(role: str | None, platform_admin: bool) -> str:
    """Name a role as the runs surface does: ``owner``, ``admin`` or ``member``."""
    return Role.ADMIN if platform_admin else role or Role.MEMBER
