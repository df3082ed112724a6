"""Sessions on the wire (agents contract, section 4.5)."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from services.agents.sessions.models.rows import State
from shared.agents_wire import ResourceName, Timestamp
from shared.api import Answer, Body
from shared.pagination import ArrayQuery

DEFAULT_NAMESPACE: Final = "default"
DEFAULT_TIMEOUT: Final = 300
"""Seconds without a message after which a session that is READY becomes IDLE."""

LARGEST_METADATA: Final = 65_536
"""Bytes of metadata, written without blanks."""

LONGEST_NAME: Final = 255
MOST_AGENTS: Final = 100
"""Agents of one session."""

ANYBODY: Final = "*"
"""Stands for every owner where a list asks for one's sessions."""

_NAMES_OF_NAMESPACE: Final = ("namespace", "workspace", "space")
_TIMEOUT: Final = "waiting_timeout_seconds"
_CLIMBS: Final = re.compile(r"(^|[/\\])\.\.([/\\]|$)")


def metadata_text(value: Any) -> str:
    """Write metadata as it is kept.

    Raises:
        PydanticCustomError: it is no object, too large, or a number in it is too large to be one.
    """
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "must be an object")
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise PydanticCustomError("finite_number", "a number in it is too large") from None
    if len(text.encode()) > LARGEST_METADATA:
        limit = {"most": LARGEST_METADATA}
        raise PydanticCustomError("too_long", "must have at most {most} bytes as JSON", limit)
    return text


def _is_name(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise PydanticCustomError("value_error", "must not contain control characters")
    if _CLIMBS.search(value):
        raise PydanticCustomError("value_error", "must not be a path that climbs")
    return value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _given(value: Any) -> Any:
    """Let null be as if it were absent, but for the timeout, where it means never; and so ``""``
    where a namespace is named."""
    if not isinstance(value, dict):
        return value
    return {
        name: inner
        for name, inner in value.items()
        if (inner is not None or name == _TIMEOUT)
        and not (inner == "" and name in _NAMES_OF_NAMESPACE)
    }


SessionName = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_NAME), AfterValidator(_is_name)
]
Prompt = Annotated[str, StringConstraints(max_length=65_535)]
Timeout = Annotated[int | None, Field(strict=True, ge=0, le=86_400)]
Metadata = Annotated[str, PlainValidator(metadata_text), WithJsonSchema({"type": "object"})]
"""An object, as JSON text."""

AgentReference = Annotated[str, StringConstraints(min_length=1, max_length=255)]
AgentReferences = Annotated[tuple[AgentReference, ...], Field(max_length=MOST_AGENTS)]
"""Ids or names of agents; more than once is once."""

Identifier = Annotated[str, StringConstraints(max_length=255)]


class _InNamespace(Body):
    """A body that may name a namespace, by any of three words."""

    namespace: ResourceName | None = None
    workspace: ResourceName | None = None
    space: ResourceName | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_given(cls, value: Any) -> Any:
        return _given(value)

    @property
    def named(self) -> str | None:
        """The namespace that it names, None for none."""
        return self.namespace or self.workspace or self.space

    @property
    def is_space(self) -> bool:
        """Whether it speaks the dialect of clients that say ``space`` alone."""
        return self.space is not None and self.namespace is None and self.workspace is None


class SessionRequest(_InNamespace):
    """``POST /api/v0/sessions``."""

    name: SessionName | None = None
    starting_prompt: Prompt = ""
    agent_ids: AgentReferences = ()
    waiting_timeout_seconds: Timeout = DEFAULT_TIMEOUT
    metadata: Metadata = "{}"


class RemixRequest(_InNamespace):
    """``POST /api/v0/sessions/{id}/remix``: what is absent is as in the parent."""

    name: SessionName | None = None
    starting_prompt: Prompt | None = None
    agent_ids: AgentReferences | None = None
    waiting_timeout_seconds: Timeout = None
    metadata: Metadata | None = None
    new_session_metadata: Metadata | None = None


class SessionEdit(Body):
    """``PUT /api/v0/sessions/{id}``: what is absent stays; a timeout of null is never."""

    name: SessionName | None = None
    waiting_timeout_seconds: Timeout = None
    metadata: Metadata | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_given(cls, value: Any) -> Any:
        return _given(value)


class StateEdit(Body):
    """``PUT /api/v0/sessions/{id}/state``; the reason is kept with ERROR alone."""

    state: Annotated[State, BeforeValidator(_upper)]
    container_id: Identifier | None = None
    persistent_volume_id: Identifier | None = None
    termination_reason: Annotated[str | None, StringConstraints(max_length=1000)] = None


class SessionQuery(ArrayQuery):
    """The query of the list of sessions: the caller's own, unless others are asked for."""

    namespace: Identifier | None = None
    workspace: Identifier | None = None
    space: Identifier | None = None
    created_by: Annotated[str | None, StringConstraints(max_length=320)] = None
    state: Identifier | None = None

    @model_validator(mode="before")
    @classmethod
    def _let_empty_be_absent(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: text for name, text in value.items() if text != ""}

    @property
    def named(self) -> str | None:
        """The namespace asked for, None for any."""
        return self.namespace or self.workspace or self.space

    @property
    def is_space(self) -> bool:
        """Whether it speaks the dialect of clients that say ``space`` alone."""
        return self.space is not None and self.namespace is None and self.workspace is None


class SessionAgent(Answer):
    """An agent of a session."""

    id: UUID
    name: str
    model: str


class SessionItem(Answer):
    """A session (agents contract, section 4.5); ``space`` only where its client says so."""

    id: UUID
    name: str
    namespace: str
    workspace: str
    space: str | None = None
    starting_prompt: str
    state: str
    waiting_timeout_seconds: int | None
    container_id: str | None
    persistent_volume_id: str | None
    created_by: str
    parent_session_id: UUID | None
    agents: list[SessionAgent]
    created_at: Timestamp
    started_at: Timestamp | None
    last_activity_at: Timestamp | None
    terminated_at: Timestamp | None
    termination_reason: str | None
    metadata: dict[str, Any]

    @model_serializer(mode="wrap")
    def _without_space(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.space is None:
            del written["space"]
        return written


class SessionUsage(Answer):
    """What the models behind a session's turns have taken so far; ``cost_usd`` in dollars."""

    session_id: UUID
    turns: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
