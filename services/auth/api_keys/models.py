"""API keys on the wire and in rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field, RootModel
from pydantic_core import PydanticCustomError

from services.auth.accounts.models import Name
from shared.api import Answer, Body
from shared.pagination import MOST_ITEMS, OffsetQuery

ID_PREFIX: Final = "key_"
"""Of key ids, by which the ``sid`` of a token bought with a key is told from a session's."""

RELEASES_WRITE: Final = "releases:write"
"""Not in ``*``: releases belong to the installation, so only a platform admin may grant it."""

KeyKind = Literal["organization", "device", "personal"]
"""Made by an administrator, by a device login, or by a person for themselves. All hold alike."""

PREFIXES: Final[Mapping[KeyKind, str]] = {
    "organization": "trw_live_",
    "device": "trw_dk_",
    "personal": "tw_",
}
"""How keys begin (learnings contract, section 2; runs contract, section 3.2)."""

LONGEST_OVERLAP: Final = 30 * 86_400
"""Seconds for which a rotated key may go on."""

LONGEST_LIFE: Final = 3_650
"""Days of a personal token that is to expire."""

ScopeName = Literal[
    "*",
    "learnings:read",
    "learnings:write",
    "sync:read",
    "sync:write",
    "telemetry:write",
    "submissions:write",
    "backup",
    "releases:read",
    "releases:write",
    "proprietary:install",
    "runs:read",
    "runs:write",
]
"""One list for all keys, because a key works on every surface."""

Scopes = Annotated[tuple[ScopeName, ...], Field(min_length=1, max_length=50)]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("value_error", "is too far away") from None


class NewApiKey(Body):
    """``POST /v1/admin/organizations/{org_id}/api-keys``."""

    name: Name
    scopes: Scopes = ("*",)
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class CreatedApiKey(Answer):
    """A key as shown once, with its secret."""

    id: str
    name: str
    key: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


class Rotation(Body):
    """``POST /v1/admin/organizations/{org_id}/api-keys/{id}/rotate``.

    For so many seconds both keys hold; what the settings say if absent.
    """

    overlap_seconds: Annotated[int | None, Field(ge=0, le=LONGEST_OVERLAP, strict=True)] = None


class NewPersonalToken(Body):
    """``POST /api/v1/auth/tokens``."""

    name: Name | None = None
    expires_in_days: Annotated[int | None, Field(ge=1, le=LONGEST_LIFE, strict=True)] = None
    scopes: Scopes = ("*",)


class CreatedPersonalToken(Answer):
    """A personal token as shown once (runs contract, section 3.2)."""

    id: str
    name: str
    token: str
    created_at: datetime
    expires_at: datetime | None
    scopes: list[str]


class PersonalTokenItem(Answer):
    """A personal token in its owner's list."""

    id: str
    name: str
    prefix: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    scopes: list[str]


class TokenQuery(OffsetQuery):
    """The query of a person's own tokens: a bare list, so all of them unless asked otherwise."""

    limit: Annotated[int, Field(ge=0), AfterValidator(lambda value: min(value, MOST_ITEMS))] = (
        MOST_ITEMS
    )


class PersonalTokens(RootModel[list[PersonalTokenItem]]):
    """The caller's personal tokens, newest first."""


class Revoked(Answer):
    """The token is void."""

    ok: bool = True


class ApiKeyItem(Answer):
    """A key in a list: recognizable by its prefix, useless to whoever reads it.

    ``replaced_by`` names the key that took its place and is set while both hold. A key that is
    revoked is listed only while somebody goes on showing it: ``last_refused_at`` says when that was
    last, ``refused_count`` in how many minutes so far.
    """

    id: str
    kind: KeyKind
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None
    revoked_at: datetime | None
    last_refused_at: datetime | None
    refused_count: int


@dataclass(frozen=True, slots=True)
class RefusedKey:
    """A key that clients show although it does not hold; ``why`` is for people."""

    name: str
    prefix: str
    why: str
    last_refused_at: datetime


class KeyCheck(Body):
    """``POST /internal/api-keys/check``: the SHA-256 of what a caller showed, in hex."""

    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class KeyVerdict(Answer):
    """Whether a key holds, and what it may; all but ``active`` is empty when it does not."""

    active: bool
    key_id: str = ""
    account_id: str = ""
    org_id: str = ""
    role: str = ""
    scopes: list[str] = Field(default_factory=list)
    expires_at: int | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made.

    Attributes:
        kind: how it begins.
        account_id: for whom it acts.
        org_id: where.
        name: for people.
        scopes: what it narrows them to.
        life: how long it holds; forever if absent.
        expires_at: when it ends, in place of ``life``.
    """

    kind: KeyKind
    account_id: str
    org_id: str
    name: str
    scopes: Sequence[str]
    life: timedelta | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Written:
    """What is stored of a key's text."""

    prefix: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Rotatable:
    """A key that is about to be replaced; ``life`` is what it was given, None for ever."""

    kind: KeyKind
    name: str
    scopes: list[str]
    life: timedelta | None
    replaced_by: str | None


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """A key with the standing of whoever made it, now.

    ``role`` is None when they are no member any more; ``holds`` is whether key and account do.
    """

    id: str
    account_id: str
    org_id: str
    scopes: list[str]
    expires_at: datetime | None
    role: str | None
    platform_admin: bool
    holds: bool
    is_use_noted: bool
    is_refusal_noted: bool
