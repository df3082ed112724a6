"""The teams service's settings."""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ServiceSettings, settings_config


class TeamsSettings(ServiceSettings):
    """What every service reads, as ``GUILDHALL_TEAMS_<NAME>`` or ``GUILDHALL_<NAME>``."""

    model_config = settings_config("teams")
    service: ClassVar[str] = "teams"
