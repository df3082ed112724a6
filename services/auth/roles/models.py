"""Roles on the wire and in rows, and what a caller holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    WithJsonSchema,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from shared.api import Answer, Body
from shared.pagination import ArrayQuery
from shared.principal import Principal

UUID_TEXT: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
"""How ids are written; what does not look so is a name."""

MOST_RULES: Final = 100
MOST_COMBINATIONS: Final = 10_000
"""Of groups, resources, verbs and names in one role: comparing roles walks through them."""


def _written(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Timestamp = Annotated[
    datetime,
    PlainSerializer(_written, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A time as the agents surface writes it: UTC, ``Z``, six digits of a second (section 2)."""

ResourceName = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9_.-]+$")
]
"""What an account, a role or a namespace may be called (agents contract, section 2)."""

Description = Annotated[str, StringConstraints(max_length=1000)]

Word = Annotated[str, StringConstraints(max_length=255)]
Words = Annotated[tuple[Word, ...], Field(max_length=100)]


class Rule(Body):
    """One rule of a role: any of its groups, resources and verbs together; ``*`` is each."""

    api_groups: Words
    resources: Words
    verbs: Words
    resource_names: Words | None = None

    @model_serializer(mode="wrap")
    def _without_null(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.resource_names is None:
            del written["resource_names"]
        return written

    @property
    def combinations(self) -> int:
        """How many single permissions the rule spells out."""
        names = max(1, len(self.resource_names or ()))
        return len(self.api_groups) * len(self.resources) * len(self.verbs) * names


def _are_few(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if sum(rule.combinations for rule in rules) > MOST_COMBINATIONS:
        raise PydanticCustomError("too_long", "the rules spell out too many combinations")
    return rules


Rules = Annotated[tuple[Rule, ...], Field(max_length=MOST_RULES), AfterValidator(_are_few)]


class NewRole(Body):
    """``POST /api/v0/roles``; ``namespace`` is ignored, because roles are global."""

    name: ResourceName
    rules: Rules
    description: Description | None = None


class RoleItem(Answer):
    """A role (agents contract, section 4.2)."""

    id: UUID
    name: str
    rules: list[Rule]
    description: str | None
    created_at: Timestamp


class RoleQuery(ArrayQuery):
    """The query of the list of roles."""


@dataclass(frozen=True, slots=True)
class Role:
    """A row of ``auth.role``."""

    id: UUID
    name: str
    rules: tuple[Rule, ...]
    description: str | None
    created_at: datetime

    def item(self) -> RoleItem:
        """Give it as the wire shows it."""
        return RoleItem(
            id=self.id,
            name=self.name,
            rules=list(self.rules),
            description=self.description,
            created_at=self.created_at,
        )


class Grant(Answer):
    """Rules that somebody holds in a namespace, or everywhere if that is None."""

    role: str
    namespace: str | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a caller holds, as the database says.

    Attributes:
        grants: through bindings.
        namespace: of the organization that a person acts in, or None.
        is_there: whether a service account exists and is active; True for all others.
    """

    grants: tuple[Grant, ...]
    namespace: str | None
    is_there: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """A caller with all that they hold, membership included."""

    principal: Principal
    grants: tuple[Grant, ...]


def with_namespace(value: Any) -> Any:
    """Take ``workspace`` or ``space`` for ``namespace`` where that is absent or null."""
    if not isinstance(value, dict):
        return value
    for name in ("namespace", "workspace", "space"):
        if value.get(name) is not None:
            return value | {"namespace": value[name]}
    return value
