"""Who owns something on the agents surface, and what a caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared import grants as meaning
from shared.errors import Forbidden, NotFound
from shared.grants import API, Grant
from shared.principal import Principal

OwnerType = Literal["ServiceAccount", "User", "Subject"]


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
