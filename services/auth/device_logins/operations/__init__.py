"""Use cases of device logins: begun and polled by devices, decided by people."""

from __future__ import annotations

from services.auth.device_logins.operations.beginning import begin_for_key, begin_for_machine
from services.auth.device_logins.operations.deciding import choices, decide, look
from services.auth.device_logins.operations.polling import poll_key, poll_machine
from services.auth.device_logins.operations.sweeping import sweep, void

__all__ = [
    "begin_for_key",
    "begin_for_machine",
    "choices",
    "decide",
    "look",
    "poll_key",
    "poll_machine",
    "sweep",
    "void",
]
