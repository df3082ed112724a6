"""People of an organization, and signing in on the runs surface (contract, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, RootModel, StrictBool

from services.auth.accounts.models import Email, Name, User
from services.auth.passwords.models import LONGEST as LONGEST_PASSWORD
from services.auth.sessions.models import Code
from shared.api import Answer, Body
from shared.pagination import MOST_ITEMS, ItemLimit, OffsetQuery
from shared.principal import Role

GivenRole = Literal["admin", "member"]
"""A role that an admin may give; owners come with their organization."""

Password = Annotated[str, Field(max_length=LONGEST_PASSWORD, repr=False)]
"""As typed; whether a new one will do is told by 400 on this surface."""


class Login(Body):
    """``POST /api/v1/auth/login``; ``code`` is of a second factor."""

    email: Annotated[str, Field(max_length=320)]
    password: Password
    code: Annotated[Code | None, Field(repr=False)] = None


class Signup(Body):
    """``POST /api/v1/auth/signup``."""

    email: Email
    password: Password
    org_name: Name


class SignedIn(Answer):
    """An access token for 24 hours, and whose it is."""

    token: str
    user: User


class Done(Answer):
    """The answer of what has nothing else to say."""

    ok: bool = True


class MembersQuery(OffsetQuery):
    """``limit`` and ``offset`` of a bare list, which cannot say that there is more."""

    limit: ItemLimit = MOST_ITEMS


class NewUser(Body):
    """``POST /api/v1/auth/users``."""

    email: Email
    password: Password
    role: GivenRole = "member"
    name: Name | None = None


class UserChange(Body):
    """``PATCH /api/v1/auth/users/{id}``; what is absent or null stays."""

    role: GivenRole | None = None
    disabled: StrictBool | None = None
    name: Name | None = None


class StandingChange(Body):
    """``PATCH /v1/admin/users/{id}``; what is absent or null stays."""

    disabled: StrictBool | None = None
    platform_admin: StrictBool | None = None


class Member(User):
    """The user object with ``disabled`` beside it, as admins see it."""

    disabled: bool


class Members(RootModel[list[Member]]):
    """The bare list of ``GET /api/v1/auth/users``."""


@dataclass(frozen=True, slots=True, repr=False)
class NewAccount:
    """A verified account to be made.

    Attributes:
        email: as typed.
        name: of the person.
        password_hash: None for one who has still to choose a password.
        vouched_by: the organization whose admin says that the address is theirs; None where it is
            the account's own, or where ``is_proved``.
        is_proved: whether a letter proved the address.
    """

    email: str
    name: str
    password_hash: str | None
    vouched_by: str | None = None
    is_proved: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose an address is.

    Attributes:
        account_id: of the account that has it; empty where there is none.
        is_somebodys: whether it is in use; else a new owner may be given it.
    """

    account_id: str
    is_somebodys: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Somebody in an organization, and what else decides over a change of them.

    Attributes:
        account_id: whose.
        role: in the organization.
        platform_admin: whether they administer the installation.
        disabled: whether they cannot act.
        other_admins: whether the organization has another administrator who can act.
        elsewhere: whether they belong to another organization too.
    """

    account_id: str
    role: str
    platform_admin: bool
    disabled: bool
    other_admins: bool
    elsewhere: bool

    @property
    def is_admin(self) -> bool:
        """Whether the role has an administrator's rights."""
        return self.role in (Role.ADMIN, Role.OWNER)


@dataclass(frozen=True, slots=True)
class Intent:
    """What is to be done to a member.

    Attributes:
        role: the new one, if it changes.
        disabled: whether they can act from now on, if that changes.
        renamed: whether they get another name.
        removed: whether they leave.
    """

    role: str | None = None
    disabled: bool | None = None
    renamed: bool = False
    removed: bool = False
