"""Signing in, on the wire and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from services.auth.accounts.models import LONGEST_PASSWORD, LONGEST_TOKEN
from services.auth.audit_events.models import Origin
from shared.api import Answer, Body
from shared.errors import Fault, Invalid

SESSION_PREFIX: Final = "ses_"

Identifier = Annotated[str, Field(max_length=300)]

Code = Annotated[str, StringConstraints(max_length=40)]
"""Of a second factor: six digits, or a recovery code."""


@dataclass(frozen=True, slots=True, repr=False)
class PasswordCredential:
    """An address, a password, and the code of a second factor where one was sent along."""

    email: str
    password: str
    code: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class KeyCredential:
    """An API key."""

    key: str


class TokenRequest(Body):
    """``POST /v1/auth/token`` and ``/login``: ``email`` and ``password``, or ``api_key`` alone."""

    email: Annotated[str | None, Field(max_length=320)] = None
    password: Annotated[str | None, Field(max_length=LONGEST_PASSWORD, repr=False)] = None
    api_key: Annotated[str | None, Field(max_length=1024, repr=False)] = None
    code: Annotated[Code | None, Field(repr=False)] = None
    totp: Annotated[Code | None, Field(repr=False)] = None

    def credential(self) -> PasswordCredential | KeyCredential:
        """Give the one kind of credential that was sent.

        Raises:
            Invalid: neither is complete.
        """
        if self.api_key is not None:
            return KeyCredential(self.api_key)
        if self.email is not None and self.password is not None:
            return PasswordCredential(self.email, self.password, self.code or self.totp)
        given = {"email": self.email, "password": self.password}
        absent = [name for name, value in given.items() if value is None]
        raise Invalid([Fault(("body", name), "Field required", "missing") for name in absent])


class Token(Answer):
    """An access token (learnings contract, section 3), and what renews it where there is that."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a token's type, not a token
    expires_in: int
    refresh_token: str | None = None


class RefreshRequest(Body):
    """``POST /v1/auth/refresh``."""

    refresh_token: Annotated[str, Field(max_length=LONGEST_TOKEN, repr=False)]


class CodeRequest(Body):
    """``POST /v1/auth/2fa/verify``: with a challenge to sign in, without to complete a setup."""

    code: Annotated[Code, Field(min_length=1, repr=False)]
    challenge_token: Annotated[str | None, Field(max_length=LONGEST_TOKEN, repr=False)] = None


class Verified(Answer):
    """The code was right: the recovery codes of a completed setup, or the token of a login."""

    verified: bool = True
    recovery_codes: list[str] | None = None
    access_token: str | None = None
    token_type: Literal["bearer"] | None = None
    expires_in: int | None = None
    refresh_token: str | None = None


class SessionItem(Answer):
    """One of a person's sessions.

    ``kind`` is ``web`` for a browser; ``client`` and ``user_agent`` are what it was opened from.
    """

    id: str
    kind: Literal["api", "web"]
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    client: str
    user_agent: str
    current: bool


class EndedSessions(Answer):
    """How many sessions ended."""

    ended: int


class SessionCheck(Body):
    """``POST /internal/sessions/check``: the ``sid``, ``sub`` and ``org`` of a token."""

    session_id: Identifier
    account_id: Identifier
    org_id: Identifier


class SessionVerdict(Answer):
    """Whether a session holds, and what it may; all but ``active`` is empty when it does not.

    ``kind`` says what sort of principal it belongs to; ``groups`` are an external subject's.
    """

    active: bool
    kind: str = ""
    role: str = ""
    scopes: list[str] = Field(default_factory=list)
    groups: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lives:
    """How long what a login gives may last.

    Attributes:
        access: of the access token.
        session: of the session; renewing needs one that outlives the token.
    """

    access: timedelta
    session: timedelta

    @property
    def is_renewable(self) -> bool:
        """Whether a session outlives its first access token, so that there is use in renewing."""
        return self.session > self.access


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session to be opened."""

    org_id: str
    id: str
    account_id: str
    kind: Literal["api", "web"]
    life: timedelta
    origin: Origin


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A session that was just opened, with the access token for it."""

    session_id: str
    account_id: str
    org_id: str
    access_token: str
    expires_in: int
    refresh_token: str | None = None


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a person acts, and as what."""

    org_id: str
    role: str
    platform_admin: bool = False
