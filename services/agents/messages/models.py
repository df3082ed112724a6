"""Messages on the wire, in rows and in hand (agents contract, section 4.6)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.agents.providers.models import LONGEST_MESSAGE, Line
from services.agents.sessions.models import metadata_text
from shared.agents_wire import Timestamp
from shared.api import Answer, Body, Query
from shared.pagination import OFFSET_CAP

DEFAULT_LIMIT: Final = 100
MOST: Final = 1000
"""Messages of one answer; also of one without a limit in the ``space`` dialect, whose client counts
them to see whether there is one more.
"""

ReplyRole = Literal["AGENT", "SYSTEM"]
ROLES: Final = ("USER", "AGENT", "SYSTEM")


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


RoleWord = Annotated[Literal["USER", "AGENT", "SYSTEM"], BeforeValidator(_upper)]
"""Who speaks, in any case of letters."""


def _metadata(value: Any) -> str:
    return "{}" if value is None else metadata_text(value)


Metadata = Annotated[str, PlainValidator(_metadata), WithJsonSchema({"type": "object"})]
"""An object as JSON text; null is an empty one."""


# A blank for the sign is what is left of a plus that was not escaped.
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,30}))?(?:([Zz])|([-+ ])(\d\d:\d\d))",
    re.ASCII,
)


def _moment(value: Any) -> datetime:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        day, time, fraction, _, sign, offset = found.groups()
        zone = "+00:00" if offset is None else sign.replace(" ", "+") + offset
        try:
            written = f"{day}T{time}.{(fraction or '')[:6]:0<6}{zone}"
            return datetime.fromisoformat(written).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("datetime_parsing", "must be a time of RFC 3339 with an offset")


Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A time as RFC 3339 writes it; what is finer than microseconds is cut off."""


class NewMessage(Body):
    """``POST /api/v0/sessions/{id}/messages``."""

    role: RoleWord
    content: Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_MESSAGE)]
    agent_id: UUID | None = None
    metadata: Metadata = "{}"


class MessageQuery(Query):
    """Which messages a list shows; how many without ``limit`` depends on the session's dialect."""

    limit: Annotated[int | None, Field(ge=1, le=MOST)] = None
    offset: Annotated[int, Field(ge=0, le=OFFSET_CAP)] = 0
    role: Annotated[str | None, StringConstraints(to_upper=True, max_length=255)] = None
    since: Moment | None = None

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        filters = ("role", "since")
        return {name: text for name, text in value.items() if text != "" or name not in filters}


class MessageItem(Answer):
    """A message, as the store writes it; ``role`` is in lower case in the ``space`` dialect."""

    id: UUID
    session_id: UUID
    role: str
    content: str
    agent_id: UUID | None
    agent_name: str | None
    metadata: dict[str, Any]
    created_at: Timestamp


class MessageCount(Answer):
    """How many messages a session has."""

    count: int
    session_id: UUID


class Cleared(Answer):
    """How many messages were deleted."""

    deleted: int
    session_id: UUID


class Completed(Answer):
    """The state after a turn was ended by hand, in the session's dialect."""

    session_id: UUID
    state: str
    message: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A message that is to be added.

    Attributes:
        metadata: JSON text.
        author_type: of whoever posts it.
        caller: JSON text of as whom knowledge is looked up for it; USER messages alone.
    """

    id: UUID
    role: str
    content: str
    agent_id: UUID | None
    agent_name: str | None
    metadata: str
    author_type: str
    author_id: str
    caller: str | None


@dataclass(frozen=True, slots=True)
class TurnMessage:
    """A USER message that is to be answered.

    Attributes:
        caller: kind, subject, org, account and session of whoever posted it.
    """

    number: int
    id: UUID
    content: str
    created_at: datetime
    caller: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class TurnInput:
    """What a turn begins with.

    Attributes:
        message: to be answered.
        history: what was said before it, oldest first, each reply behind what it answers; other
            USER messages that wait behind this one are not in it.
    """

    message: TurnMessage
    history: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Row:
    """One message of a page: ``item`` is None where the page was too large to be read at once."""

    number: int
    size: int
    item: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A page.

    Attributes:
        body: the JSON array, in pieces where it is large.
        shown: items in it.
        total: items over all pages, counted up to a cap.
    """

    body: bytes | AsyncIterator[bytes]
    shown: int
    total: int
