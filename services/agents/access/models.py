"""Who owns something on the agents surface, what a caller holds, and the copy of access."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared import grants as meaning
from shared.errors import Forbidden, NotFound
from shared.grants import API, Grant, Rule
from shared.principal import Principal

IdT = TypeVar("IdT")

OwnerType = Literal["ServiceAccount", "User", "Subject"]
PrincipalType = Literal["ServiceAccount", "User", "Subject", "Group"]


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose something is: the same type and id, never the same name (agents contract, 4.5).

    Attributes:
        type: what sort of principal.
        id: of the service account (UUID) or account (``usr_…``), or the external subject.
        name: what ``created_by`` shows: the service account's name, else the id.
    """

    type: OwnerType
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A caller with all that they hold, standing in their organization included."""

    principal: Principal
    owner: Owner
    grants: tuple[Grant, ...]

    def may(self, resource: str, verb: str, namespace: str, names: Sequence[str] = ()) -> bool:
        """Tell whether the caller may do something (agents contract, section 7).

        Args:
            resource: such as ``agents``.
            verb: such as ``get``.
            namespace: where.
            names: name and id of the object, none for a list or a creation.
        """
        return meaning.allows(self.grants, API, resource, verb, namespace, names)

    def require(self, resource: str, verb: str, namespace: str, names: Sequence[str] = ()) -> None:
        """Check that the caller may do something.

        Raises:
            Forbidden: they may not.
        """
        if not self.may(resource, verb, namespace, names):
            raise Forbidden

    def is_bound(self, namespace: str) -> bool:
        """Tell whether the caller holds anything at all in a namespace."""
        return meaning.is_bound(self.grants, namespace)

    def require_seen(self, namespace: str, missing: str) -> None:
        """Check that the caller may know of what is in a namespace.

        Raises:
            NotFound: they hold nothing there; ``missing`` is the text.
        """
        if not self.is_bound(namespace):
            raise NotFound(missing)

    def namespaces(self, resource: str, verb: str) -> frozenset[str] | None:
        """Give the namespaces in which something is allowed; None if it is everywhere."""
        return meaning.namespaces(self.grants, API, resource, verb)

    def owns(self, owner_type: str, owner_id: str) -> bool:
        """Tell whether something of this owner is the caller's own."""
        return self.owner.type == owner_type and self.owner.id == owner_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose holdings are looked up.

    Attributes:
        principal_id: the account that bindings are resolved to, or None.
        types: of the bindings that may be resolved to it.
        subject: the name of an external subject, or None.
        groups: of an external subject.
        org: whose slug is the namespace of a person's standing, or empty.
        standing: their role there, or empty.
        service_account: who is asking, if it is one.
    """

    principal_id: str | None = None
    types: tuple[PrincipalType, ...] = ()
    subject: str | None = None
    groups: tuple[str, ...] = ()
    org: str = ""
    standing: str = ""
    service_account: UUID | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """A service account, as the copy knows it; one that was deleted is not active."""

    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a caller holds, as the copy says.

    Attributes:
        is_filled: whether there is a copy at all.
        account: the service account that was asked for, if it is known.
        grants: through bindings, and through the standing in an organization that is there.
    """

    is_filled: bool
    account: Account | None
    grants: tuple[Grant, ...]


class _Copied(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class CopiedRole(_Copied):
    """A role; fields as in ``role.changed.v1``."""

    id: UUID
    name: str
    rules: tuple[Rule, ...]
    version: int

    def row(self) -> dict[str, Any]:
        """Give it as a row of ``agents.role``."""
        return self.model_dump(mode="json")


class CopiedBinding(_Copied):
    """A binding; fields as in ``role_binding.changed.v1``."""

    id: UUID
    role_id: UUID
    principal_type: str
    principal_name: str
    principal_id: str
    namespace: str | None
    version: int

    def row(self) -> dict[str, Any]:
        """Give it as a row of ``agents.role_binding``."""
        return self.model_dump(mode="json") | {"principal_id": self.principal_id or None}


class CopiedServiceAccount(_Copied):
    """A service account; fields as in ``service_account.changed.v1``."""

    id: UUID
    name: str
    active: bool
    version: int

    def row(self) -> dict[str, Any]:
        """Give it as a row of ``agents.service_account``."""
        return self.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Known:
    """What the copy knows of one thing: the number of its last change, and whether it ended."""

    version: int
    deleted: bool


class Bearing(_Copied):
    """What a snapshot says of itself.

    Attributes:
        version: the number of the newest change in it.
        standings: the rules that people hold in their organization's namespace, by their role.
    """

    version: int
    standings: dict[str, tuple[Rule, ...]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing of which a snapshot and the copy differ.

    Attributes:
        id: of the thing.
        shown: as the snapshot has it, JSON; None if it has it not.
        number: its number there.
        known: what the copy knows, if anything.
    """

    id: UUID
    shown: str | None
    number: int
    known: Known | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What was known when a snapshot was asked for.

    Attributes:
        at: by the database's clock.
        heard: the highest number of a change.
    """

    at: datetime
    heard: int


@dataclass(frozen=True, slots=True)
class Copied:
    """How far the copy is.

    Attributes:
        version: of its snapshot.
        newest: the highest number heard of.
    """

    version: int
    newest: int


@dataclass(frozen=True, slots=True)
class Merge(Generic[IdT]):
    """What a snapshot changes in a copy.

    Attributes:
        take: these are in the snapshot, and not or otherwise in the copy.
        end: these are in the copy and no more.
        forget: tombstones that nothing can undo any more.
    """

    take: frozenset[IdT]
    end: frozenset[IdT]
    forget: frozenset[IdT]
