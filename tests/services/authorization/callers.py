"""Everybody who may knock at a door, and what exists behind it."""

from __future__ import annotations

from typing import Final

from shared.principal import ANONYMOUS, Kind, Principal, Role

MACHINE_TOKEN: Final = "trc_ak_" + "A" * 43
SERVICE_ACCOUNT: Final = "00000000-0000-4000-8000-000000000001"


def _person(account: str, org: str, role: str) -> Principal:
    return Principal(Kind.USER, account, org, role, ("*",), f"ses_{account[4:]}", account)


CALLERS: Final[dict[str, Principal]] = {
    "anonymous": ANONYMOUS,
    "member": _person("usr_member", "org_one", Role.MEMBER),
    "admin": _person("usr_admin", "org_one", Role.ADMIN),
    "owner": _person("usr_owner", "org_one", Role.OWNER),
    "platform": _person("usr_platform", "org_zero", Role.PLATFORM_ADMIN),
    "other": _person("usr_other", "org_two", Role.OWNER),
    "key": Principal(
        Kind.API_KEY, "key_one", "org_one", Role.ADMIN, ("*",), "key_one", "usr_admin"
    ),
    "machine": Principal(Kind.MACHINE, MACHINE_TOKEN),
    "account": Principal(
        Kind.SERVICE_ACCOUNT, SERVICE_ACCOUNT, session="sas_one", scopes=("releases:read",)
    ),
    "service": Principal(Kind.SERVICE, "gateway"),
}
"""By the column of the matrix: people of ``org_one``, the owner of another organization, and what
acts without being a person. ``account`` is a service account that holds no role."""
