"""Installations on the wire and in rows (learnings contract, section 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

from shared.api import Answer, Body
from shared.pagination import PageQuery

ID_PREFIX: Final = "inst_"

TEXT_LIMIT: Final = 200
"""Characters kept of anything that a client says of itself."""


def _in_utc(value: datetime) -> datetime:
    """Read a time without a zone as UTC, and keep to the years that PostgreSQL shares."""
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999") from None


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one call tells of the client that made it; empty is what it does not tell.

    Attributes:
        org_id: the organization it acts in.
        installation_id: the client's own id as it sent it; empty where it sent none.
        client_profile: such as ``claude-code``.
        framework_version: of the client.
        model_family: of the model that drives it.
        os_platform: where it runs.
        python_version: what it runs on.
        project: ``origin_project`` or a raw name.
        pushed: learnings that it pushed in this call.
        events: telemetry events that it sent in this call.
        pulled_to: the cursor that it has pulled to.
        key_id: the API key that it called with; empty for people.
        outcomes: outcomes that it sent in this call.
        company_pulled_to: the same for company rows.
    """

    org_id: str
    installation_id: str = ""
    client_profile: str = ""
    framework_version: str = ""
    model_family: str = ""
    os_platform: str = ""
    python_version: str = ""
    project: str = ""
    pushed: int = 0
    events: int = 0
    pulled_to: int | None = None
    key_id: str = ""
    outcomes: int = 0
    company_pulled_to: int | None = None


@dataclass(slots=True)
class Seen:
    """Sightings of one installation since it was last written, as one row.

    ``identity`` is the client's own id, or ``key:`` and the key's.
    """

    org_id: str
    identity: str
    id: str
    installation_id: str | None
    key_id: str
    seen_at: datetime
    client_profile: str = ""
    framework_version: str = ""
    model_family: str = ""
    os_platform: str = ""
    python_version: str = ""
    project: str = ""
    pushed: int = 0
    events: int = 0
    outcomes: int = 0
    pulled_to: int | None = None
    company_pulled_to: int | None = None


@dataclass(frozen=True, slots=True)
class NewInstallation:
    """One that was seen for the first time."""

    org_id: str
    id: str
    project: str


class InstallationQuery(PageQuery):
    """The query of the list; ``active_since`` leaves out who was not seen since then."""

    active_since: Annotated[datetime, AfterValidator(_in_utc)] | None = None


class Label(Body):
    """``PATCH /v1/installations/{id}``."""

    project: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LIMIT)
    ]


class Installation(Answer):
    """A client of an organization.

    ``installation_id`` is null where the client sends none and is known by its key. ``pulled_to``
    is the organization's sequence up to which it has pulled, ``lag`` how far the organization is
    ahead of that; both are null while it has pulled nothing.
    """

    id: str
    project: str
    installation_id: str | None
    client_profile: str
    framework_version: str
    model_family: str
    os_platform: str
    python_version: str
    pushed: int
    events: int
    outcomes: int
    pulled_to: int | None
    company_pulled_to: int | None
    lag: int | None
    first_seen: datetime
    last_seen: datetime


class AdminInstallation(Installation):
    """The same in the platform administrators' list, with its organization."""

    org_id: str
    org_name: str = Field(description="Empty while the organization's name is not known here.")
