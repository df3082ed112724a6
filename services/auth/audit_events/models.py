"""Audit events in rows and on the wire, and where a request came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from shared.api import Answer, Call, Query
from shared.pagination import OffsetQuery, PageQuery
from shared.principal import ANONYMOUS, Principal

LONGEST_USER_AGENT: Final = 300


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request came from.

    Attributes:
        client: the network address.
        user_agent: what the client calls itself, cut to a length that can be kept.
        request_id: as the logs show it.
    """

    client: str = ""
    user_agent: str = ""
    request_id: str = ""

    @classmethod
    def of(cls, call: Call[Any, Any]) -> Origin:
        """Take it from a call."""
        return cls.made(call.client, call.headers.get("user-agent", ""), call.request_id)

    @classmethod
    def made(cls, client: str, user_agent: str, request_id: str) -> Origin:
        """Make one, with the client's name for itself printable and cut."""
        printable = "".join(character for character in user_agent if character.isprintable())
        return cls(client, printable[:LONGEST_USER_AGENT], request_id)


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One thing that somebody did, or was refused.

    Attributes:
        action: ``noun.verb``, such as ``session.opened`` or ``api_key.revoked``.
        origin: where the request came from.
        actor: who; a failed login has an anonymous one.
        org_id: the organization it concerns; the actor's own if empty.
        target: the id of what it was done to.
        refused: whether it was asked for and not allowed.
        detail: a few words more; never a secret, never an address of somebody unknown.
    """

    action: str
    origin: Origin
    actor: Principal = ANONYMOUS
    org_id: str = ""
    target: str = ""
    refused: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


class AuditItem(Answer):
    """One row of an audit list."""

    id: int
    occurred_at: datetime
    org_id: str | None
    actor_kind: str
    actor_id: str
    action: str
    outcome: Literal["done", "refused"]
    target: str
    detail: dict[str, Any]
    client: str
    user_agent: str
    request_id: str


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("value_error", "is too far away") from None


class AuditFilter(Query):
    """What an audit list may be narrowed to.

    ``since`` is a time with its zone: that moment and later.
    """

    action: Annotated[str | None, Field(max_length=100)] = None
    actor: Annotated[str | None, Field(max_length=300)] = None
    since: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class AuditQuery(AuditFilter, OffsetQuery):
    """The query of ``GET /api/v1/auth/audit``."""


class AuditPageQuery(AuditFilter, PageQuery):
    """The query of ``GET /v1/admin/audit-events``; ``org_id`` narrows it to one organization."""

    org_id: Annotated[str | None, Field(max_length=100)] = None
