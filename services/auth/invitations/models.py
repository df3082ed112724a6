"""Invitations on the wire and in rows (runs contract, section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, RootModel

from services.auth.accounts.models import LONGEST_PASSWORD, LONGEST_TOKEN, Email, Name
from services.auth.sessions.models import Code
from shared.api import Answer, Body
from shared.pagination import MOST_ITEMS, ItemLimit, OffsetQuery


class NewInvitation(Body):
    """``POST /api/v1/auth/invites``."""

    email: Email
    role: Literal["admin", "member"] = "member"


class Invitation(Answer):
    """An invitation that waits; what its link holds stands in the letter alone."""

    id: str
    email: str
    role: str
    expires_at: datetime
    created_at: datetime


class Invitations(RootModel[list[Invitation]]):
    """The bare list of ``GET /api/v1/auth/invites``."""


class InvitationsQuery(OffsetQuery):
    """``limit`` and ``offset`` of a bare list, which cannot say that there is more."""

    limit: ItemLimit = MOST_ITEMS


class Acceptance(Body):
    """``POST /api/v1/auth/accept-invite``.

    ``password`` is the new one of a new account, or the present one of an account that the address
    has; ``code`` is of that account's second factor.
    """

    token: Annotated[str, Field(max_length=LONGEST_TOKEN, repr=False)]
    password: Annotated[str, Field(max_length=LONGEST_PASSWORD, repr=False)]
    name: Name | None = None
    code: Annotated[Code | None, Field(repr=False)] = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What an invitation's token opens."""

    org_id: str
    id: str
    email: str
    role: str


@dataclass(frozen=True, slots=True)
class Names:
    """Who invites to what, as their letter says."""

    organization: str
    inviter: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a letter leads.

    Attributes:
        pages: of the web client whose page accepts invitations; ours where there is none.
        public_url: where the API is.
    """

    pages: str
    public_url: str
