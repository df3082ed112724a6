"""The runs service's settings."""

from __future__ import annotations

from typing import ClassVar

from shared.settings import ServiceSettings, settings_config


class RunsSettings(ServiceSettings):
    """What every service reads, as ``GUILDHALL_RUNS_<NAME>`` or ``GUILDHALL_<NAME>``."""

    model_config = settings_config("runs")
    service: ClassVar[str] = "runs"
