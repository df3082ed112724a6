"""The ``.env`` that ``docker-compose.yml`` reads, filled with fresh random values."""

from __future__ import annotations

import secrets

from guildhall.provision import SCHEMAS
from shared.secret import encode_base64url
from shared.settings import SERVICES

ASKED = ("auth", "learnings", "teams")
"""Services whose answers siblings need at once."""

_HEAD = """\
# Made by `guildhall secrets`. Keep it out of version control and readable by you alone.
# What else may stand here: .env.example.
"""


def env_file() -> str:
    """Write every secret that the compose file asks for; each call gives other values.

    Passwords travel in addresses, so all of them are letters, digits, ``-`` and ``_``.
    """
    values = {
        "POSTGRES_PASSWORD": _word(),
        **{f"GUILDHALL_{schema.upper()}_DB_PASSWORD": _word() for schema in SCHEMAS},
        "RABBITMQ_PASSWORD": _word(),
        **{f"GUILDHALL_{service.upper()}_ASSERTION_KEY": _word() for service in SERVICES},
        **{f"GUILDHALL_{service.upper()}_SIBLING_KEY": _word() for service in ASKED},
        "GUILDHALL_AUTH_ENCRYPTION_KEY": _word(),
        "GUILDHALL_LEARNINGS_ENCRYPTION_KEY": _word(),
        "GUILDHALL_RUNS_ENCRYPTION_KEY": _word(),
        "GUILDHALL_LEARNINGS_RELEASE_SIGNING_KEY": _word(),
        "GUILDHALL_SIGNING_KEYS": _word(),
        "GUILDHALL_SERVICE_ADMIN_PASSWORD": _word(),
    }
    return _HEAD + "".join(f"{name}={value}\n" for name, value in values.items())


def _word() -> str:
    return encode_base64url(secrets.token_bytes(32))
