"""The learnings service's settings."""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ServiceSettings, settings_config


class LearningsSettings(ServiceSettings):
    """What every service reads, as ``GUILDHALL_LEARNINGS_<NAME>`` or ``GUILDHALL_<NAME>``."""

    model_config = settings_config("learnings")
    service: ClassVar[str] = "learnings"
