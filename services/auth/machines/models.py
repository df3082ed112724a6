"""Machines: key pairs of the teams surface that were linked to accounts, in rows and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from services.auth.accounts.models import Name
from shared.api import Answer, Body

MachineToken = Annotated[str, Field(max_length=64)]
"""``trc_ak_`` and the public key (teams contract, section 2)."""

MachineName = Annotated[Name, Field(max_length=64)]
"""What its owner calls a machine."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of an account; a revoked one stays.

    Attributes:
        id: ``mach_…``.
        token: the whole public key; what is shown is ``shown_token`` of the operations.
        machine_name: what its owner calls it.
        created_at: when it was first linked.
        last_seen_at: when the teams service last heard of it.
        revoked_at: when it was revoked, if it is.
        version: rises with each change of the link.
    """

    id: str
    token: str
    machine_name: str
    created_at: datetime
    last_seen_at: datetime | None
    revoked_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Owner:
    """Who stands behind a machine's token, now.

    Attributes:
        account_id: the account it was linked to.
        email: of that account.
        machine_name: what it is called.
        linked: whether the link holds: not revoked, and the account may act.
        barred: whether its owner took it away, so that it may not come back by an invitation.
        version: rises with each change of the link.
    """

    account_id: str
    email: str
    machine_name: str
    linked: bool
    barred: bool
    version: int


class TokenQuestion(Body):
    """``POST /internal/machines/check`` and ``/internal/machines/revoke``."""

    token: Annotated[MachineToken, Field(repr=False)]


class MachineCheck(Answer):
    """Whose machine it is; the account and what it tells is empty when nobody's.

    ``version`` is that of the events about it, and 0 if it was never linked: whoever has heard this
    answer has nothing to learn from events up to it.
    ``email_digest`` is the SHA-256 of the owner's address, trimmed and in lower case, in hex
    (teams contract, section 8).
    """

    linked: bool
    barred: bool = False
    version: int = 0
    account_id: str = ""
    machine_name: str = ""
    email_digest: str = ""


class TokensQuestion(Body):
    """``POST /internal/machines/owners``."""

    tokens: Annotated[list[MachineToken], Field(max_length=1000, repr=False)]


class MachineOwner(Answer):
    """The owner of a linked machine."""

    account_id: str
    machine_name: str
    email_digest: str


class MachineOwners(Answer):
    """The owners of those machines that are linked, by token."""

    owners: dict[str, MachineOwner]


class AccountQuestion(Body):
    """``POST /internal/accounts/machines``."""

    account_id: Annotated[str, Field(max_length=300)]


class LinkedMachine(Answer):
    """A machine that is linked and not revoked."""

    token: str
    machine_name: str
    last_seen_at: datetime | None
    version: int


class AccountMachines(Answer):
    """The unrevoked machines of an account, the newest first."""

    machines: list[LinkedMachine]


class Dropped(Answer):
    """What the teams service answers: how many memberships have ended."""

    dropped: int


class RevokedMachine(Answer):
    """Whether there was a link to revoke."""

    revoked: bool


class Revoked(Answer):
    """``DELETE /api/account/machines/{token}``."""

    status: str = "revoked"
