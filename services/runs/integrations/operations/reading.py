"""What holds for an organization: its own, then the environment's (contract, 3.7)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import SecretStr

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
        text = _plain(getattr(settings, key.field))
        if isinstance(text, str) and text.strip():
            found[key.name] = text.strip()
    return found


def model_of(settings: RunsSettings, held: Mapping[str, str]) -> RunsSettings:
    """Give the settings by which a model is asked for an organization: under its own key.

    Args:
        settings: of this process.
        held: what holds for the organization, as ``values`` gave it.
    """
    key = held.get("ANTHROPIC_API_KEY")
    if key is None or key == _plain(settings.anthropic_key):
        return settings
    own = {"anthropic_key": SecretStr(key), "anthropic_token": None}
    return settings.model_copy(update=own)


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
