"""The agents service's settings."""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ServiceSettings, settings_config


class AgentsSettings(ServiceSettings):
    """What every service reads, as ``GUILDHALL_AGENTS_<NAME>`` or ``GUILDHALL_<NAME>``."""

    model_config = settings_config("agents")
    service: ClassVar[str] = "agents"
