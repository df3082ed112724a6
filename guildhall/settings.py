"""What the command line itself reads from the environment."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import SERVICES, Settings

GATEWAY_METRICS_OFFSET = 9


class CommandSettings(Settings):
    """Settings of ``guildhall up`` and its sister commands.

    What a process of the system reads, and nothing here names, is handed on to it from the
    environment: see ``guildhall.environment``.
    """

    profile: Literal["development", "production"] = Field(
        "development", description="Whether development conveniences exist."
    )
    port: int = Field(
        8000,
        ge=1,
        le=65535 - GATEWAY_METRICS_OFFSET,
        description="The gateway's port; the services take the five after it, metrics the ninth.",
    )
    data_dir: Path = Field(
        Path("var"), description="Where database, secrets, mail and artifacts are kept."
    )
    database_url: SecretStr | None = Field(
        None,
        description="A PostgreSQL 15 to 18 to use instead of the embedded one: a login that may "
        "make roles and owns the database.",
    )
    signing_keys: SecretStr | None = Field(
        None, description="Ed25519 seeds that sign access tokens, base64url, newest first."
    )
    service_admin_password: SecretStr | None = Field(
        None, description="Password of the agents surface's service account admin."
    )

    @model_validator(mode="after")
    def _keeps_development_at_home(self) -> Self:
        if self.is_development and not _is_loopback(self.host):
            raise ValueError(
                "the development profile prints secrets and trusts its neighbours, so it listens "
                "on a loopback address only: set GUILDHALL_HOST=127.0.0.1, "
                "or GUILDHALL_PROFILE=production"
            )
        return self

    @property
    def directory(self) -> Path:
        """The data dir as an absolute path."""
        return self.data_dir.expanduser().resolve()

    def service_port(self, service: str) -> int:
        """Give the port of a service on 127.0.0.1."""
        return self.port + 1 + SERVICES.index(service)

    @property
    def metrics_port(self) -> int:
        """The gateway's port for Prometheus."""
        return self.port + GATEWAY_METRICS_OFFSET

    def ports(self) -> dict[str, int]:
        """List every port the system listens on, by process."""
        services = {service: self.service_port(service) for service in SERVICES}
        return {"gateway": self.port, **services, "gateway metrics": self.metrics_port}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
