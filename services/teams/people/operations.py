"""What teams asks auth: whose machine it is, and to let go of one."""

from __future__ import annotations

from services.teams.people.models import MachineOwner, RevokedMachine
from shared.siblings import Siblings


async def owner_of(siblings: Siblings, token: str) -> MachineOwner:
    """Tell whose machine a token is, now.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    return await siblings.ask("auth", "/internal/machines/check", {"token": token}, MachineOwner)


async def revoke(siblings: Siblings, token: str) -> None:
    """End the link of a machine that erases itself, if it has one.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    await siblings.ask("auth", "/internal/machines/revoke", {"token": token}, RevokedMachine)
