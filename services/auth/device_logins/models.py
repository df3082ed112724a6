"""Device logins on the wire of both surfaces, and in rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from services.auth.machines.models import MachineName, MachineToken
from shared.api import Answer, Body, Query

Word = Annotated[str, Field(max_length=512)]
Kind = Literal["api_key", "machine"]
Status = Literal["pending", "approved", "denied"]


class CodeRequest(Body):
    """``POST /v1/auth/device/code`` (RFC 8628, section 3.1)."""

    client_id: Word = ""


class DeviceCode(Answer):
    """What a device shows and what it polls with (RFC 8628, section 3.2)."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    interval: int
    expires_in: int


class TokenRequest(Body):
    """``POST /v1/auth/device/token`` (RFC 8628, section 3.4)."""

    client_id: Word = ""
    device_code: Annotated[Word, Field(repr=False)] = ""
    grant_type: Word = ""


class BoundOrganization(Answer):
    """The organization that a key is bound to."""

    id: str
    name: str
    slug: str


class DeviceKey(Answer):
    """The key that a device gets, once (learnings contract, section 3.1)."""

    api_key: str
    org_name: str
    user_email: str
    organizations: list[BoundOrganization]


class Decision(Body):
    """``POST /v1/auth/device/approve``.

    ``org_id`` is the organization that a key is bound to, the active one by default;
    ``machine_name`` what a machine is called from now on.
    """

    user_code: Annotated[str, Field(max_length=64)]
    org_id: Annotated[str | None, Field(max_length=300)] = None
    deny: bool = False
    machine_name: MachineName | None = None


class Approved(Answer):
    """The device gets what it asked for."""

    approved: bool = True


class Denied(Answer):
    """The device gets nothing."""

    denied: bool = True


class CodeQuery(Query):
    """``GET /v1/auth/device/pending``."""

    user_code: Annotated[str, Field(max_length=64)] = ""


class PendingLogin(Answer):
    """What a person must see before they approve (teams contract, section 7).

    ``machine_token`` is its first 12 characters, or None where a key is asked for; ``client`` the
    network address from which the login was begun.
    """

    kind: Kind
    status: Status
    user_code: str
    client_name: str
    machine_token: str | None
    client: str
    user_agent: str
    created_at: datetime
    expires_at: datetime


class MachineRequest(Body):
    """``POST /api/auth/device``."""

    token: Annotated[MachineToken | None, Field(repr=False)] = None


class MachineCode(Answer):
    """The same as ``DeviceCode``, in the words of the teams surface."""

    device_code: str
    user_code: str
    verification_url: str
    expires_in: int
    interval: int


class MachinePending(Answer):
    """Nobody has approved yet."""

    status: Literal["pending"] = "pending"


class MachineConfirmed(Answer):
    """The machine is linked; said once."""

    status: Literal["confirmed"] = "confirmed"
    email: str
    machine_count: int
    team_count: int


class TeamCount(Answer):
    """What teams answers: distinct teams over some tokens."""

    team_count: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True, repr=False)
class NewLogin:
    """A device login to be added."""

    digest: bytes
    kind: Kind
    user_code: str
    client_name: str
    machine_token: str | None
    client: str
    user_agent: str


@dataclass(frozen=True, slots=True, repr=False)
class Login:
    """A device login that has not expired, as a person meets it."""

    digest: bytes
    kind: Kind
    user_code: str
    client_name: str
    machine_token: str | None
    client: str
    user_agent: str
    status: Status
    account_id: str | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Poll:
    """How a poll finds a device login; ``early`` when it came before its time."""

    client_name: str
    status: Status
    expired: bool
    early: bool


@dataclass(frozen=True, slots=True)
class Grant:
    """What was approved, and by whom, as the two stand now."""

    client_name: str
    account_id: str
    org_id: str
    email: str | None
    org_name: str | None
    slug: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """An organization for which a person may approve."""

    id: str
    name: str
    role: str
