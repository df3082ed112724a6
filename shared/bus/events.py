"""What the bus carries: events, which services understand, and messages, which transports move.

An event is a past fact, said once by the service that owns it. Its type lives in
``shared/contracts/<publisher>.py``. A message is the same fact as bytes in an envelope; transports
see nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar
from uuid import UUID

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.ids import new_event_id

_KIND: Final = re.compile(r"^[a-z_]+\.[a-z_]+\.v[1-9][0-9]*$")
_SCHEMA: Final = re.compile(r"^[a-z]+$")


@dataclass(frozen=True, slots=True)
class Message:
    """An event in its envelope, as transports carry it.

    ``payload`` is JSON in UTF-8, opaque to transports; ``traceparent`` is W3C trace context.
    """

    id: UUID
    kind: str
    occurred_at: datetime
    payload: bytes
    traceparent: str | None = None


class Event(BaseModel):
    """Base of every event type: frozen, and tolerant of fields that a newer publisher adds.

    A concrete type sets ``kind`` (``"learning.recorded.v1"``) and ``publisher``, the schema whose
    outbox it is written to. A change that old consumers could not read is a new kind.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: ClassVar[str]
    publisher: ClassVar[str]

    event_id: UUID = Field(default_factory=new_event_id)
    occurred_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if not hasattr(cls, "kind"):
            return
        if not _KIND.match(cls.kind):
            raise TypeError(f"{cls.__name__}.kind is noun.verbed.v1, not {cls.kind!r}")
        schema_name(cls.publisher)


E = TypeVar("E", bound=Event)


class NotJson(ValueError):
    """The payload is not JSON: nobody can make sense of it, now or later."""


class WrongShape(ValueError):
    """The payload is JSON but does not fit the event type; the text names the fields."""


def schema_name(name: str) -> str:
    """Return a schema's name if it is one that may stand in SQL text: lower-case letters only.

    Raises:
        ValueError: it is not.
    """
    if not _SCHEMA.match(name):
        raise ValueError(f"a schema's name is lower-case letters only, not {name!r}")
    return name


def encode(event: Event) -> Message:
    """Put an event into its envelope, with the trace context that is bound to the log lines."""
    traceparent = structlog.contextvars.get_contextvars().get("traceparent")
    return Message(
        id=event.event_id,
        kind=event.kind,
        occurred_at=event.occurred_at,
        payload=event.model_dump_json().encode(),
        traceparent=traceparent if isinstance(traceparent, str) else None,
    )


def decode(event_type: type[E], message: Message) -> E:
    """Read the event out of a message.

    Raises:
        NotJson: the payload cannot be read at all.
        WrongShape: it is not an event of this type.
    """
    if message.kind != event_type.kind:
        raise WrongShape(f"the kind is {message.kind}, not {event_type.kind}")
    try:
        return event_type.model_validate_json(message.payload)
    except ValidationError as error:
        # The values stay out of the text: they may be personal and it ends up in a table and a log.
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        text = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'payload'}: {fault['msg']}" for fault in faults
        )
        if faults[0]["type"] == "json_invalid":
            raise NotJson(text) from error
        raise WrongShape(text) from error
