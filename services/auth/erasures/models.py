"""Going, being forgotten, and what one takes along."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field

from services.auth.accounts.models import LONGEST_PASSWORD
from shared.api import Answer, Body

ANSWERING: Final = ("learnings", "runs", "teams", "agents")
"""The services that hold data of accounts; auth has forgotten when the account is deleted."""


class Goodbye(Body):
    """``DELETE /v1/auth/me``; an account without a password shows none."""

    password: Annotated[str, Field(max_length=LONGEST_PASSWORD, repr=False)] = ""
    code: Annotated[str | None, Field(max_length=40)] = None

    def __repr__(self) -> str:
        """Show nothing: both are secrets."""
        return "Goodbye()"


class Deleted(Answer):
    """The account has gone."""

    status: str = "deleted"


@dataclass(frozen=True, slots=True)
class Share:
    """One organization of a person who goes.

    Attributes:
        org_id: the organization.
        role: the person's.
        heir: who becomes its owner if nobody else is: its oldest admin, else its oldest member;
            None where nobody else belongs to it.
        has_other_owner: whether somebody else owns it already.
    """

    org_id: str
    role: str
    heir: str | None
    has_other_owner: bool


@dataclass(frozen=True, slots=True)
class Key:
    """An API key that ends."""

    org_id: str
    id: str


class ServiceAnswer(Answer):
    """When a service said that it has forgotten."""

    service: str
    answered_at: datetime


class ErasureItem(Answer):
    """One row of ``GET /v1/admin/erasures``."""

    account_id: str
    requested_at: datetime
    closed_at: datetime | None
    answers: list[ServiceAnswer]


class ExportedAccount(Answer):
    """A person, as the export shows them."""

    id: str
    email: str
    name: str
    verified_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Export(Answer):
    """``GET /v1/auth/me/export``: everything that auth holds of a person, but no secret.

    The newest audit events are listed; ``audit_events_total`` says how many there are.
    """

    account: ExportedAccount
    organizations: list[dict[str, Any]]
    sessions: list[dict[str, Any]]
    api_keys: list[dict[str, Any]]
    machines: list[dict[str, Any]]
    external_identities: list[dict[str, Any]]
    two_factor: bool
    audit_events: list[dict[str, Any]]
    audit_events_total: int


class AccountView(Answer):
    """The account of ``GET /api/account``."""

    id: str
    email: str


class MachineView(Answer):
    """A machine there; ``token`` is its beginning."""

    id: str
    machine_name: str
    token: str
    last_seen_at: datetime | None
    revoked_at: datetime | None


class AccountPage(Answer):
    """``GET /api/account`` (teams contract, section 8)."""

    account: AccountView
    machines: list[MachineView]


class TeamsAccount(Answer):
    """The account of ``GET /api/account/export``."""

    id: str
    email: str
    created_at: datetime
    updated_at: datetime


class TeamsMachine(Answer):
    """A machine there; ``token`` is its beginning."""

    token: str
    machine_name: str
    last_seen_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class TeamsPart(Answer):
    """What the teams service adds, as it says it (``POST /internal/accounts/export``).

    ``next_after`` says where its next page begins, and is None at the end.
    """

    teams: list[dict[str, Any]]
    next_after: str | None = None


class TeamsExport(Answer):
    """``GET /api/account/export`` (teams contract, section 8)."""

    account: TeamsAccount
    machines: list[TeamsMachine]
    teams: list[dict[str, Any]]
