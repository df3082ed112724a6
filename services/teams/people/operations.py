"""What teams asks auth: whose machine it is, who is signed in, and to let go of a machine."""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.people.models import (
    Browser,
    MachineOwner,
    PersonsMachine,
    PersonsMachines,
    RevokedMachine,
)
from shared.siblings import Siblings

LONGEST_COOKIE = 16_384
"""Characters that auth looks at."""


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


async def browser(siblings: Siblings, cookie: str) -> Browser | None:
    """Tell who is signed in by a browser's ``Cookie`` header, if anybody is.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    if not cookie or len(cookie) > LONGEST_COOKIE:
        return None
    found = await siblings.ask("auth", "/internal/web-sessions/check", {"cookie": cookie}, Browser)
    return found if found.active else None


async def machines_of(siblings: Siblings, account_id: str) -> Sequence[PersonsMachine]:
    """Give the machines that are linked with an account now.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    question = {"account_id": account_id}
    found = await siblings.ask("auth", "/internal/accounts/machines", question, PersonsMachines)
    return found.machines
