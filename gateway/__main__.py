"""``python -m gateway``: serve until SIGTERM."""

from __future__ import annotations

from gateway.app import create_app
from gateway.settings import GatewaySettings
from shared.log import configure
from shared.service import serve_app
from shared.settings import read_or_exit


def main() -> None:
    """Run the gateway."""
    settings = read_or_exit(GatewaySettings)
    configure("gateway", settings.log_level, settings.log_format)
    gateway = create_app(settings)
    serve_app(gateway, settings.host, settings.port, http=gateway.data_path.protocol, ws="none")


if __name__ == "__main__":
    main()
