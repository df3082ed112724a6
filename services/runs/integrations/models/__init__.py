"""The keys of settings, what the environment says of them, and the wire (contract, 3.7)."""

from __future__ import annotations

from services.runs.integrations.models.keys import CHANNELS, KEYS, MASK, SECRETS, URLS, Key
from services.runs.integrations.models.wire import (
    Outcome,
    SettingsChange,
    SettingsShown,
    Trackers,
    Tried,
)

__all__ = [
    "CHANNELS",
    "KEYS",
    "MASK",
    "SECRETS",
    "URLS",
    "Key",
    "Outcome",
    "SettingsChange",
    "SettingsShown",
    "Trackers",
    "Tried",
]
