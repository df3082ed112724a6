"""What running suites without a server reads from the environment."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from guildhall.failures import Failure
from services.runs.settings import RunsSettings
from shared.settings import SettingsError, read


class AloneSettings(RunsSettings):
    """The settings of the runs service, by the same names, without what only a server needs.

    Here tests what stands on the caller's own machine, so loopback addresses are open unless
    ``GUILDHALL_PROFILE`` or ``GUILDHALL_ALLOW_PRIVATE_TARGETS`` says otherwise.
    """

    profile: Literal["development", "production"] = Field(
        "development", description="Whether development conveniences exist."
    )
    database_url: SecretStr = Field(SecretStr(""), description="There is no database.")

    @model_validator(mode="after")
    def _needs_a_key(self) -> Self:
        return self

    @model_validator(mode="after")
    def _can_encrypt(self) -> Self:
        return self


def read_settings() -> AloneSettings:
    """Read them.

    Raises:
        Failure: naming every one that is bad.
    """
    try:
        return read(AloneSettings)
    except SettingsError as error:
        raise Failure(f"Settings are wrong:\n{error}") from None
