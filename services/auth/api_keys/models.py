"""API keys on the wire and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from services.auth.accounts.models import Name
from shared.api import Answer, Body

ID_PREFIX: Final = "key_"
"""Of key ids, by which the ``sid`` of a token bought with a key is told from a session's."""

RELEASES_WRITE: Final = "releases:write"
"""Not in ``*``: releases belong to the installation, so only a platform admin may grant it."""

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
]


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("value_error", "is too far away") from None


class NewApiKey(Body):
    """``POST /v1/admin/organizations/{org_id}/api-keys``."""

    name: Name
    scopes: Annotated[tuple[ScopeName, ...], Field(min_length=1, max_length=50)] = ("*",)
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


class ApiKeyItem(Answer):
    """A key in a list: recognizable by its prefix, useless to whoever reads it."""

    id: str
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


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
