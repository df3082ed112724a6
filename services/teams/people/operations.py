"""What teams asks auth: whose machine it is, who is signed in, and to let go of a machine."""

from __future__ import annotations

from collections.abc import Sequence

from services.teams.people.models import (
    Browser,
    MachineOwner,
    Participants,
    Person,
    PersonsMachine,
    PersonsMachines,
    RevokedMachine,
)
from shared.siblings import Siblings

LONGEST_COOKIE = 16_384
"""Characters that auth looks at, of an ``Authorization`` header too."""

BATCH = 1_000
"""Machines whose owners auth tells at once."""


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


async def person(siblings: Siblings, authorization: str, cookie: str) -> Person | None:
    """Tell who sends a request that a machine has signed: by access token, else by cookie.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    if not (authorization or cookie) or max(len(authorization), len(cookie)) > LONGEST_COOKIE:
        return None
    question = {"authorization": authorization, "cookie": cookie}
    found = await siblings.ask("auth", "/internal/people/check", question, Person)
    return found if found.active else None


async def participants(siblings: Siblings, tokens: Sequence[str]) -> dict[str, str]:
    """Give the SHA-256 of the owner's address of those machines that are linked, by token.

    Raises:
        Unavailable: auth did not answer within two seconds.
    """
    found: dict[str, str] = {}
    for start in range(0, len(tokens), BATCH):
        question = {"tokens": tokens[start : start + BATCH]}
        answer = await siblings.ask("auth", "/internal/machines/owners", question, Participants)
        found.update((token, owner.email_digest) for token, owner in answer.owners.items())
    return found
