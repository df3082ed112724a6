"""Accounts on the wire and in rows."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from services.auth.passwords.models import LONGEST, SHORTEST_ON_LEARNINGS
from shared.api import Answer, Body, Query

LONGEST_PASSWORD: Final = LONGEST
LONGEST_TOKEN: Final = 128

# The library's own way to accept names of networks that are not the Internet: an installation may
# live in one, where ops@intranet.local is a good address.
for _name in {"local", "localhost", "test"}.intersection(SPECIAL_USE_DOMAIN_NAMES):
    SPECIAL_USE_DOMAIN_NAMES.remove(_name)


def _is_address(value: str) -> str:
    try:
        validate_email(value, check_deliverability=False, globally_deliverable=False, strict=True)
    except EmailNotValidError:
        raise _not_an_address() from None
    domain = value.rpartition("@")[2]
    if "." not in domain and domain.lower() != "localhost":
        raise _not_an_address()
    return value


def _not_an_address() -> PydanticCustomError:
    return PydanticCustomError("value_error", "value is not a valid email address")


def _is_long_enough(value: str) -> str:
    if len(unicodedata.normalize("NFKC", value)) < SHORTEST_ON_LEARNINGS:
        raise PydanticCustomError(
            "string_too_short",
            "a password needs at least {length} characters",
            {"length": SHORTEST_ON_LEARNINGS},
        )
    return value


def _is_printable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise PydanticCustomError("value_error", "must not contain control characters")
    return value


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=254),
    AfterValidator(_is_address),
]
"""An address as typed (RFC 5321, 6531), spaces around it dropped."""

NewPassword = Annotated[
    str, StringConstraints(max_length=LONGEST_PASSWORD), AfterValidator(_is_long_enough)
]
"""A password to be set; its length counts after NFKC."""

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_is_printable),
]
"""What a person or a thing is called, on one line."""


class Registration(Body):
    """``POST /v1/auth/register``."""

    email: Email
    password: Annotated[NewPassword, Field(repr=False)]
    name: Name


class Registered(Answer):
    """The same for a new address and for a known one (learnings contract, section 3)."""

    id: str
    email: str
    verified: bool = False


class Verification(Body):
    """``POST /v1/auth/verify-email``."""

    token: Annotated[str, Field(max_length=LONGEST_TOKEN, repr=False)]


class VerificationLink(Query):
    """The query of the link in a verification letter."""

    token: Annotated[str, Field(max_length=LONGEST_TOKEN, repr=False)] = ""


class Verified(Answer):
    """The address holds now."""

    verified: bool = True


class Resend(Body):
    """``POST /v1/auth/resend-verification``."""

    email: Email


class Sent(Answer):
    """Says nothing about whether there was anything to send."""

    sent: bool = True


class User(Answer):
    """The user object (runs contract, section 3.2), with ``name`` and ``verified`` beside it."""

    id: str
    email: str
    role: str
    created_at: datetime
    org_id: str | None
    org_name: str | None
    name: str
    verified: bool


class ProfileChange(Body):
    """``PATCH /v1/auth/me``; what is absent stays."""

    name: Name | None = None
    active_org_id: Annotated[str, Field(max_length=100)] | None = None


class MembershipItem(Answer):
    """One row of ``GET /v1/auth/organizations``; ``active`` is where new sessions act."""

    id: str
    name: str
    slug: str
    role: str
    active: bool
    joined_at: datetime


class EmailChange(Body):
    """``POST /v1/auth/email``."""

    new_email: Email
    password: Annotated[str, Field(max_length=LONGEST_PASSWORD, repr=False)]


class EmailConfirmed(Answer):
    """The account has the new address now."""

    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """A row of ``auth.account``; ``password_hash`` stays out of every ``repr``."""

    id: str
    email: str
    name: str
    platform_admin: bool
    active_org_id: str | None
    verified: bool
    disabled: bool
    password_hash: PasswordHash
    password_set_at: datetime


@dataclass(frozen=True, slots=True, repr=False)
class PasswordHash:
    """A stored hash that does not show itself; ``text`` is None where there is none."""

    text: str | None
