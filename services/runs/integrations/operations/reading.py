"""What holds for an organization: its own, then the environment's (contract, 3.7)."""

from __future__ import annotations

from collections.abc import Mapping

from services.runs.integrations import rules, store
from services.runs.integrations.models.keys import KEYS, LOG_FILE
from services.runs.settings import RunsSettings
from shared.db import Connection
from shared.log import get_logger
from shared.vault import Vault

log = get_logger()


async def values(
    connection: Connection, vault: Vault, settings: RunsSettings, org_id: str
) -> Mapping[str, str]:
    """Give every key that has a value for an organization, in plain text.

    A secret of the environment is left out where the organization itself has said to which
    address it would go: nobody gets the installation's secrets sent to an address of theirs.

    Args:
        connection: to the service's database.
        vault: opens what is stored.
        settings: what the environment says.
        org_id: whose.

    Raises:
        Unavailable: the database is away.
    """
    stored = opened(vault, org_id, await store.read(connection, org_id))
    return rules.holding(stored, of_environment(settings))


def opened(vault: Vault, org_id: str, sealed: Mapping[str, bytes]) -> dict[str, str]:
    """Open stored values; what cannot be opened counts as not stored."""
    found = {}
    for name, value in sealed.items():
        try:
            found[name] = vault.open(value).decode()
        except ValueError:
            log.error("setting cannot be opened", org_id=org_id, key=name)
    return found


def of_environment(settings: RunsSettings) -> dict[str, str]:
    """Give what the environment says, by key."""
    found = {}
    for key in (*KEYS, LOG_FILE):
        value = getattr(settings, key.field)
        text = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if text and text.strip():
            found[key.name] = text.strip()
    return found
