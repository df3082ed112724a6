"""Signing in, on the wire and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from services.auth.accounts.models import LONGEST_PASSWORD
from shared.api import Answer, Body
from shared.errors import Fault, Invalid

Identifier = Annotated[str, Field(max_length=100)]


@dataclass(frozen=True, slots=True, repr=False)
class PasswordCredential:
    """An address and a password."""

    email: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class KeyCredential:
    """An API key."""

    key: str


class TokenRequest(Body):
    """``POST /v1/auth/token`` and ``/login``: ``email`` and ``password``, or ``api_key`` alone."""

    email: Annotated[str | None, Field(max_length=320)] = None
    password: Annotated[str | None, Field(max_length=LONGEST_PASSWORD, repr=False)] = None
    api_key: Annotated[str | None, Field(max_length=1024, repr=False)] = None

    def credential(self) -> PasswordCredential | KeyCredential:
        """Give the one kind of credential that was sent.

        Raises:
            Invalid: neither is complete.
        """
        if self.api_key is not None:
            return KeyCredential(self.api_key)
        if self.email is not None and self.password is not None:
            return PasswordCredential(self.email, self.password)
        given = {"email": self.email, "password": self.password}
        absent = [name for name, value in given.items() if value is None]
        raise Invalid([Fault(("body", name), "Field required", "missing") for name in absent])


class Token(Answer):
    """An access token (learnings contract, section 3)."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a token's type, not a token
    expires_in: int


class SessionCheck(Body):
    """``POST /internal/sessions/check``: the ``sid``, ``sub`` and ``org`` of a token."""

    session_id: Identifier
    account_id: Identifier
    org_id: Identifier


class SessionVerdict(Answer):
    """Whether a session holds, and what it may; all but ``active`` is empty when it does not."""

    active: bool
    role: str = ""
    scopes: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Membership:
    """Where a person acts, and as what."""

    org_id: str
    role: str
