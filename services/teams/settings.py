"""The teams service's settings."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from shared.secret import derive
from shared.settings import KeyBytes, ServiceSettings, WebAddress, settings_config
from shared.siblings import Sibling, sibling_at


class TeamsSettings(ServiceSettings):
    """What every service reads, as ``GUILDHALL_TEAMS_<NAME>`` or ``GUILDHALL_<NAME>``."""

    model_config = settings_config("teams")
    service: ClassVar[str] = "teams"

    public_url: WebAddress = Field(
        "http://127.0.0.1:8000", description="The address people and clients use, without a path."
    )
    auth_url: WebAddress | None = Field(
        None,
        description="Where the auth service listens, http://host:port; without it, what needs to "
        "know a machine's owner waits.",
    )
    auth_sibling_key: KeyBytes | None = Field(
        None,
        description="Under which teams asks the auth service; derived from the root secret if "
        "absent.",
    )
    sockets: int = Field(20_000, ge=1, description="Most sockets of this process.")
    sockets_per_machine: int = Field(20, ge=1, description="Most sockets of one machine there.")
    versions: int = Field(
        100, ge=100, description="Versions of a team that are kept whatever their age."
    )
    versions_days: int = Field(
        90, ge=1, description="Days that older versions are kept, ten times as many at most."
    )

    def siblings(self) -> dict[str, Sibling]:
        """Give the services that teams may ask, by name."""
        return sibling_at(self.auth_url, self.auth_sibling_key, self.root_secret, "auth")

    def key_for_view_tokens(self) -> bytes:
        """Give the 32 bytes under which view tokens are signed (teams contract, section 4.3)."""
        return derive(self.key_for_assertions(), "view_token_v1")
