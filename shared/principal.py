"""Who is calling, and how the gateway tells a service so.

The gateway signs what it found out into an *internal assertion*: a JSON object and its HMAC-SHA256
under a key that only this upstream shares with the gateway, alive for at most 30 seconds. A service
believes nothing else, so a stolen key of one service opens no other.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.errors import Forbidden, Unauthenticated
from shared.secret import decode_base64url, encode_base64url

ASSERTION_HEADER: Final = "x-guildhall-assertion"
CLIENT_HEADER: Final = "x-guildhall-client"
"""The caller's network address as the gateway saw it; trusted only beside a valid assertion."""

ASSERTION_LIFETIME: Final = 30
"""Seconds an assertion may live."""

# `*` covers every scope but these: they reach beyond one organization. Whoever acts for the whole
# installation has them, too.
_NOT_BY_STAR: Final = frozenset({"releases:write"})


class Kind(StrEnum):
    """What sort of caller a principal is."""

    ANONYMOUS = "anonymous"
    USER = "user"
    API_KEY = "api_key"
    MACHINE = "machine"
    SERVICE_ACCOUNT = "service_account"
    SUBJECT = "subject"
    """Somebody whom an external login vouches for; known to the agents surface alone."""
    SERVICE = "service"
    """A sibling service that asks one of the few questions at ``/internal/…``."""


class Role(StrEnum):
    """A person's standing in the active organization, weakest first."""

    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"
    PLATFORM_ADMIN = "platform_admin"


_ADMIN_ROLES: Final = frozenset({Role.ADMIN, Role.OWNER, Role.PLATFORM_ADMIN})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling.

    Attributes:
        kind: what sort of caller.
        subject: account id, API-key id, machine token, service-account name, external subject or
            service name.
        org: the organization acted in (``org_…``); empty for service accounts, subjects, machines
            and anonymous.
        role: a ``Role`` for people and their keys, else empty.
        scopes: ``resource:action`` names, or ``*``.
        session: the login session or API key that a revocation would name.
        account: the account (``usr_…``) behind a key or machine; for people their own id.
        groups: what an external login says that a subject belongs to.
    """

    kind: Kind
    subject: str = ""
    org: str = ""
    role: str = ""
    scopes: tuple[str, ...] = ()
    session: str = ""
    account: str = ""
    groups: tuple[str, ...] = ()

    @property
    def is_anonymous(self) -> bool:
        """Whether no credential was shown."""
        return self.kind is Kind.ANONYMOUS

    @property
    def is_platform_admin(self) -> bool:
        """Whether a person acts for the whole installation; never true of an API key."""
        return self.kind is Kind.USER and self.role == Role.PLATFORM_ADMIN

    def has_scope(self, scope: str) -> bool:
        """Tell whether a scope is held, by name or through ``*``."""
        if scope in self.scopes:
            return True
        return "*" in self.scopes and (scope not in _NOT_BY_STAR or self.is_platform_admin)

    def require_scope(self, scope: str) -> None:
        """Raise ``Forbidden`` naming the scope unless it is held."""
        if not self.has_scope(scope):
            raise Forbidden(f"Missing scope: {scope}")

    def require_person(self) -> None:
        """Raise ``Forbidden`` unless a person is calling, signed in themselves; keys never are."""
        if self.kind is not Kind.USER:
            raise Forbidden("Only a person who is signed in may do this")

    def require_admin(self) -> None:
        """Raise ``Forbidden`` unless a person with admin rights is calling; keys never are."""
        if self.kind is not Kind.USER or self.role not in _ADMIN_ROLES:
            raise Forbidden("Admin role required")


ANONYMOUS: Final = Principal(Kind.ANONYMOUS)


def sign_assertion(key: bytes, audience: str, principal: Principal, now: float) -> str:
    """Make the assertion that tells the service ``audience`` who is calling.

    Args:
        key: the 32 bytes shared with that service alone.
        audience: the service's name.
        principal: who is calling.
        now: Unix seconds.
    """
    claims: dict[str, object] = {
        "aud": audience,
        "exp": int(now) + ASSERTION_LIFETIME,
        "kind": principal.kind,
        "sub": principal.subject,
        "org": principal.org,
        "role": principal.role,
        "scopes": principal.scopes,
        "sid": principal.session,
        "acc": principal.account,
    }
    if principal.groups:
        claims["groups"] = principal.groups
    payload = json.dumps(claims, separators=(",", ":")).encode()
    signature = hmac.digest(key, payload, hashlib.sha256)
    return f"{encode_base64url(payload)}.{encode_base64url(signature)}"


def verify_assertion(key: bytes, audience: str, assertion: str, now: float) -> Principal:
    """Read an assertion back; for what is raised see ``read_assertion``."""
    return read_assertion(key, audience, assertion, now)[0]


def read_assertion(
    key: bytes, audience: str, assertion: str, now: float
) -> tuple[Principal, float]:
    """Read an assertion back; give the principal, and until when it holds in Unix seconds.

    Raises:
        Unauthenticated: malformed, signed with another key, meant for another service, expired,
            or living longer than any that the gateway makes.
    """
    try:
        encoded, _, mac = assertion.partition(".")
        payload = decode_base64url(encoded)
        signature = decode_base64url(mac)
    except ValueError:
        raise Unauthenticated from None
    if not hmac.compare_digest(hmac.digest(key, payload, hashlib.sha256), signature):
        raise Unauthenticated
    claims = json.loads(payload)
    if claims["aud"] != audience or not now < claims["exp"] <= now + ASSERTION_LIFETIME + 2:
        raise Unauthenticated
    principal = Principal(
        kind=Kind(claims["kind"]),
        subject=claims["sub"],
        org=claims["org"],
        role=claims["role"],
        scopes=tuple(claims["scopes"]),
        session=claims["sid"],
        account=claims["acc"],
        groups=tuple(claims.get("groups", ())),
    )
    return principal, claims["exp"]
