"""Agents on the wire, in rows and in hand (agents contract, section 4.4)."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    field_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.agents_wire import Description, ResourceName, Timestamp, with_namespace
from shared.api import Answer, Body, Query
from shared.pagination import ArrayQuery

DEFAULT_NAMESPACE: Final = "default"

NAME_TEXT: Final = re.compile(r"[a-zA-Z0-9_.-]{1,255}")
"""How an agent or a namespace may be called."""

LARGEST_JSON: Final = 262_144
"""Bytes of one JSON field, written without blanks."""


def json_text(value: Any) -> str | None:
    """Write JSON as it is kept; None stays None.

    Raises:
        PydanticCustomError: it is too large, or a number in it is too large to be one.
    """
    if value is None:
        return None
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError:
        raise PydanticCustomError("finite_number", "a number in it is too large") from None
    if len(text.encode()) > LARGEST_JSON:
        limit = {"most": LARGEST_JSON}
        raise PydanticCustomError("too_long", "must have at most {most} bytes as JSON", limit)
    return text


JsonText = Annotated[
    str | None, PlainValidator(json_text), WithJsonSchema({"description": "Any JSON."})
]
Instructions = Annotated[str, StringConstraints(max_length=65_535)]
Model = Annotated[str, StringConstraints(min_length=1, max_length=100)]
NamespaceFilter = Annotated[str | None, StringConstraints(max_length=255)]


def target_namespace(value: Any) -> Any:
    """Take a body's namespace from its aliases; what is empty or null is as if it were absent."""
    named = with_namespace(value)
    if not isinstance(named, dict):
        return named
    given = {name: inner for name, inner in named.items() if inner is not None}
    if given.get("namespace") == "":
        del given["namespace"]
    return given


def filters_given(value: Any) -> Any:
    """Take a query's namespace from its aliases; an empty filter is none."""
    if not isinstance(value, dict):
        return value
    return with_namespace({name: text for name, text in value.items() if text != ""})


class NewAgent(Body):
    """``POST /api/v0/agents``."""

    name: ResourceName
    namespace: ResourceName = DEFAULT_NAMESPACE
    description: Description | None = None
    instructions: Instructions = ""
    model: Model
    tools: JsonText = "[]"
    routes: JsonText = "[]"
    guardrails: JsonText = "[]"
    knowledge_bases: JsonText = "[]"

    @model_validator(mode="before")
    @classmethod
    def _take_aliases(cls, value: Any) -> Any:
        return target_namespace(value)


class AgentEdit(Body):
    """``PUT /api/v0/agents/{id}``: what is absent or null stays, but ``description`` is cleared."""

    name: ResourceName | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    model: Model | None = None
    tools: JsonText = None
    routes: JsonText = None
    guardrails: JsonText = None
    knowledge_bases: JsonText = None
    active: Annotated[bool | None, Field(strict=True)] = None

    @property
    def changed(self) -> tuple[str, ...]:
        """The names of the fields that it sets, in the order of the documentation."""
        return tuple(
            name
            for name in type(self).model_fields
            if getattr(self, name) is not None
            or (name == "description" and name in self.model_fields_set)
        )


class AgentItem(Answer):
    """An agent, as the store writes it."""

    id: UUID
    name: str
    namespace: str
    workspace: str
    description: str | None
    instructions: str
    model: str
    tools: Any
    routes: Any
    guardrails: Any
    knowledge_bases: Any
    active: bool
    created_at: Timestamp
    updated_at: Timestamp


class AgentQuery(ArrayQuery):
    """The query of the list of agents; ``active`` is true unless said otherwise."""

    namespace: NamespaceFilter = None
    active: bool | None = None
    model: Annotated[str | None, StringConstraints(max_length=255)] = None

    @model_validator(mode="before")
    @classmethod
    def _take_aliases(cls, value: Any) -> Any:
        return filters_given(value)

    @field_serializer("active", when_used="unless-none")
    def _in_lower_case(self, value: bool) -> str:
        return "true" if value else "false"


class NamespaceQuery(Query):
    """In which namespace a name is meant."""

    namespace: NamespaceFilter = None

    @model_validator(mode="before")
    @classmethod
    def _take_aliases(cls, value: Any) -> Any:
        return filters_given(value)


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as others use it; JSON as plain data."""

    id: UUID
    name: str
    namespace: str
    description: str | None
    instructions: str
    model: str
    tools: Any
    routes: Any
    guardrails: Any
    knowledge_bases: Any
    active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Stored:
    """What decides about an agent, and the agent as the wire shows it.

    Attributes:
        version: rises with each change.
        item: JSON.
    """

    id: UUID
    namespace: str
    name: str
    active: bool
    version: int
    item: str

    @property
    def names(self) -> tuple[str, str]:
        """What ``resource_names`` of a rule may call it."""
        return self.name, str(self.id)


@dataclass(frozen=True, slots=True)
class Named:
    """An agent that a name may mean."""

    id: UUID
    namespace: str
    name: str

    @property
    def names(self) -> tuple[str, str]:
        """What ``resource_names`` of a rule may call it."""
        return self.name, str(self.id)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which agents a list shows.

    Attributes:
        namespaces: of these, or of all if None.
        active: those that are there, or those that are deleted.
        model: of this model, or of any if None.
    """

    namespaces: Sequence[str] | None
    active: bool
    model: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a page: ``item`` is None where the page was too large to be read at once."""

    id: UUID
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
