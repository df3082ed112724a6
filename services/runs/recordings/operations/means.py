"""With what recordings are made."""

from __future__ import annotations

from dataclasses import dataclass

from services.runs.settings import RunsSettings
from shared.db import Database
from shared.fetch import Fetcher
from shared.vault import Vault


@dataclass(frozen=True, slots=True)
class Means:
    """With what browsers are reached."""

    database: Database
    vault: Vault
    fetcher: Fetcher
    settings: RunsSettings
