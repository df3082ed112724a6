"""Test accounts at rest."""

from __future__ import annotations

from pydantic_core import from_json, to_json

from services.runs.plans.models import Login
from shared.log import get_logger
from shared.vault import Vault

log = get_logger()


def sealed(vault: Vault, login: Login) -> bytes:
    """Encrypt a test account."""
    return vault.seal(to_json(login))


def opened(vault: Vault, login: bytes | None) -> Login | None:
    """Decrypt a test account; None where there is none, or the key is another by now."""
    if login is None:
        return None
    try:
        return Login(**from_json(vault.open(login)))
    except ValueError:
        log.error("test account of a plan cannot be opened")
        return None


def usable(vault: Vault, login: bytes | None) -> bytes | None:
    """Give what a run takes along: the sealed account, if somebody can be logged in with it."""
    found = opened(vault, login)
    return login if found is not None and found.password is not None else None
