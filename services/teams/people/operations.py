"""What teams asks auth: whose machine it is."""

from __future__ import annotations

from services.teams.people.models import MachineOwner
from shared.siblings import Siblings


async def owner_of(siblings: Siblings, token: str) -> MachineOwner:
    """Tell whose machine a token is, now.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    return await siblings.ask("auth", "/internal/machines/check", {"token": token}, MachineOwner)
