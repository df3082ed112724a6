"""Service accounts and logins of the agents surface, on the wire and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    computed_field,
    model_serializer,
)

from services.auth.accounts.models import LONGEST_PASSWORD
from services.auth.audit_events.models import Origin
from services.auth.sessions.models import Code
from shared.agents_wire import Description, ResourceName, Timestamp
from shared.api import Answer, Body
from shared.pagination import ArrayQuery

CURRENT: Final = "current-user"
"""Stands for the caller where a service account is named."""

ADMINISTRATOR: Final = "admin"
"""The first service account, and its role."""

SHORTEST_PASSWORD: Final = 8
"""Characters, in production (agents contract, section 4.1)."""

KNOWN_PASSWORDS: Final = frozenset(
    {"admin", "administrator", "changeme", "default", "guildhall", "password", "raworc", "secret"}
)
"""What everybody tries first; refused in production."""

Secret = Annotated[
    str, StringConstraints(min_length=1, max_length=LONGEST_PASSWORD), Field(repr=False)
]


class LoginRequest(Body):
    """``POST /api/v0/auth/internal``; ``user`` is a service account or a person's address."""

    user: Annotated[str, Field(max_length=320)]
    password: Annotated[str, Field(alias="pass", max_length=LONGEST_PASSWORD, repr=False)]
    code: Annotated[Code | None, Field(repr=False)] = None


class LoginUser(Answer):
    """Whom a login is for, as the command line reads it."""

    username: str
    role: Literal["admin", "user"]


class Login(Answer):
    """A token (agents contract, section 3); ``expires`` repeats ``expires_at`` for one client."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a token's type, not a token
    expires_at: Timestamp
    expires: Timestamp
    user: LoginUser


class Me(Answer):
    """Who is calling (agents contract, section 3)."""

    user: str
    namespace: None = None
    workspace: None = None
    type: Literal["ServiceAccount", "Subject"]
    id: str
    name: str
    username: str
    email: str | None
    roles: list[str]
    must_change_password: bool = False

    @model_serializer(mode="wrap")
    def _without_false(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if not self.must_change_password:
            del written["must_change_password"]
        return written


class NewServiceAccount(Body):
    """``POST /api/v0/service-accounts``; ``namespace`` is ignored, because accounts are global."""

    user: ResourceName
    password: Annotated[Secret, Field(alias="pass")]
    description: Description | None = None


class ServiceAccountEdit(Body):
    """``PUT /api/v0/service-accounts/{id}``: what is absent stays."""

    description: Description | None = None
    active: Annotated[bool | None, Field(strict=True)] = None


class PasswordEdit(Body):
    """``PUT /api/v0/service-accounts/{id}/password``."""

    new_password: Secret
    current_password: Annotated[str | None, Field(max_length=LONGEST_PASSWORD, repr=False)] = None


class ServiceAccountItem(Answer):
    """A service account (agents contract, section 4.1)."""

    id: UUID
    user: str
    namespace: None = None
    description: str | None
    active: bool
    created_at: Timestamp
    updated_at: Timestamp
    last_login_at: Timestamp | None

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own form
    @property
    def workspace(self) -> None:
        """The namespace, by the name that other clients read."""


class ServiceAccountQuery(ArrayQuery):
    """The query of the list of service accounts."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A row of ``auth.service_account`` without its secret."""

    id: UUID
    name: str
    description: str | None
    active: bool
    must_change_password: bool
    token_version: int
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None

    def item(self) -> ServiceAccountItem:
        """Give it as the wire shows it."""
        return ServiceAccountItem(
            id=self.id,
            user=self.name,
            description=self.description,
            active=self.active,
            created_at=self.created_at,
            updated_at=self.updated_at,
            last_login_at=self.last_login_at,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Proof:
    """What a password is checked against, and what holds if it is right."""

    account_id: UUID
    password_hash: str
    active: bool
    token_version: int


@dataclass(frozen=True, slots=True)
class NewPrincipalSession:
    """A session of somebody without an account to be opened.

    Attributes:
        id: of the session.
        service_account_id: or None for an external subject.
        subject: as the token names them.
        token_version: of the service account, 0 for a subject.
        groups: of a subject.
        origin: where the request came from.
    """

    id: str
    service_account_id: UUID | None
    subject: str
    token_version: int
    groups: tuple[str, ...]
    origin: Origin
