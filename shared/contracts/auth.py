"""The events that auth says."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from shared.bus import Event


class AuthEvent(Event):
    """Base of auth's events."""

    publisher: ClassVar[str] = "auth"


class AccountRegistered(AuthEvent):
    """A person registered; the address is not verified yet."""

    kind: ClassVar[str] = "account.registered.v1"
    account_id: str


class AccountVerified(AuthEvent):
    """An account's address was verified: the first one, one vouched for until then, or a new one.

    It may be said again of an account, and where an admin vouches for the address it proves
    nothing.
    """

    kind: ClassVar[str] = "account.verified.v1"
    account_id: str


class AccountDisabled(AuthEvent):
    """An account may no longer act; all its credentials are void."""

    kind: ClassVar[str] = "account.disabled.v1"
    account_id: str


class AccountDeleted(AuthEvent):
    """An account was erased; whoever holds data of it erases that too, and says so.

    ``org_ids`` are the organizations that went along, because nobody else belonged to them.
    """

    kind: ClassVar[str] = "account.deleted.v1"
    account_id: str
    org_ids: tuple[str, ...] = ()


class SessionRevoked(AuthEvent):
    """A login session ended before its time."""

    kind: ClassVar[str] = "session.revoked.v1"
    session_id: str
    account_id: str


class ApiKeyCreated(AuthEvent):
    """An API key was made."""

    kind: ClassVar[str] = "api_key.created.v1"
    key_id: str
    org_id: str
    account_id: str


class ApiKeyRevoked(AuthEvent):
    """An API key was revoked; so is every token bought with it."""

    kind: ClassVar[str] = "api_key.revoked.v1"
    key_id: str
    org_id: str


class OrganizationCreated(AuthEvent):
    """An organization came to be."""

    kind: ClassVar[str] = "organization.created.v1"
    org_id: str
    name: str
    slug: str


class OrganizationDeleted(AuthEvent):
    """An organization was deleted; whoever holds data of it erases that too."""

    kind: ClassVar[str] = "organization.deleted.v1"
    org_id: str


class MembershipChanged(AuthEvent):
    """A person joined or left an organization, or got another role.

    ``role`` is empty when the membership ended; ``version`` rises with each change, so that a
    consumer can tell a late event from a new one.
    """

    kind: ClassVar[str] = "membership.changed.v1"
    org_id: str
    account_id: str
    role: str
    version: int


class MachineLinked(AuthEvent):
    """A machine of the teams surface was linked to an account; ``token`` is its public key."""

    kind: ClassVar[str] = "machine.linked.v1"
    token: str
    account_id: str
    version: int


class MachineRevoked(AuthEvent):
    """A machine was revoked by its owner, or its account has gone."""

    kind: ClassVar[str] = "machine.revoked.v1"
    token: str
    account_id: str
    version: int


class RoleRule(BaseModel):
    """One rule of a role (agents contract, section 7)."""

    model_config = ConfigDict(frozen=True)

    api_groups: tuple[str, ...]
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    resource_names: tuple[str, ...] | None = None


class RoleChanged(AuthEvent):
    """A role of the agents surface was made or deleted.

    ``version`` rises by one with each change of a role, a binding or a service account, in the
    order of commits: a copy takes a change only if it is newer than its snapshot and than what it
    heard last of the same id, and knows by a gap that something is still to come.
    """

    kind: ClassVar[str] = "role.changed.v1"
    role_id: str
    name: str
    rules: tuple[RoleRule, ...]
    deleted: bool
    version: int


class RoleBindingChanged(AuthEvent):
    """A role was bound to a principal, or that ended.

    ``principal_id`` is empty while the name means no account; ``namespace`` is None for everywhere.
    """

    kind: ClassVar[str] = "role_binding.changed.v1"
    binding_id: str
    role_id: str
    principal_type: str
    principal_name: str
    principal_id: str
    namespace: str | None
    deleted: bool
    version: int


class ServiceAccountChanged(AuthEvent):
    """A service account was made, changed or deleted; its older tokens may be void."""

    kind: ClassVar[str] = "service_account.changed.v1"
    service_account_id: str
    name: str
    active: bool
    deleted: bool
    version: int
