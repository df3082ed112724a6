"""What a session may, and what its token says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.principal import Role
from shared.tokens import AUDIENCE, CLAIM_TYPE


def role_of(membership_role: str, platform_admin: bool) -> str:
    """Give the role in which a person acts: a platform administrator is one everywhere."""
    return Role.PLATFORM_ADMIN if platform_admin else membership_role


def scopes_of(platform_admin: bool) -> list[str]:
    """Give the scopes of a person's session: all, but what reaches beyond organizations."""
    return ["*", "releases:write"] if platform_admin else ["*"]


def claims(
    issuer: str,
    subject: str,
    session: str,
    org_id: str,
    role: str,
    issued_at: int,
    expires_at: int,
    token_id: str,
    scopes: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Write the claims of an access token.

    Args:
        issuer: the installation's public URL.
        subject: the account.
        session: the session, or the API key that the token is bought with.
        org_id: the organization acted in.
        role: the subject's standing there.
        issued_at: Unix seconds.
        expires_at: Unix seconds.
        token_id: of this token alone.
        scopes: what an API key narrows the token to.
    """
    content: dict[str, Any] = {
        "iss": issuer,
        "aud": AUDIENCE,
        "sub": subject,
        "sid": session,
        "org": org_id,
        "role": role,
        "typ": CLAIM_TYPE,
        "iat": issued_at,
        "exp": expires_at,
        "jti": token_id,
    }
    if scopes is not None:
        content["scp"] = list(scopes)
    return content
