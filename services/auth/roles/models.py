"""Roles on the wire and in rows, and what a caller holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from shared.agents_wire import Description, ResourceName, Timestamp
from shared.api import Answer, Body
from shared.grants import Grant, Rule
from shared.pagination import ArrayQuery
from shared.principal import Principal

MOST_RULES: Final = 100
MOST_COMBINATIONS: Final = 10_000
"""Of groups, resources, verbs and names in one role: comparing roles walks through them."""


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
