"""Role bindings on the wire and in rows, and the copy of access that others keep."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, StringConstraints, computed_field, model_validator
from pydantic_core import PydanticCustomError

from shared.agents_wire import ResourceName, Timestamp, with_namespace
from shared.api import Answer, Body
from shared.grants import Rule
from shared.pagination import ArrayQuery

PrincipalType = Literal["ServiceAccount", "User", "Subject", "Group"]


def _is_printable(value: str) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise PydanticCustomError("value_error", "must not contain control characters")
    return value


PrincipalName = Annotated[
    str, StringConstraints(min_length=1, max_length=255), AfterValidator(_is_printable)
]
"""An account's name, a person's address, an external subject or a group."""


class NewRoleBinding(Body):
    """``POST /api/v0/role-bindings``; without a namespace it holds everywhere."""

    role_name: ResourceName
    principal_name: PrincipalName
    principal_type: PrincipalType = "ServiceAccount"
    namespace: ResourceName | None = None

    @model_validator(mode="before")
    @classmethod
    def _take_aliases(cls, value: Any) -> Any:
        return with_namespace(value)


class RoleBindingItem(Answer):
    """A role binding (agents contract, section 4.3)."""

    id: UUID
    role_name: str
    principal_name: str
    principal_type: PrincipalType
    namespace: str | None
    created_at: Timestamp

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own form
    @property
    def workspace(self) -> str | None:
        """The namespace, by the name that other clients read."""
        return self.namespace


class RoleBindingQuery(ArrayQuery):
    """The query of the list of role bindings."""

    namespace: Annotated[str | None, StringConstraints(max_length=255)] = None
    principal_name: Annotated[str | None, StringConstraints(max_length=255)] = None
    role_name: Annotated[str | None, StringConstraints(max_length=255)] = None

    @model_validator(mode="before")
    @classmethod
    def _take_aliases(cls, value: Any) -> Any:
        """Let an empty filter be none."""
        if not isinstance(value, dict):
            return value
        given = {name: text for name, text in value.items() if text != ""}
        return with_namespace(given)


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """A row of ``auth.role_binding`` with the role's name."""

    id: UUID
    role_id: UUID
    role_name: str
    principal_type: PrincipalType
    principal_name: str
    principal_id: str | None
    namespace: str | None
    created_at: datetime

    def item(self) -> RoleBindingItem:
        """Give it as the wire shows it."""
        return RoleBindingItem(
            id=self.id,
            role_name=self.role_name,
            principal_name=self.principal_name,
            principal_type=self.principal_type,
            namespace=self.namespace,
            created_at=self.created_at,
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """Which bindings a list shows.

    Attributes:
        namespaces: those that the caller may see, or None for all and what holds everywhere.
        namespace: the one asked for, or None.
        principal_name: the one asked for, or None.
        role_name: the one asked for, or None.
    """

    namespaces: Sequence[str] | None
    namespace: str | None
    principal_name: str | None
    role_name: str | None


class CopiedRole(Answer):
    """A role in a copy of access."""

    id: str
    name: str
    rules: list[Rule]
    version: int


class CopiedBinding(Answer):
    """A binding in a copy of access; fields as in ``role_binding.changed.v1``."""

    id: str
    role_id: str
    principal_type: PrincipalType
    principal_name: str
    principal_id: str
    namespace: str | None
    version: int


class CopiedServiceAccount(Answer):
    """A service account in a copy of access."""

    id: str
    name: str
    active: bool
    version: int


class CopiedOrganization(Answer):
    """An organization in a copy of access; its slug is the namespace of its people."""

    org_id: str
    slug: str


class AccessSnapshot(Answer):
    """``POST /internal/access/snapshot``: all of access at one moment.

    ``version`` is the number of the newest change in it: events of that number and below are in it,
    events above are not, and no number is left out. ``standings`` are the rules that people hold in
    their organization's namespace, by their role there.
    """

    version: int
    roles: list[CopiedRole]
    bindings: list[CopiedBinding]
    service_accounts: list[CopiedServiceAccount]
    organizations: list[CopiedOrganization]
    standings: dict[str, list[Rule]]
