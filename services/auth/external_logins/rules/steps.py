"""The steps of a sign-in: where the browser goes, what binds the answer, who the subject is."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from pydantic import TypeAdapter, ValidationError

from services.auth.accounts.models import Email
from services.auth.external_logins.models import (
    DEFAULT_PREFIX,
    Discovery,
    IdClaims,
    TrustedIssuer,
)
from shared.secret import encode_base64url

COOKIE: Final = "guildhall_external"
LIFE: Final = 600
"""Seconds from leaving for an issuer to coming back."""

LONGEST_COOKIES: Final = 16_384
LONGEST_NAME: Final = 200

_ADDRESS: Final[TypeAdapter[str]] = TypeAdapter(Email)
_VALUE_LENGTH: Final = 43
"""Characters of 32 bytes in base64url."""


def digest(value: str) -> bytes:
    """Give what is stored of a random value: its SHA-256."""
    return hashlib.sha256(value.encode()).digest()


def challenge(verifier: str) -> str:
    """Give the PKCE challenge ``S256`` of a verifier (RFC 7636, section 4.2)."""
    return encode_base64url(digest(verifier))


def callback_address(public_url: str, provider: str) -> str:
    """Give the redirect URI; one an issuer, so that an answer cannot be mistaken for another's."""
    return f"{public_url}/auth/{provider}/callback"


def authorization_address(
    discovery: Discovery,
    issuer: TrustedIssuer,
    redirect_uri: str,
    state: str,
    nonce: str,
    verifier: str,
) -> str:
    """Write where the browser is sent (OpenID Connect Core, section 3.1.2.1)."""
    parts = urlsplit(discovery.authorization_endpoint)
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(issuer.scopes),
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
    }
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def cookie_name(public_url: str) -> str:
    """Name the cookie; over https so that no other host or path can set it (RFC 6265bis)."""
    return f"__Host-{COOKIE}" if public_url.startswith("https://") else COOKIE


def cookie_in(headers: Mapping[str, str], public_url: str) -> str | None:
    """Find the value that binds sign-ins to this browser."""
    header, name = headers.get("cookie", ""), cookie_name(public_url)
    if len(header) > LONGEST_COOKIES:
        return None
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    values = [value for found, _, value in pairs if found == name]
    return values[0] if values and len(values[0]) == _VALUE_LENGTH else None


def set_cookie(value: str, public_url: str) -> str:
    """Write the ``Set-Cookie`` header; Lax, because the issuer's answer comes from another site."""
    parts = [f"{cookie_name(public_url)}={value}", "Path=/", "HttpOnly", "SameSite=Lax"]
    parts.append(f"Max-Age={LIFE if value else 0}")
    if public_url.startswith("https://"):
        parts.append("Secure")
    return "; ".join(parts)


def subject_of(issuer: TrustedIssuer, claims: IdClaims) -> str:
    """Name a subject on the agents surface: ``oidc:<sub>``.

    A second issuer has a prefix of its own, which holds no colon: no ``sub`` of one can be written
    so that it reads like the other's.
    """
    return f"{issuer.subject_prefix}:{claims.subject}"


def groups_of(
    issuer: TrustedIssuer, claims: IdClaims, others: Iterable[TrustedIssuer]
) -> tuple[str, ...]:
    """Name the groups of a subject: as the claim writes them, behind the prefix of all but one.

    Under the default prefix they stand bare, so one that reads like another issuer's is dropped.
    """
    if issuer.subject_prefix != DEFAULT_PREFIX:
        return tuple(f"{issuer.subject_prefix}:{group}" for group in claims.groups)
    taken = tuple(f"{other.subject_prefix}:" for other in others)
    return tuple(group for group in claims.groups if not group.startswith(taken))


def proved_address(issuer: TrustedIssuer, claims: IdClaims) -> str | None:
    """Give the person's address if the issuer says that it is verified, and is believed."""
    if claims.email is None or not claims.email_verified or not issuer.trusted_email:
        return None
    try:
        return _ADDRESS.validate_python(claims.email)
    except ValidationError:
        return None


def has_allowed_domain(issuer: TrustedIssuer, claims: IdClaims) -> bool:
    """Tell whether a person's verified address is of a domain that may sign in."""
    if not issuer.allowed_domains:
        return True
    if claims.email is None or not claims.email_verified:
        return False
    return claims.email.rpartition("@")[2].lower() in issuer.allowed_domains


def name_of(claims: IdClaims) -> str:
    """Give what a new account is called: one printable line, the address where there is none."""
    kept = "".join(
        character
        for character in claims.name
        if unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
    )
    return kept.strip()[:LONGEST_NAME].strip() or (claims.email or "").partition("@")[0] or "Member"
