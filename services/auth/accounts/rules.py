"""Normal forms of addresses, tokens, and what is written to people."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Final

from services.auth.mail.models import Letter
from shared.principal import Role


def email_key(email: str) -> str:
    """Give the form by which addresses are compared: NFKC and case-folded."""
    folded = unicodedata.normalize("NFKC", email.strip()).casefold()
    # Folding may take a text out of NFKC again (Unicode 3.13, definition D146).
    return unicodedata.normalize("NFKC", folded)


TOKEN_PREFIX: Final = "verify_"  # noqa: S105 - a prefix, not a secret


def digest(token: str) -> bytes:
    """Give what is stored of a random token: its SHA-256, from which it cannot be found."""
    return hashlib.sha256(token.encode()).digest()


def shown_role(role: str | None, platform_admin: bool) -> str:
    """Name a role as the runs surface does: ``owner``, ``admin`` or ``member``."""
    return Role.ADMIN if platform_admin else role or Role.MEMBER


def verification_letter(recipient: str, public_url: str, token: str) -> Letter:
    """Write the letter with which a person proves that an address is theirs."""
    return Letter(
        recipient,
        "Verify your email address",
        f"""Welcome to Guildhall.

To verify your email address, open this link within 24 hours:

{public_url}/auth/verify-email?token={token}

Or use the token itself:

{token}

curl -X POST {public_url}/v1/auth/verify-email -H 'Content-Type: application/json' \
-d '{{"token":"{token}"}}'

If you did not register, you need not do anything.
""",
    )


def known_address_letter(recipient: str, public_url: str) -> Letter:
    """Write to the owner of an account that somebody registered their address again."""
    return Letter(
        recipient,
        "You already have an account",
        f"""Somebody, perhaps you, registered this email address with Guildhall at {public_url}.

You already have an account there, so nothing was changed: sign in with the password that you
have. If you did not register, you need not do anything.
""",
    )
